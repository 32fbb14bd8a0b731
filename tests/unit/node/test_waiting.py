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


@pytest.mark.parametrize(
    ("marks", "asked"),
    [
        ([None] * 9, 8),
        ([5] * 9, 8),
        ([5, 6, 6, 6, 6, 6, 6], 12),  # two more seconds each look, eight from the one that was further
        ([5, 4, 5, 4, 5, 4, 5], 8),  # to and fro is no progress
        ([None, 5, 6, None, 7, 7, 7, 7, 7, 7, 7], 18),
    ],
)
def test_the_limit_counts_from_the_last_progress(marks, asked):
    counted, seen = [], iter(marks)
    waiting.until(lambda: counted.append(1), 8, clock=clock(), mark=lambda: next(seen))
    assert len(counted) == asked


def test_progress_does_not_last_for_ever():
    times, seen = clock(), iter(range(10**6))
    jumps = iter(range(0, 10**9, 3600))
    times.monotonic = lambda: next(jumps)
    counted = []
    waiting.until(lambda: counted.append(1), 3 * 3600, clock=times, mark=lambda: next(seen))
    assert len(counted) == waiting.LONGEST / 3600


def test_what_is_missing_last_is_returned():
    lacks = iter([["a", "b"], ["b"], []])
    assert waiting.until_whole(lambda: next(lacks), 10, clock=clock()) == []
    lacks = iter([["a", "b"], ["b"], ["c"]])
    assert waiting.until_whole(lambda: next(lacks), 2, clock=clock()) == ["b"]
