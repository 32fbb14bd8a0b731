"""Nodes of several roles: each stage once, under the first role that the stage has, drained for each role."""

from __future__ import annotations

import pytest

from openstack_rollout.drains.kinds import Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.drain_record import BY_HAND, DrainRecord, DrainState
from openstack_rollout.rollout import by_hand, dry_run
from openstack_rollout.rollout.drain_steps import LiveCapacity, SharedCapacity
from tests.unit.simulated_fleet import Cloud, Master, NoReboots, SimulatedNode, refusal

TARGETS = {"controller": ("all", "ctl"), "gateway": ("hci",), "compute": ("all", "cmp", "hci")}
STAGES = ("ovn", "control_plane", "services", "ovs", "system")


class Mixed(Cloud):
    """hci1 to hci3 are gateways and computes, all1 and all2 controllers and computes; two have one role."""

    def __init__(self):
        super().__init__()
        for role in TARGETS:
            self.openstack["roles"][role] = f"{role}*"
        for name, count in {"all": 2, "ctl": 1, "hci": 3, "cmp": 1}.items():
            for number in range(1, count + 1):
                roles = [role for role, prefixes in TARGETS.items() if name in prefixes]
                skipped = {"control_plane"} - ({"control_plane"} if "controller" in roles else set())
                skipped |= {"services"} if roles == ["controller"] else set()
                at = dict.fromkeys((stage for stage in STAGES if stage not in skipped), "1.0.0")
                self.nodes[f"{name}{number}"] = SimulatedNode(roles[0], at=at)
                self.nodes[f"{name}{number}"].roles = roles

    def facts_of(self, name):
        return super().facts_of(name) | {"roles": self.nodes[name].roles}


class Drain:
    """A drain that writes down whom it drained; what a record has is what it took."""

    def __init__(self, log, name, stages):
        self.log, self.name, self.stages = log, name, frozenset(stages)
        self.spare, self.fails = 99, None

    def refuse(self, nodes):
        self.log.append((self.name, "refuse", *nodes))

    def capacity(self, nodes):
        return min(self.spare, len(nodes))

    def drain(self, node, record):
        record.data["took"] = [f"{node} by {self.name}"]
        record.save()
        self.log.append((self.name, "drain", node))
        if self.fails == node:
            raise RolloutError("DRAIN_FAILED", f"{node}: {self.name} cannot", [node])
        return f"{self.name}: gone"

    def restore(self, node, record):
        assert record.data.get("took", [f"{node} by {self.name}"]) == [f"{node} by {self.name}"]
        self.log.append((self.name, "restore", node))
        return f"{self.name}: back"


class Several(Master):
    """Drains of routers, servers and clusters."""

    def __init__(self, cloud, folder):
        super().__init__(cloud, folder)
        self.log = []
        disturbing = ("services", "ovs", "system")
        self.drains = {
            "move_routers": Drain(self.log, "move_routers", disturbing),
            "live_migrate": Drain(self.log, "live_migrate", disturbing),
            "standby": Drain(self.log, "standby", ("system",)),
        }

    def ports(self):
        ports = super().ports()
        kinds = {word: lambda *made_of, drain=drain: drain for word, drain in self.drains.items()}
        ports.drains = lambda model: Drains(model, None, kinds)
        return ports


@pytest.fixture
def cloud():
    cloud = Mixed()
    cloud.policy("gateway", drain="move_routers")
    cloud.policy("compute", drain="live_migrate", batch=5)
    cloud.policy("controller", drain="standby")
    return cloud


@pytest.fixture
def master(cloud, tmp_path):
    # SimulatedFleet finds members by prefix: here a role is its own target, as a glob.
    class Members(Several):
        def ports(self):
            ports = super().ports()
            ports.fleet.members = lambda target: [
                name
                for name, node in cloud.nodes.items()
                if target == "*" or target.removesuffix("*") in node.roles
            ]
            return ports

    return Members(cloud, tmp_path)


def of_node(log, node):
    return [(kind, step) for kind, step, *nodes in log if step != "refuse" and nodes == [node]]


def test_each_stage_is_gone_through_once_under_the_first_role_that_has_it(cloud, master):
    assert master.update()["state"] == "completed"
    assert len(cloud.applied) == len(set(cloud.applied))
    assert {stage for stage, node in cloud.applied if node == "all1"} == set(STAGES)
    roles = {
        (data["stage"], data["node"]): data["role"]
        for _, data in cloud.events
        if (data["step"], data["status"]) == ("apply", "succeeded")
    }
    assert [roles[stage, "all1"] for stage in STAGES] == [
        "controller", "controller", "compute", "controller", "controller",
    ]  # fmt: skip
    assert [roles[stage, "hci1"] for stage in STAGES if stage != "control_plane"] == ["gateway"] * 4


