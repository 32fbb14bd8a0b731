"""Failures that pass by themselves: waited for, bounded, told. All others pause as before."""

from __future__ import annotations

import itertools
import json
from typing import ClassVar

import pytest

from openstack_rollout.errors import TRANSIENT, RolloutError
from openstack_rollout.records.run_record import NodeState
from openstack_rollout.rollout import control
from openstack_rollout.rollout.fleet import StepResult
from openstack_rollout.screens.watch import Board
from tests.unit.rollout.test_status import measured
from tests.unit.simulated_fleet import DRAIN, Killed, Master, SimulatedFleet, refusal

CLOUD = {"controller": 1, "compute": 3}


def fails(master, node, step, reason, times):
    """Have a step of a node fail so often under a reason, then succeed."""
    cloud = master.cloud

    def look():
        if len(told(cloud)) >= times:
            cloud.nodes[node].faults.pop(step, None)

    cloud.nodes[node].faults[step] = reason
    master.before_poll = look


def told(cloud):
    return [data for _, data in cloud.events if data["status"] == "retrying"]


def begun(cloud, node, step, stage=None):
    return [one for one in cloud.statuses(step, stage=stage) if one == node]


@pytest.mark.parametrize("reason", sorted(TRANSIENT - {"NODE_SILENT"}))
def test_what_passes_by_itself_pauses_nothing_and_is_told(cloud, master, reason):
    fails(master, "compute2", "prefetch", reason, 2)
    assert master.update()["state"] == "completed"
    assert [(one["node"], one["step"], one["reason"]) for one in told(cloud)] == [
        ("compute2", "prefetch", reason)
    ] * 2
    assert "1 of 3" in told(cloud)[0]["message"] and "2 of 3" in told(cloud)[1]["message"]
    steps = control.report(master.journal)["nodes"]["compute2"]["steps"]
    outcomes = [step["outcome"] for step in steps if step["step"] == "prefetch"]
    assert [one.partition(":")[0] for one in outcomes] == [reason, reason, "done"]
    assert master.journal.node(master.run.id, "compute2").tries == {}


@pytest.mark.parametrize(
    "reason", ["IMAGE_MISSING", "REGISTRY_LOGIN", "REGISTRY_CERTIFICATE", "CONTAINER_EXITED",
               "PACKAGE_FAILED", "SIGNATURE_WRONG", "DISK_FULL", "NODE_ERROR", "APPLY_FAILED"],
)  # fmt: skip
def test_what_does_not_pass_is_tried_once(cloud, master, reason):
    cloud.nodes["compute2"].faults["prefetch"] = reason
    assert refusal(master.update).reason == reason
    assert begun(cloud, "compute2", "prefetch") == ["compute2"] and told(cloud) == []


def test_tries_are_bounded_with_more_time_between_them_each_time(cloud, master):
    cloud.policy("compute", retries=4, retry_delay=60)
    cloud.nodes["compute2"].faults["services/apply"] = "REPOSITORY_BROKEN"
    error = refusal(master.update)
    assert error.reason == "REPOSITORY_BROKEN" and master.run.state == "paused"
    record = master.journal.node(master.run.id, "compute2")
    tries = [step for step in record.history if (step.stage, step.step) == ("services", "apply")]
    waits = [after.started - before.finished for before, after in itertools.pairwise(tries)]
    assert len(tries) == 5
    for wait, least in zip(waits, (60, 120, 240, 480), strict=True):
        assert least <= wait <= least * 1.25 + 3
    assert master.journal.node(master.run.id, "compute3").state == NodeState.WAITING


def test_no_retry_where_the_policy_wants_none(cloud, master):
    cloud.policy("compute", retries=0)
    cloud.nodes["compute2"].faults["prefetch"] = "REGISTRY_UNREACHABLE"
    assert refusal(master.update).reason == "REGISTRY_UNREACHABLE" and told(cloud) == []


