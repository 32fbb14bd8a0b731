"""One controller at a time: a turn is held by one job, for as long as that renews it."""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.turn import LASTS, Turn
from tests.unit.loading import load


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def turn(tmp_path, clock):
    return Turn(tmp_path / "cache" / "turn", clock)


def test_one_job_has_it_until_it_gives_it_back(turn):
    assert turn.take("ctl1", "a", "galera")["job"] == "a"
    assert turn.take("ctl2", "b", "galera")["job"] == "a"
    turn.give("b")
    assert turn.holder()["node"] == "ctl1"
    turn.give("a")
    assert turn.holder() is None and turn.take("ctl2", "b", "galera")["job"] == "b"


def test_another_job_of_the_same_node_waits_as_well(turn):
    turn.take("ctl1", "a", "galera")
    assert turn.take("ctl1", "b", "galera")["job"] == "a"


def test_one_that_is_renewed_does_not_end(turn, clock):
    for _ in range(5):
        turn.take("ctl1", "a", "galera")
        clock.now += LASTS - 1
        assert turn.take("ctl2", "b", "galera")["job"] == "a"
    assert turn.holder()["since"] == 1000.0


def test_one_of_a_dead_node_ends_by_itself(turn, clock):
    turn.take("ctl1", "a", "galera")
    clock.now += LASTS + 1
    assert turn.holder() is None
    assert turn.take("ctl2", "b", "galera")["job"] == "b"
    turn.give("a")
    assert turn.holder()["job"] == "b"


def test_a_node_is_not_told_the_job_of_another(turn, monkeypatch):
    runner = load("runners", "controller_turn", opts={"id": "ctl2"})
    monkeypatch.setattr(runner, "_turn", lambda: turn)
    turn.take("ctl1", "a", "galera")
    assert (runner.take("b", "galera")["job"], runner.take("b", "galera")["node"]) == ("", "ctl1")
    turn.give("a")
    assert runner.take("b", "galera")["job"] == "b"


def node(answers):
    asked = []

    def runner(function, arguments):
        asked.append((function, arguments))
        answer = answers.pop(0) if answers else {"job": arguments[0], "node": "ctl1"}
        return answer

    module = load("modules", "controller_turn", salt={"publish.runner": runner}, grains={"id": "ctl1"})
    clock = iter(range(10**6))
    module.time = type("Time", (), {
        "sleep": staticmethod(lambda seconds: None), "monotonic": staticmethod(lambda: next(clock)),
        "strftime": staticmethod(lambda form: "20261121160000"),
    })  # fmt: skip
    return module, asked


def test_a_controller_waits_for_the_others():
    other = {"job": "x", "node": "ctl2", "why": "container mariadb"}
    module, asked = node([other, other])
    job = module.take("container mariadb")
    assert [function for function, _ in asked] == ["controller_turn.take"] * 3
    module.give(job)
    assert asked[-1] == ("controller_turn.give", [job])


def test_a_controller_that_waited_too_long_names_who_has_it():
    module, _ = node([{"job": "x", "node": "ctl2", "why": "container mariadb"}] * 99)
    with pytest.raises(
        CommandExecutionError, match=r"^NO_TURN: ctl1 waited 9 s for ctl2, .*container mariadb"
    ):
        module.take("container keystone", patience=9)


@pytest.mark.parametrize("answer", [{}, "'controller_turn.take' runner publish timed out"])
def test_without_the_masters_answer_nothing_is_disturbed(answer):
    module, _ = node([answer])
    with pytest.raises(CommandExecutionError, match=r"^NO_TURN: ctl1: the master: "):
        module.take("container keystone")
