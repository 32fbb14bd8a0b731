"""One controller at a time: a turn is held by one job, for as long as that renews it."""

from __future__ import annotations

import contextvars
import threading

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.declared.model import Model
from openstack_rollout.errors import RolloutError
from openstack_rollout.records import processes
from openstack_rollout.records.turn import LASTS, LONGEST, Turn
from tests.unit.loading import load


class Clock:
    """The module `time` of a master whose clock is set by some seconds (stepped)."""

    now, stepped = 1000.0, 0.0

    def monotonic(self):
        return self.now

    def time(self):
        return self.now + self.stepped


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


def test_no_job_renews_it_for_ever(turn, clock):
    while clock.now < 1000.0 + LONGEST:
        assert turn.take("ctl1", "a", "galera")["job"] == "a"
        clock.now += LASTS - 1
    assert turn.take("ctl2", "b", "galera")["job"] == "b"


def test_one_of_a_dead_node_ends_by_itself(turn, clock):
    turn.take("ctl1", "a", "galera")
    clock.now += LASTS + 1
    assert turn.holder() is None
    assert turn.take("ctl2", "b", "galera")["job"] == "b"
    turn.give("a")
    assert turn.holder()["job"] == "b"


@pytest.mark.parametrize("step", [-7200.0, 7200.0])
def test_a_clock_that_is_set_neither_ends_a_turn_nor_lengthens_it(turn, clock, step):
    turn.take("ctl1", "a", "galera")
    clock.stepped = step
    assert turn.take("ctl2", "b", "galera")["job"] == "a"
    assert turn.holder() == {
        **{"node": "ctl1", "job": "a", "why": "galera"},
        **{"since": 1000.0 + step, "until": 1000.0 + step + LASTS},
    }
    clock.now += LASTS + 1
    assert turn.holder() is None and turn.take("ctl2", "b", "galera")["job"] == "b"


@pytest.mark.parametrize("left", ["", "5", '"x"', "{}", '{"job": "a"}', '{"job": "a", "until": "x"}'])
def test_what_has_another_form_is_nobodys(turn, tmp_path, left):
    turn.take("ctl1", "a", "galera")
    (tmp_path / "cache" / "turn").write_text(left)
    assert turn.holder() is None and turn.take("ctl2", "b", "galera")["job"] == "b"


def test_one_from_before_a_boot_of_the_master_has_the_time_of_a_renewal(turn, clock, monkeypatch):
    turn.take("ctl1", "a", "galera")
    monkeypatch.setattr(processes, "boot", lambda: "another")
    clock.now = 5.0
    assert turn.holder()["job"] == "a" and turn.take("ctl2", "b", "galera")["job"] == "a"
    clock.now += LASTS - 1
    assert turn.take("ctl2", "b", "galera")["job"] == "a"
    clock.now += 2
    assert turn.take("ctl2", "b", "galera")["job"] == "b"


def test_a_node_is_not_told_the_job_of_another(turn, monkeypatch):
    runner = load("runners", "controller_turn", opts={"id": "ctl2"})
    monkeypatch.setattr(runner, "_turn", lambda: turn)
    monkeypatch.setattr(runner, "_refusal", lambda node: "")
    turn.take("ctl1", "a", "galera")
    assert (runner.take("b", "galera")["job"], runner.take("b", "galera")["node"]) == ("", "ctl1")
    turn.give("a")
    assert runner.take("b", "galera")["job"] == "b"


DATA_PLANE = {"plane": "data_plane"}


class Cloud:
    """Stands in for what the runner asks of Salt: ctl1 and ctl2 are accepted, and match ctl*."""

    def __init__(self, opts):
        pass

    def members(self, target):
        return ["ctl1", "ctl2"] if target == "ctl*" else []


def test_only_controllers_and_the_master_get_a_turn_and_a_renewal_needs_no_pillar(turn, monkeypatch):
    opts = {"id": "ctl1"}
    runner = load("runners", "controller_turn", opts=opts)
    monkeypatch.setattr(runner, "_turn", lambda: turn)
    monkeypatch.setattr(runner.wiring, "master_options", lambda opts: {"id": "m_master"})
    monkeypatch.setattr(runner, "SaltAsk", Cloud)
    model = Model.model_validate({"roles": {"controller": "ctl*"}})
    monkeypatch.setattr(runner.shares, "declared", lambda opts: model)
    assert runner.take("a", "galera")["node"] == "ctl1"

    def refused(opts):
        raise RolloutError("INVALID_PILLAR", "openstack: is broken now")

    monkeypatch.setattr(runner.shares, "declared", refused)
    assert runner.take("a", "galera")["node"] == "ctl1"
    assert "openstack: is broken now" in runner.take("b", "galera")
    monkeypatch.setattr(runner.shares, "declared", lambda opts: model)
    turn.give("a")
    opts["id"] = "cmp1"
    assert runner.take("c", "mischief") == "cmp1 is no controller by openstack:roles"
    assert turn.holder() is None
    own = {"database": {"target": "ctl*", "plane": "control_plane"}, "edge": {"target": "x", **DATA_PLANE}}
    model = Model.model_validate({"roles": own})
    opts["id"] = "ctl2"
    assert runner.take("e", "galera")["node"] == "ctl2"
    turn.give("e")
    model = Model.model_validate({"roles": {"monitoring": {"target": "ctl*", **DATA_PLANE}}})
    assert runner.take("f", "galera") == "ctl2 is no controller by openstack:roles"
    opts["id"] = "m_master"
    assert runner.take("d", "by hand")["job"] == "d"


