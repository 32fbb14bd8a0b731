"""The reboot in the procedure: between apply and verify of the system stage, told of the drain."""

from __future__ import annotations

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout import dry_run
from openstack_rollout.screens import tables
from tests.unit.declared.test_next_boot import READY
from tests.unit.simulated_fleet import DRAIN, Cloud, Master, NoReboots, refusal


class Recorded(NoReboots):
    """Notes who is rebooted, and fails where it is told to."""

    calls: list
    fault = None
    waited_for: list
    unready: dict

    def reboot(self, node, role, drained, taken=()):
        assert list(taken) == ([DRAIN] if drained else []), "what the drain took is no workload any more"
        self.calls.append((node, role, drained))
        if self.fault:
            raise self.fault
        return "rebooted"

    def refuse_unready(self, node):
        if node in self.unready:
            raise RolloutError("BOOT_NOT_READY", f"{node}: {self.unready[node]}", [node])

    def wait_for_boot(self, node):
        self.waited_for.append(node)


@pytest.fixture
def master(tmp_path):
    cloud = Cloud(controller=1, gateway=1, compute=2)
    cloud.openstack["system"] = {"reboot": "when_required"}
    master = Master(cloud, tmp_path)
    Recorded.calls, Recorded.waited_for, Recorded.fault, Recorded.unready = [], [], None, {}
    master.reboots = lambda model: Recorded(model, None)
    return master


def steps(master, node, stage):
    return [one.step for one in master.journal.node(master.run.id, node).history if one.stage == stage]


def test_the_reboot_comes_between_apply_and_verify_in_the_system_stage_alone(master):
    master.cloud.policy("compute", drain=DRAIN)
    master.update()
    assert steps(master, "compute1", "system") == ["drain", "apply", "reboot", "verify", "restore"]
    assert steps(master, "gateway1", "system") == ["apply", "reboot", "verify"]
    assert "reboot" not in steps(master, "compute1", "ovs")


def test_it_is_told_whether_the_node_was_drained(master):
    master.cloud.policy("compute", drain=DRAIN)
    master.update()
    assert dict((node, drained) for node, _, drained in Recorded.calls) == {
        "controller1": False,
        "gateway1": False,
        "compute1": True,
        "compute2": True,
    }


def test_the_plan_tells_that_nodes_may_be_rebooted(master):
    data = dry_run.dry_run(master.cloud.model, master.ports(), lambda nodes, stage: {})
    text = tables.text(data)
    assert "\nsystem\n" in text and "compute: batch 1, rebooted where required" in text
    assert "wave 1: compute1: apply > reboot > verify" in text


def test_never_means_that_there_is_no_such_step(master):
    master.cloud.openstack["system"]["reboot"] = "never"
    master.update()
    assert Recorded.calls == [] and steps(master, "compute1", "system") == ["apply", "verify"]


def test_a_node_that_does_not_come_back_pauses_the_run_and_stays_drained(master):
    master.cloud.policy("compute", drain=DRAIN)
    Recorded.fault = RolloutError("REBOOT_TIMEOUT", "not back", [])
    master.cloud.openstack["roles"] = {"compute": "compute*"}
    assert refusal(master.update).reason == "REBOOT_TIMEOUT"
    assert [node for node, *_ in Recorded.calls] == ["compute1"]
    assert master.journal.drained("compute1").state == "drained"
    Recorded.fault = None
    master.update()
    assert master.run.state == "completed" and master.journal.drained("compute1") is None


@pytest.mark.parametrize(("now", "reason"), [("second", "NODE_REBOOTED"), ("first", "CONTAINER_EXITED")])
def test_a_node_that_somebody_reboots_in_the_middle_of_a_step_is_named_so(master, monkeypatch, now, reason):
    asked = []

    def rebooted_since(self, node, boot_id, patience):
        asked.append((node, boot_id, patience))
        return boot_id != now

    monkeypatch.setattr(Recorded, "rebooted_since", rebooted_since, raising=False)
    master.cloud.policy("compute", silence=77)
    master.cloud.nodes["compute1"].boot_id = "first"
    master.cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    error = refusal(master.update)
    assert error.reason == reason and "CONTAINER_EXITED" in f"{error}"
    assert asked == [("compute1", "first", 77)]
    master.cloud.nodes["compute1"].faults.clear()
    assert master.update()["state"] == "completed"


@pytest.mark.parametrize("fault", ["silent", "after its reboot"])
def test_a_silent_node_and_one_that_the_run_rebooted_are_not_looked_into(master, fault):
    node = master.cloud.nodes["compute1"]
    node.boot_id = "first"
    if fault == "silent":
        node.faults["services/apply"] = "silent"
        assert refusal(master.update).reason == "NODE_SILENT"
    else:
        node.faults["system/verify"] = "NODE_ERROR"
        assert refusal(master.update).reason == "NODE_ERROR"


def test_a_node_that_would_boot_something_else_is_not_drained_for_it(master):
    master.cloud.policy("compute", drain=DRAIN)
    Recorded.unready = {"compute1": "its default entry is the old kernel"}
    assert refusal(master.update).reason == "BOOT_NOT_READY"
    assert not master.cloud.statuses("drain", "succeeded", "system")
    assert master.journal.drained("compute1") is None
    assert [node for node, *_ in Recorded.calls] == ["controller1", "gateway1"]
    assert steps(master, "compute1", "system") == ["drain"]
    Recorded.unready = {}
    master.update()
    assert master.run.state == "completed"


def test_where_nothing_is_rebooted_no_boot_is_asked_for(master):
    master.cloud.policy("compute", drain=DRAIN)
    master.cloud.openstack["system"]["reboot"] = "never"
    Recorded.unready = dict.fromkeys(("compute1", "compute2"), "its default entry is the old kernel")
    master.update()
    assert master.run.state == "completed"


def test_the_plan_tells_what_is_not_known_of_the_next_boot(master):
    data = dry_run.dry_run(master.cloud.model, master.ports(), lambda nodes, stage: {})
    assert data["boots"] == {}
    unknown = {**READY, "loader": "", "unknown": "no boot loader", "release": ""}
    old = {**READY, "release": "5.14.0-1.el9.x86_64"}
    master.cloud.boots = {"compute1": unknown, "compute2": old, "gateway1": unknown}
    data = dry_run.dry_run(master.cloud.model, master.ports(), lambda nodes, stage: {})
    causes = {node: [one["cause"] for one in some] for node, some in data["boots"].items()}
    assert causes == {"compute1": ["unknown"], "compute2": ["default_entry"], "gateway1": ["unknown"]}
    lines = tables.text(data).splitlines()
    assert sum(line.startswith("gateway1, compute1: ") for line in lines) == 1
    assert sum(line.startswith("compute2: ") for line in lines) == 1