class Asking(SimulatedFleet):
    """A registry that says for how long it wants to be left alone."""

    record: ClassVar[dict] = {}

    def _push(self, seconds, outcome):
        if not outcome.succeeded and outcome.reason in TRANSIENT:
            given = (outcome.node, outcome.jid, False, outcome.reason, outcome.message)
            outcome = StepResult(*given, **self.record)
        super()._push(seconds, outcome)


@pytest.fixture
def asking(master, monkeypatch):
    ports = master.ports

    def with_asking():
        found = ports()
        found.fleet = Asking(master)
        return found

    monkeypatch.setattr(master, "ports", with_asking)
    return lambda **record: monkeypatch.setattr(Asking, "record", record)


def test_a_server_is_left_alone_for_as_long_as_it_asks(cloud, master, asking):
    asking(retry_after=900.0)
    fails(master, "compute2", "prefetch", "REGISTRY_RATE_LIMIT", 1)
    assert master.update()["state"] == "completed"
    tries = [
        step for step in master.journal.node(master.run.id, "compute2").history if step.step == "prefetch"
    ]
    assert 900 <= tries[1].started - tries[0].finished <= 1130


def test_a_server_that_asks_for_hours_is_not_waited_for(cloud, master, asking):
    asking(retry_after=6 * 3600.0)
    cloud.nodes["compute2"].faults["prefetch"] = "REGISTRY_RATE_LIMIT"
    assert refusal(master.update).reason == "REGISTRY_RATE_LIMIT" and told(cloud) == []


def test_the_record_of_a_failure_says_that_it_stays(cloud, master, asking):
    asking(transient=False)
    cloud.nodes["compute2"].faults["prefetch"] = "REPOSITORY_BROKEN"
    assert refusal(master.update).reason == "REPOSITORY_BROKEN" and told(cloud) == []


def test_what_was_waited_for_is_tried_once_more(cloud, master, asking):
    asking(waited=True)
    cloud.nodes["compute2"].faults["prefetch"] = "REGISTRY_UNREACHABLE"
    assert refusal(master.update).reason == "REGISTRY_UNREACHABLE" and len(told(cloud)) == 1


def test_a_minion_that_comes_back_costs_no_pause_and_one_that_is_dead_is_asked_once_more(cloud, master):
    cloud.policy("compute", silence=20)
    cloud.nodes["compute2"].faults["services/apply"] = "silent"

    def back():
        if told(cloud):
            cloud.nodes["compute2"].faults.clear()
            cloud.nodes["compute2"].silent = False

    master.before_poll = back
    assert master.update()["state"] == "completed" and len(told(cloud)) == 1
    cloud.openstack["target_version"] = "1.0.2"
    cloud.nodes["compute2"].faults["services/apply"] = "silent"
    master.before_poll = lambda: None
    assert refusal(master.update).reason == "NODE_SILENT" and len(told(cloud)) == 2


def test_hooks_are_not_run_twice(cloud, master):
    cloud.openstack["hooks"] = {"services": {"before_apply": [{"name": "x", "command": ["/bin/true"]}]}}
    cloud.nodes["compute2"].faults["before_apply"] = "API_UNREACHABLE"
    assert refusal(master.update).reason == "API_UNREACHABLE" and told(cloud) == []


def test_a_drain_whose_api_was_away_goes_on(cloud, tmp_path):
    cloud.policy("compute", drain=DRAIN)
    master = Master(cloud, tmp_path)
    master.drain.faults["compute2"] = {"drain": RolloutError("API_UNREACHABLE", "503")}

    def back():
        if told(cloud):
            master.drain.faults.clear()

    master.before_poll = back
    assert master.update()["state"] == "completed"
    assert [(one["node"], one["step"]) for one in told(cloud)] == [("compute2", "drain")]


def test_status_says_why_a_node_waits(cloud, master):
    fails(master, "compute2", "services/apply", "PACKAGE_LOCKED", 1)
    seen, look = [], master.before_poll

    def see():
        if told(cloud) and not seen:
            seen.append(measured(master)["nodes"]["compute2"])
        look()

    master.before_poll = see
    master.update()
    assert (seen[0]["state"], seen[0]["reason"]) == ("in_flight", "PACKAGE_LOCKED")
    assert "taken again" in seen[0]["message"]
    assert master.journal.node(master.run.id, "compute2").reason == ""


