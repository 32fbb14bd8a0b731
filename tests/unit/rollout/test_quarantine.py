"""Nodes that failed and are set aside: the run goes on without them, and says so to its end."""

from __future__ import annotations

import json

import pytest

from openstack_rollout.records.run_record import RunState
from openstack_rollout.rollout import control
from openstack_rollout.screens import tables
from openstack_rollout.screens.watch import ENDED, Board
from tests.unit.rollout.test_status import measured
from tests.unit.simulated_fleet import DRAIN, Cloud, Killed, Master, refusal


@pytest.fixture
def cloud():
    found = Cloud(controller=1, gateway=1, compute=6)
    found.policy("compute", on_failure="quarantine", max_failures=2, drain=DRAIN)
    return found


def aside(cloud):
    return [data["node"] for _, data in cloud.events if data["status"] == "quarantined"]


def at(cloud, *names):
    return {version for name in names for version in cloud.nodes[name].at.values()}


def test_the_run_goes_on_without_the_node_and_ends_with_open_ends(cloud, master):
    cloud.nodes["compute2"].faults["ovs/apply"] = "OVS_FAILED"
    ended = master.update()
    assert ended["state"] == RunState.OPEN_ENDS == "completed_with_open_ends" and aside(cloud) == ["compute2"]
    others = [name for name in cloud.nodes if name != "compute2"]
    assert at(cloud, *others) == {"1.0.1"} and cloud.nodes["compute2"].at["system"] == "1.0.0"
    open_end = master.run.open_ends["compute2"]
    assert (open_end["reason"], open_end["stage"], open_end["drained"]) == ("OVS_FAILED", "ovs", True)
    assert master.lock.holder() is None and master.journal.unfinished() is None
    # It stays drained: nothing comes back to it.
    assert list(master.journal.all_drained()) == ["compute2"] and master.drain.lives["compute2"] == []
    assert ("restore", "compute2") not in master.drain.log


def test_status_and_report_name_it_and_what_is_deployed_is_measured(cloud, master):
    cloud.nodes["compute2"].faults["ovs/apply"] = "OVS_FAILED"
    master.update()
    status = measured(master)
    assert status["nodes"]["compute2"]["state"] == "quarantined"
    assert status["deployed"] is None and status["roles"]["compute"] == {"at_target": 5, "total": 6}
    assert "quarantined (ovs/apply)" in tables.text(status) and "OVS_FAILED" in tables.text(status)
    report = control.report(master.journal)
    assert report["run"]["state"] == "completed_with_open_ends" and list(report["run"]["open_ends"]) == [
        "compute2"
    ]
    assert "compute2: quarantined at ovs/apply, drained: OVS_FAILED" in tables.text(report)
    assert "completed_with_open_ends" in ENDED


def test_a_node_that_was_not_drained_yet_is_not_drained_for_being_set_aside(cloud, master):
    cloud.nodes["compute2"].faults["prefetch"] = "IMAGE_MISSING"
    assert master.update()["state"] == RunState.OPEN_ENDS
    assert not master.run.open_ends["compute2"]["drained"] and master.drain.lives["compute2"] != []
    assert not [step for step in cloud.statuses("apply") if step == "compute2"]


def test_more_than_the_threshold_pause(cloud, master):
    for node in ("compute1", "compute3", "compute5"):
        cloud.nodes[node].faults["services/apply"] = "CONTAINER_EXITED"
    error = refusal(master.update)
    assert error.reason == "CONTAINER_EXITED" and master.run.state == "paused"
    assert aside(cloud) == ["compute1", "compute3"]
    assert at(cloud, "compute6") == {"1.0.0", "1.0.1"}
    # Somebody looked: all of them are tried again.
    for node in ("compute1", "compute3", "compute5"):
        cloud.nodes[node].faults.clear()
    assert master.update()["state"] == "completed" and at(cloud, *cloud.nodes) == {"1.0.1"}


@pytest.mark.parametrize(
    ("said", "pauses_at"), [(None, 2), ("20%", 2), ("0%", 1), (0, 1), ("100%", None), ("50%", 4)]
)
def test_thresholds_as_numbers_percentages_and_by_default(cloud, tmp_path, said, pauses_at):
    cloud.policy("compute", on_failure="quarantine", **({} if said is None else {"max_failures": said}))
    master = Master(cloud, tmp_path)
    for number in range(1, 7):
        cloud.nodes[f"compute{number}"].faults["services/apply"] = "CONTAINER_EXITED"
    if pauses_at is None:
        assert master.update()["state"] == RunState.OPEN_ENDS and len(master.run.open_ends) == 6
        return
    assert refusal(master.update).reason == "CONTAINER_EXITED"
    assert len(aside(cloud)) == pauses_at - 1