def test_it_is_drained_for_each_of_its_roles_and_comes_back_from_all(cloud, master):
    master.update()
    both = [("move_routers", "drain"), ("live_migrate", "drain")]
    back = [("live_migrate", "restore"), ("move_routers", "restore")]
    assert of_node(master.log, "hci1") == (both + back) * 3
    assert of_node(master.log, "all1") == [
        ("live_migrate", "drain"), ("live_migrate", "restore"),  # services
        ("live_migrate", "drain"), ("live_migrate", "restore"),  # ovs
        ("standby", "drain"), ("live_migrate", "drain"), ("live_migrate", "restore"), ("standby", "restore"),
    ]  # fmt: skip
    assert master.journal.all_drained() == {}
    controllers = [
        data["in_flight"]
        for data in cloud.flown()
        if data.get("role") == "controller" and data["stage"] in STAGES
    ]
    assert max(map(len, controllers)) == 1


def test_every_drain_is_asked_beforehand_about_all_its_nodes(cloud, master):
    master.rollout().begin()
    asked = {(kind, *nodes) for kind, step, *nodes in master.log if step == "refuse"}
    assert ("move_routers", "hci1", "hci2", "hci3") in asked
    assert ("live_migrate", "all1", "all2", "cmp1", "hci1", "hci2", "hci3") in asked
    assert ("standby", "all1", "all2", "ctl1") in asked


def test_the_plan_tells_it_and_whose_workloads_leave(cloud, master):
    told = {}
    master.risks = lambda model, roles: told.update(roles) or {}
    data = dry_run.dry_run(cloud.model, master.ports(), lambda nodes, stage: {})
    (ovs,) = [stage for stage in data["stages"] if stage["stage"] == "ovs"]
    roles = {role["role"]: role for role in ovs["rounds"][0]["roles"]}
    assert {name: role["drain"] for name, role in roles.items()} == {
        "controller": "live_migrate",
        "gateway": "move_routers, live_migrate",
        "compute": "live_migrate",
    }
    steps = {node["id"]: node["steps"] for wave in roles["controller"]["waves"] for node in wave["nodes"]}
    assert steps["ctl1"] == ["apply", "verify"]
    assert steps["all1"] == ["drain", "apply", "verify", "restore"]
    assert set(told["gateway"]) == {"hci1", "hci2", "hci3"}
    assert set(told["compute"]) == {"all1", "all2", "cmp1", "hci1", "hci2", "hci3"}


def test_a_drain_that_fails_brings_back_what_the_others_took(cloud, master):
    master.drains["live_migrate"].fails = "hci1"
    error = refusal(master.update)
    assert error.reason == "DRAIN_FAILED" and "hci1" in error.message
    assert of_node(master.log, "hci1") == [
        ("move_routers", "drain"), ("live_migrate", "drain"), ("live_migrate", "restore"),
        ("move_routers", "restore"),
    ]  # fmt: skip
    assert master.journal.all_drained() == {}


@pytest.mark.parametrize(("spare", "most"), [(1, 1), (2, 2), (99, 3)])
def test_no_more_are_away_than_the_drain_of_any_role_can_spare(cloud, master, spare, most):
    cloud.policy("gateway", drain="move_routers", batch=3)
    master.drains["live_migrate"].spare = spare
    master.update()
    drained = [
        len(data["in_flight"])
        for data in cloud.flown()
        if data["stage"] == "ovs" and data.get("role") == "gateway" and data["status"] == "started"
    ]
    assert max(drained) == most


def test_nodes_that_a_drain_is_not_of_do_not_count_for_it():
    class Spares:
        stages = frozenset()

        def capacity(self, nodes):
            return min(1, len(nodes))

    room = SharedCapacity([(LiveCapacity(Spares(), lambda: 0.0), {"a", "b"})])
    assert room([], ["x", "a", "b"]) == 1  # the next that starts may be one of its own
    assert room(["a"], ["b", "x"]) == 1
    assert room(["x"], ["a"]) == 2
    assert room(["a", "x"], ["y"]) == 3


def test_by_hand_it_is_drained_for_all_its_roles_and_a_run_leaves_it_so(cloud, master):
    assert by_hand.drain(master.ports(), "all1") == "standby: gone; live_migrate: gone"
    master.update()
    assert master.journal.drained("all1").run == BY_HAND
    assert ("live_migrate", "restore") not in of_node(master.log, "all1")
    assert by_hand.restore(master.ports(), "all1") == "live_migrate: back; standby: back"


def test_a_node_with_a_role_that_nothing_drains_is_not_taken_for_empty(cloud, master):
    cloud.policy("gateway", drain="none")
    drained = {}

    class Reboots(NoReboots):
        def reboot(self, node, role, is_drained, taken=()):
            drained[node] = is_drained
            return "no reboot is needed"

    master.reboots = lambda model: Reboots(model, None)
    cloud.openstack["system"] = {"reboot": "always"}
    master.update()
    assert drained == {
        **dict.fromkeys(("all1", "all2", "cmp1"), True), "ctl1": True,
        **dict.fromkeys(("hci1", "hci2", "hci3"), False),
    }  # fmt: skip


def test_a_record_of_several_is_of_each_role(cloud, master):
    by_hand.drain(master.ports(), "hci1")
    record = master.journal.drained("hci1")
    assert (record.kind, record.role) == ("move_routers+live_migrate", "gateway+compute")
    assert record.state is DrainState.DRAINED and set(record.data) == {"gateway", "compute"}
    assert isinstance(record, DrainRecord)
