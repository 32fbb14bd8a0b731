"""waiting: an answer in time, and none for ever."""

from __future__ import annotations

import pytest

from openstack_rollout.node import waiting
from tests.unit.modules.guards import clock


def test_the_first_true_answer_ends_the_wait():
    answers = iter(["", "", "there"])
    assert waiting.until(lambda: next(answers), 10, clock=clock()) == "there"


def test_a_false_answer_says_that_the_time_is_over():
    asked = []
    assert waiting.until(lambda: asked.append(1), 3, clock=clock()) is None
    assert len(asked) == 3


def test_without_time_the_question_is_still_asked_once():
    asked = []
    waiting.until(lambda: asked.append(1), 0, clock=clock())
    assert len(asked) == 1


def test_it_pauses_between_questions_for_as_long_as_is_said():
    times, pauses = clock(), []
    times.sleep = pauses.append
    waiting.until(lambda: len(pauses) == 2, 10, 0.25, times)
    assert pauses == [0.25, 0.25]


def test_an_error_of_the_question_ends_the_wait():
    with pytest.raises(ZeroDivisionError):
        waiting.until(lambda: 1 / 0, 10, clock=clock())


def test_what_is_missing_last_is_returned():
    lacks = iter([["a", "b"], ["b"], []])
    assert waiting.until_whole(lambda: next(lacks), 10, clock=clock()) == []
    lacks = iter([["a", "b"], ["b"], ["c"]])
    assert waiting.until_whole(lambda: next(lacks), 2, clock=clock()) == ["b"]