def test_a_percentage_counts_without_quarantine_too(cloud, tmp_path):
    cloud.policy("compute", max_failures="34%")
    master = Master(cloud, tmp_path)
    for node in ("compute1", "compute3"):
        cloud.nodes[node].faults["services/apply"] = "CONTAINER_EXITED"
    assert refusal(master.update).reason == "FAILURE_BUDGET" and aside(cloud) == []
    assert master.run.state == "incomplete"


def test_a_canary_that_fails_pauses_whatever_is_tolerated(cloud, tmp_path):
    cloud.policy("compute", on_failure="quarantine", max_failures=3, canary=1)
    master = Master(cloud, tmp_path)
    cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    assert refusal(master.update).reason == "CONTAINER_EXITED" and aside(cloud) == []


def test_killed_or_in_a_closed_window_it_stays_set_aside(cloud, master):
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"

    def kill():
        if "compute4" in cloud.statuses("apply", stage="services"):
            master.before_poll = lambda: None
            raise Killed

    master.before_poll = kill
    with pytest.raises(Killed):
        master.update()
    cloud.openstack["window"] = {"from": "02:00", "to": "08:00"}
    assert refusal(master.update).reason == "WINDOW_CLOSED"
    cloud.now = master.run.closed.opens
    assert master.update()["state"] == RunState.OPEN_ENDS
    tried = [node for node in cloud.statuses("apply", stage="services") if node == "compute2"]
    assert tried == ["compute2"] and cloud.statuses("prefetch").count("compute2") == 1


def test_a_pause_by_an_operator_gives_it_no_other_chance(cloud, master):
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    asked = []

    def pause():
        if aside(cloud) and not asked:
            asked.append(control.pause(master.journal, master.lock))

    master.before_poll = pause
    assert refusal(master.update).reason == "PAUSED_BY_OPERATOR"
    assert master.update()["state"] == RunState.OPEN_ENDS
    assert [node for node in cloud.statuses("apply", stage="services") if node == "compute2"] == ["compute2"]


def test_the_next_run_tries_it_again_and_brings_its_workloads_back(cloud, master):
    cloud.nodes["compute2"].faults["ovs/apply"] = "OVS_FAILED"
    master.update()
    first = master.run.id
    cloud.nodes["compute2"].faults.clear()
    assert master.update()["state"] == "completed" and master.run.id != first
    assert at(cloud, *cloud.nodes) == {"1.0.1"} and master.journal.all_drained() == {}
    assert master.drain.lives["compute2"] != [] and master.run.open_ends == {}


def test_a_node_that_dies_before_the_end_is_set_aside_too(cloud, master):
    def die():
        if "compute6" in cloud.statuses("verify", "succeeded", stage="system"):
            cloud.nodes["compute3"].silent = True

    master.before_poll = die
    assert master.update()["state"] == RunState.OPEN_ENDS
    assert master.run.open_ends["compute3"]["reason"] == "NODE_SILENT"


def test_a_node_that_is_silent_from_the_beginning_is_set_aside(cloud, master):
    cloud.nodes["compute3"].silent = True
    assert master.update()["state"] == RunState.OPEN_ENDS and list(master.run.open_ends) == ["compute3"]


def test_an_older_journal_is_read(cloud, master):
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    cloud.policy("compute", max_failures=0)
    refusal(master.update)
    for bank in ("openstack/rollout/runs", f"openstack/rollout/runs/{master.run.id}/nodes"):
        for key, text in master.store.banks[bank].items():
            old = json.loads(text)
            old.pop("open_ends", None), old.pop("quarantined", None)
            master.store.banks[bank][key] = json.dumps(old)
    cloud.nodes["compute2"].faults.clear()
    assert master.update()["state"] == "completed"


def test_a_watcher_sees_it_fail_and_stay():
    run = {"id": "r", "stages": ["ovn"], "state": "running", "orchestration": "orch.ovn", "target": "1.0.2"}
    board = Board({**run, "reason": "", "message": ""}, {})
    event = {"run": "r", "stage": "ovn", "round": "", "node": "cmp1", "role": "compute", "step": "apply"}
    line = board.take({**event, "status": "quarantined", "reason": "OVS_FAILED", "message": "set aside"})
    assert line == "ovn: cmp1: quarantined: OVS_FAILED: set aside" and board.cells["cmp1"]["ovn"] == "failed"
