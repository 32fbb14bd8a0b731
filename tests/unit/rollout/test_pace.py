"""Steps that take longer than they do as a rule: told, and never ended for it."""

from __future__ import annotations

import pytest

from openstack_rollout.records.durations import Durations, Place
from openstack_rollout.rollout import control
from openstack_rollout.screens import tables
from openstack_rollout.screens.watch import Board
from tests.unit.rollout.test_status import measured
from tests.unit.simulated_fleet import DRAIN, Killed, Master

CLOUD = {"controller": 1, "compute": 3}


@pytest.fixture
def master(cloud, tmp_path):
    found = Master(cloud, tmp_path)
    found.update()
    cloud.openstack["target_version"] = "1.0.2"
    cloud.events.clear()
    return found


def told(cloud):
    return [data for _, data in cloud.events if data["status"] == "slow"]


def test_a_step_over_three_times_its_own_median_is_told_once_as_slow_and_goes_on(cloud, master):
    cloud.nodes["compute2"].seconds = 200.0
    seen = []

    def look():
        if told(cloud) and not seen:
            seen.append(measured(master))

    master.before_poll = look
    assert master.update()["state"] == "completed"
    slow = [data for data in told(cloud) if data["stage"] == "services"]
    assert [(one["node"], one["step"], one["reason"]) for one in slow] == [("compute2", "apply", "SLOW")]
    assert cloud.ended == []
    (status,) = seen
    assert status["nodes"]["compute2"]["slow"] == 30 and status["nodes"]["compute1"]["slow"] == 0
    assert "\ncompute2: SLOW: " in tables.text(status)
    report = control.report(master.journal)["nodes"]
    marked = {(node, step["step"]) for node, one in report.items() for step in one["steps"] if step["slow"]}
    assert marked == {("compute2", "apply"), ("compute2", "prefetch")}
    assert " SLOW " in tables.text(control.report(master.journal))


def test_what_takes_seconds_is_not_slow_however_much_less_it_took_before(cloud, master):
    for of, name in (("node", "compute1"), ("role", "compute")):
        took = {key: [0.1] * 5 for key in master.journal.durations.of(of, name)}
        master.journal.durations.save(of, name, took)
    cloud.seconds = 25.0
    master.update()
    assert [data["node"] for data in told(cloud) if data["node"] == "compute1"] == []


def test_a_clock_that_jumps_makes_nothing_slow_and_is_not_remembered(cloud, master):
    before = master.journal.durations.of("node", "compute1")
    jumps = []

    def jump():
        if "compute1" in cloud.statuses("apply") and not jumps:
            jumps.append(cloud.now)
            cloud.stepped = 86400.0

    master.before_poll = jump
    master.update()
    assert jumps and told(cloud) == []
    after = master.journal.durations.of("node", "compute1")
    assert max(max(values) for values in after.values()) < 2 * max(map(max, before.values()))


def test_steps_that_had_nothing_to_do_are_not_remembered(cloud, master):
    cloud.openstack["system"] = {"reboot": "when_required"}
    master.update()
    assert cloud.statuses("reboot", "succeeded")
    assert not [key for key in master.journal.durations.of("node", "compute1") if key.endswith("/reboot")]


def test_what_a_dead_engine_left_is_not_remembered_as_if_it_had_been_watched(cloud, master):
    def kill():
        if "compute1" in cloud.statuses("apply", stage="services"):
            master.before_poll = lambda: None
            raise Killed

    before = Durations(master.journal).usual(Place("compute1", "compute", "services", "", "apply"))
    master.before_poll = kill
    with pytest.raises(Killed):
        master.update()
    cloud.now += 7200
    master.update()
    assert Durations(master.journal).usual(Place("compute1", "compute", "services", "", "apply")) == before


def test_a_drain_is_remembered_as_any_step(cloud, tmp_path):
    cloud.policy("compute", drain=DRAIN)
    master = Master(cloud, tmp_path)
    master.update()
    assert {"system/drain", "system/restore", "system/apply"} <= set(
        master.journal.durations.of("node", "compute1")
    )


def test_a_watcher_sees_that_a_node_is_slow(cloud, master):
    run = {"id": "r", "stages": ["ovn"], "state": "running", "orchestration": "orch.ovn", "target": "1.0.2"}
    board = Board({**run, "reason": "", "message": ""}, {})
    event = {"run": "r", "stage": "ovn", "round": "", "node": "cmp1", "role": "compute", "step": "apply"}
    line = board.take({**event, "status": "slow", "reason": "SLOW", "message": "it takes long"})
    assert line == "ovn: cmp1: SLOW: it takes long" and board.reasons == {"cmp1": ("SLOW", "it takes long")}
    board.take({**event, "status": "succeeded", "reason": "", "message": ""})
    assert board.reasons == {}