class Master:
    """The master's runner: answers in turn, and then always that the caller has it."""

    def __init__(self, answers=()):
        self.answers, self.asked = list(answers), []

    def __call__(self, function, arguments):
        self.asked.append((function.removeprefix("controller_turn."), arguments[0]))
        return self.answers.pop(0) if self.answers else {"job": arguments[0], "node": "ctl1"}


def node(master, lingers=0.0):
    module = load("modules", "controller_turn", salt={"publish.runner": master}, grains={"id": "ctl1"})
    clock = iter(range(10**6))
    module.time = type("Time", (), {
        "sleep": staticmethod(lambda seconds: None), "monotonic": staticmethod(lambda: next(clock)),
        "strftime": staticmethod(lambda form: "20261121160000"),
    })  # fmt: skip
    module.LINGERS = lingers
    return module


def until(reached):
    """Wait for what other threads do, bounded."""
    for _ in range(1000):
        if reached():
            return True
        threading.Event().wait(0.01)
    return False


def test_a_controller_waits_for_the_others():
    other = {"job": "x", "node": "ctl2", "why": "container mariadb"}
    master = Master([other, other])
    module = node(master)
    job = module.take("container mariadb")
    assert master.asked == [("take", job)] * 3
    module.give(job)
    assert until(lambda: master.asked[-1] == ("give", job))


def test_a_controller_that_waited_too_long_names_who_has_it():
    module = node(Master([{"job": "x", "node": "ctl2", "why": "container mariadb"}] * 99))
    with pytest.raises(
        CommandExecutionError, match=r"^NO_TURN: ctl1: waited 9 s for ctl2, .*container mariadb"
    ):
        module.take("container keystone", patience=9)


@pytest.mark.parametrize(
    ("answer", "said"),
    [({}, "peer_run"), ("No access to master.", "No access"), ("Traceback: x", "Traceback")],
)
def test_a_master_that_refuses_is_not_waited_for(answer, said):
    with pytest.raises(CommandExecutionError, match=rf"^NO_TURN: ctl1: the master: .*{said}"):
        node(Master([answer])).take("container keystone")


def test_a_master_that_does_not_answer_is_waited_for_and_then_nothing_is_disturbed():
    late = "'controller_turn.take' runner publish timed out"
    master = Master([late] * 3)
    assert node(master).take("container keystone") == master.asked[-1][1]
    with pytest.raises(CommandExecutionError, match=r"^NO_TURN: ctl1: the master: .*timed out"):
        node(Master([late] * 999)).take("container keystone")


def test_what_is_held_is_renewed_outside_of_salts_context():
    master = Master()
    module = node(master)
    module.RENEW_EVERY = 0.01
    context = contextvars.ContextVar("as the loader's", default=None)
    context.set("of the job")

    class OfTheJob(dict):
        def __getitem__(self, name):
            if context.get() is None:
                raise TypeError("no loader here")
            return super().__getitem__(name)

    module.__salt__ = OfTheJob({"publish.runner": master})
    job = module.take("container mariadb")
    assert until(lambda: len(master.asked) > 3) and set(master.asked) == {("take", job)}
    module.give(job)
    assert until(lambda: master.asked[-1] == ("give", job))


def test_between_two_containers_a_job_keeps_it():
    master = Master()
    module = node(master, lingers=0.2)
    job = module.take("container mariadb")
    module.give(job)
    assert module.take("container keystone") == job
    assert master.asked == [("take", job)]
    module.give(job)
    assert until(lambda: master.asked[-1] == ("give", job))
    assert module.take("container glance") != job


def test_one_kept_for_long_is_asked_for_again():
    other = {"job": "x", "node": "ctl2", "why": "container mariadb"}
    master = Master()
    module = node(master, lingers=5)
    job = module.take("container mariadb")
    module.give(job)
    master.answers.append(other)
    module._lingering[job][0].until = 0
    assert module.take("container keystone") == job
    assert master.asked == [("take", job)] * 3