def test_a_place_in_the_window_is_kept_while_a_node_waits(cloud, master):
    cloud.policy("compute", batch=1, retry_delay=600)
    fails(master, "compute1", "services/apply", "PACKAGE_LOCKED", 1)
    master.update()
    started = [node for node in cloud.statuses("apply", stage="services") if node.startswith("compute")]
    assert started == ["compute1", "compute1", "compute2", "compute3"]


def test_others_in_flight_and_their_limits_are_not_disturbed(cloud, master):
    cloud.policy("compute", batch=3, retry_delay=3600, limits={"apply": 900})
    fails(master, "compute1", "services/apply", "PACKAGE_LOCKED", 1)
    assert master.update()["state"] == "completed" and cloud.ended == []


@pytest.mark.parametrize("what", [control.pause, control.abort])
def test_a_request_takes_effect_at_once_while_a_node_waits(cloud, master, what):
    cloud.policy("compute", retry_delay=3600)
    cloud.nodes["compute2"].faults["services/apply"] = "REPOSITORY_BROKEN"
    asked = []

    def ask():
        if told(cloud) and not asked:
            asked.append(cloud.now)
            what(master.journal, master.lock)

    master.before_poll = ask
    refusal(master.update)
    assert cloud.now - asked[0] < 60
    assert master.journal.node(master.run.id, "compute2").state != NodeState.IN_FLIGHT
    if what is control.pause:
        cloud.nodes["compute2"].faults.clear()
        assert master.update()["state"] == "completed"


def test_killed_while_a_node_waits_it_has_only_the_tries_that_are_left(cloud, master):
    cloud.policy("compute", retries=2, retry_delay=300)
    cloud.nodes["compute2"].faults["services/apply"] = "REPOSITORY_BROKEN"
    killed = []

    def kill():
        if told(cloud) and not killed:
            killed.append(cloud.now)
            raise Killed

    master.before_poll = kill
    with pytest.raises(Killed):
        master.update()
    assert master.journal.node(master.run.id, "compute2").tries == {"services//apply": 1}
    assert refusal(master.update).reason == "REPOSITORY_BROKEN"
    assert len(told(cloud)) == 2
    # Whoever goes on after a look at it gives it all of them again.
    assert refusal(master.update).reason == "REPOSITORY_BROKEN"
    assert len(told(cloud)) == 4


def test_with_a_journal_that_cannot_be_written_no_node_waits_for_ever(cloud, master):
    cloud.policy("compute", batch=3)
    for node in ("compute1", "compute2", "compute3"):
        cloud.nodes[node].faults["services/apply"] = "REPOSITORY_BROKEN"

    def fill():
        if len(told(cloud)) == 3:
            master.store.full = True

    master.before_poll = fill
    assert refusal(master.update).reason == "JOURNAL_FAILED"


def test_an_older_journal_without_tries_is_read(cloud, master):
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(master.update)
    bank = master.store.banks[f"openstack/rollout/runs/{master.run.id}/nodes"]
    for node, text in bank.items():
        old = json.loads(text)
        del old["tries"], old["again"], old["slow"]
        bank[node] = json.dumps(old)
    cloud.nodes["compute2"].faults.clear()
    assert master.update()["state"] == "completed"


def test_a_watcher_reads_why_a_node_waits():
    run = {"id": "r", "stages": ["ovn"], "state": "running", "orchestration": "orch.ovn", "target": "1.0.2"}
    board = Board({**run, "reason": "", "message": ""}, {})
    event = {"run": "r", "stage": "ovn", "round": "", "node": "cmp1", "role": "compute", "step": "apply"}
    line = board.take(
        {**event, "status": "retrying", "reason": "PACKAGE_LOCKED", "message": "x; taken again"}
    )
    assert line == "ovn: cmp1: apply retrying: PACKAGE_LOCKED: x; taken again"
    assert board.reasons["cmp1"].reason == "PACKAGE_LOCKED"
