"""A run that waits for its window: it goes on by itself, unless an operator decides otherwise meanwhile."""

from __future__ import annotations

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.records.run_record import RunState
from openstack_rollout.rollout import control, reopening
from openstack_rollout.rollout.openings import Openings
from tests.unit.simulated_fleet import Cloud, Master, refusal


@pytest.fixture
def cloud():
    found = Cloud(controller=1, compute=2)
    found.openstack["window"] = {"from": "02:00", "to": "04:00"}
    return found


@pytest.fixture
def master(cloud, tmp_path):
    found = Master(cloud, tmp_path)
    assert refusal(found.update).reason == "WINDOW_CLOSED"
    return found


def wait(cloud, master, meanwhile=lambda: None):
    def sleep(seconds):
        cloud.now += seconds
        meanwhile()

    def openings():
        return Openings(cloud.model, clock=cloud.clock, monotonic=lambda: cloud.now)

    reopening.wait(master.journal, openings, cloud.clock, sleep)


def test_it_waits_until_the_window_opens_and_the_run_goes_on(cloud, master):
    wait(cloud, master)
    assert 2 * 3600 <= cloud.clock() % 86400 < 2 * 3600 + 2 * reopening.LOOK_EVERY
    assert master.update()["state"] == "completed"


def test_a_window_that_is_edited_meanwhile_counts(cloud, master):
    began = cloud.now

    def widen():
        if cloud.now > began + 600:
            cloud.openstack["window"] = {"from": "13:00", "to": "23:00"}

    wait(cloud, master, widen)
    assert cloud.now < began + 900


def test_a_pillar_that_is_wrong_for_a_while_ends_no_wait(cloud, master):
    good, broken = cloud.openstack["window"], []

    def openings():
        if len(broken) < 3:
            broken.append(1)
            raise RolloutError("INVALID_PILLAR", "half of an edit")
        return Openings(cloud.model, clock=cloud.clock, monotonic=lambda: cloud.now)

    def sleep(seconds):
        cloud.now += seconds

    reopening.wait(master.journal, openings, cloud.clock, sleep)
    assert len(broken) == 3 and good


@pytest.mark.parametrize("jump", [13 * 3600.0, -3600.0])
def test_the_clock_may_jump_while_it_waits(cloud, master, jump):
    jumps = []

    def step():
        if not jumps:
            jumps.append(1)
            cloud.stepped = jump

    wait(cloud, master, step)
    assert 2 * 3600 <= cloud.clock() % 86400 < 4 * 3600


def test_a_pause_ends_the_wait_and_the_run_stays_paused(cloud, master):
    with pytest.raises(RolloutError) as ended:
        wait(cloud, master, lambda: control.pause(master.journal, master.lock))
    assert ended.value.reason == "PAUSED_BY_OPERATOR" and master.run.state is RunState.PAUSED


def test_an_abort_ends_the_wait(cloud, master):
    with pytest.raises(RolloutError) as ended:
        wait(cloud, master, lambda: control.abort(master.journal, master.lock))
    assert ended.value.reason == "ABORTED"


def test_who_resumes_it_elsewhere_goes_on_alone(cloud, master):
    def resume():
        run = master.run
        run.state, run.reason = RunState.RUNNING, ""
        master.journal.save(run)

    with pytest.raises(RolloutError) as ended:
        wait(cloud, master, resume)
    assert ended.value.reason == "RUN_IN_PROGRESS"


def nothing(cloud, master, reason="WINDOW_CLOSED"):
    openings = Openings(cloud.model, clock=cloud.clock, monotonic=lambda: cloud.now)
    return reopening.nothing_to_do(master.journal, reason, lambda: openings, cloud.clock())


def test_a_scheduler_goes_on_in_the_window_alone_and_only_where_that_was_the_reason(cloud, master):
    assert nothing(cloud, master).startswith("nothing to do: ")
    cloud.now = master.run.closed.opens + 60
    assert nothing(cloud, master) == ""
    assert "WINDOW_CLOSED" in nothing(cloud, master, "NODE_SILENT")
    control.pause(master.journal, master.lock)
    assert "PAUSED_BY_OPERATOR" in nothing(cloud, master)
    control.abort(master.journal, master.lock)
    assert "no run" in nothing(cloud, master)


def test_a_word_that_is_no_reason_is_wrong_use(cloud, master):
    with pytest.raises(RolloutError) as refused:
        nothing(cloud, master, "WINDOW_SHUT")
    assert refused.value.reason == "WRONG_ARGUMENT"
