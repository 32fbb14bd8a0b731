"""Steps that take too long, and runs that an operator wants to stop while something hangs."""

from __future__ import annotations

import threading

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout import control, time_limits
from openstack_rollout.rollout.run import Rollout
from tests.unit.simulated_fleet import DRAIN, Cloud, refusal

LIMIT = 600
SECONDS = 60  # in which a request has to take effect


@pytest.fixture
def cloud():
    found = Cloud(controller=1, gateway=1, compute=3)
    found.policy("compute", limits={"prefetch": LIMIT, "apply": LIMIT})
    return found


def ask(master, what, node, step, stage):
    """Have an operator ask for something some minutes after a step of a node began."""
    asked = []

    def look():
        if asked or node not in master.cloud.statuses(step, stage=stage):
            return
        began = master.journal.node(master.run.id, node).started
        if master.cloud.now >= began + 120:
            what(master.journal, master.lock)
            asked.append(master.cloud.now)

    master.before_poll = look
    return asked


@pytest.mark.parametrize("step", ["prefetch", "apply"])
def test_a_step_over_its_limit_is_ended_on_its_node_and_fails_by_name(cloud, master, step):
    cloud.nodes["compute2"].faults[step] = "hang"
    error = refusal(master.update)
    record = master.journal.node(master.run.id, "compute2")
    assert error.reason == record.reason == "STEP_TIMEOUT" and record.state == "failed"
    assert [(node, step) for node, step, _ in cloud.ended] == [("compute2", step)]
    assert LIMIT < record.history[-1].finished - record.history[-1].started < LIMIT + SECONDS
    assert f"compute:limits:{step}" in record.message
    cloud.nodes["compute2"].faults.clear()
    assert master.update()["state"] == "completed"


def test_a_step_within_its_limit_is_not_ended(cloud, master):
    cloud.seconds = LIMIT - 10.0
    assert master.update()["state"] == "completed" and cloud.ended == []


def test_the_plan_knows_the_limits(cloud, master):
    master.update()
    roles = [role for stage in master.run.plan.stages for one in stage.rounds for role in one.roles]
    computes = [role for role in roles if role.role == "compute"]
    assert computes and all(role.limits["apply"] == LIMIT for role in computes)
    assert all(
        set(role.limits) == {s for wave in role.waves for n in wave.nodes for s in n.steps} for role in roles
    )


@pytest.mark.parametrize("passes", ["now", "stepped"])
def test_neither_an_engine_that_is_held_up_nor_a_clock_that_is_set_ends_a_step(cloud, master, passes):
    def step():
        if "compute2" in cloud.statuses("apply", stage="services"):
            setattr(cloud, passes, getattr(cloud, passes) + 5 * 3600)
            cloud.nodes["compute2"].at["services"] = "1.0.1"
            master.before_poll = lambda: None

    master.before_poll = step
    assert master.update()["state"] == "completed" and cloud.ended == []


@pytest.mark.parametrize("step", [-7200, 7200])
def test_a_clock_that_is_set_neither_cuts_nor_lengthens_a_soak(cloud, master, step):
    cloud.policy("compute", batch=2, canary=1, soak=600)

    soaks = []

    def look():
        measured = cloud.statuses("verify", "succeeded", "ovn").count("compute1")
        if measured == len(soaks) + 1:
            soaks.append(cloud.now)
            cloud.stepped = step

    master.before_poll = look
    assert master.update()["state"] == "completed"
    assert 600 <= soaks[1] - soaks[0] < 610


@pytest.mark.parametrize(("what", "state"), [(control.pause, "paused"), (control.abort, "aborted")])
def test_a_hanging_prefetch_is_ended_on_request_and_nothing_is_in_flight(cloud, master, what, state):
    cloud.nodes["compute2"].faults["prefetch"] = "hang"
    asked = ask(master, what, "compute2", "prefetch", "prefetch")
    refusal(master.update)
    assert master.run.state == state and cloud.now - asked[0] < SECONDS
    assert [(node, step) for node, step, _ in cloud.ended] == [("compute2", "prefetch")]
    record = master.journal.node(master.run.id, "compute2")
    assert record.state == "waiting" and record.reason == ""
    cloud.nodes["compute2"].faults.clear()
    master.before_poll = lambda: None
    assert master.update()["state"] == "completed"


@pytest.mark.parametrize(("what", "state"), [(control.pause, "paused"), (control.abort, "aborted")])
def test_a_hanging_apply_is_left_in_flight_and_waited_for_by_the_next_run(cloud, master, what, state):
    cloud.nodes["compute2"].faults["services/apply"] = "hang"
    asked = ask(master, what, "compute2", "apply", "services")
    refusal(master.update)
    assert master.run.state == state and cloud.now - asked[0] < SECONDS
    assert cloud.ended == [] and master.lock.holder() is None
    record = master.journal.node(master.run.id, "compute2")
    assert record.state == "in_flight" and record.jid and "compute2" in master.run.message
    stopped = master.run.id
    cloud.nodes["compute2"].faults.clear()
    master.before_poll = lambda: None
    assert master.update()["state"] == "completed"
    assert master.journal.node(stopped, "compute2").state != "in_flight"


def test_a_request_after_a_failure_takes_effect_too(cloud, master):
    cloud.policy("compute", batch=2, limits={"apply": LIMIT * 100})
    cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    cloud.nodes["compute2"].faults["services/apply"] = "hang"
    asked = ask(master, control.abort, "compute2", "apply", "services")
    refusal(master.update)
    assert master.run.state == "aborted" and cloud.now - asked[0] < SECONDS


def test_a_request_takes_effect_while_jobs_of_a_dead_engine_are_waited_for(cloud, master, monkeypatch):
    cloud.nodes["compute2"].faults["services/apply"] = "hang"
    ask(master, control.pause, "compute2", "apply", "services")
    refusal(master.update)
    run = master.run.id
    polls = []

    def look():
        polls.append(cloud.now)
        if len(polls) == 1:
            control.abort(master.journal, master.lock)

    master.before_poll = look
    assert refusal(master.update).reason == "ABORTED"
    assert master.journal.run(run).state == "aborted" and len(polls) < 5


def test_an_abort_waits_for_its_own_drain_before_it_brings_back(cloud, master):
    cloud.policy("compute", drain=DRAIN)
    reached, goes_on = threading.Event(), threading.Event()

    def slow(step, node):
        if step == "drain" and not goes_on.is_set():
            reached.set()
            goes_on.wait(60)

    def look():
        run = master.run
        if run.state == "aborted":
            goes_on.set()
        elif reached.is_set() and not master.journal.requested(run.id):
            control.abort(master.journal, master.lock)

    master.drain.pause, master.before_poll = slow, look
    assert refusal(master.update).reason == "ABORTED"
    assert master.run.state == "aborted" and master.journal.all_drained() == {}
    assert all(len(some) == 2 for some in master.drain.lives.values())
    assert [step for step, node in master.drain.log if node == "compute1"] == ["drain", "restore"]


def test_a_measurement_that_hangs_is_given_up_on_request(cloud, master):
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(master.update)
    ports = master.ports()

    def facts(silences, refresh=False, halted=lambda: None):
        control.pause(master.journal, master.lock)
        if error := halted():
            raise error
        raise AssertionError("nobody asked whether to go on")

    ports.fleet.facts = facts
    with pytest.raises(RolloutError) as error:
        Rollout(ports).begin()
    assert error.value.reason == "PAUSED_BY_OPERATOR" and master.run.state == "paused"


def test_the_patience_after_a_request_is_of_seconds():
    assert time_limits.LEAVE_AFTER <= 30
