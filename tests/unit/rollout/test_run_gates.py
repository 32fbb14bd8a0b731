"""What nodes wait for: virtual addresses on exactly one node, and conductors of Ironic that are at work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout.addresses import at_risk
from openstack_rollout.rollout.gates import Gate
from tests.unit.simulated_fleet import Cloud, Master, digest, refusal

VIP = "10.0.0.250"


class Balanced(Cloud):
    """A cloud whose controllers share an address. holders: address -> the nodes that have it."""

    def __init__(self, **nodes):
        super().__init__(**nodes)
        self.holders = {VIP: {"controller1"}}
        self.may = {VIP: [name for name in self.nodes if name.startswith("controller")]}
        self.asked = 0

    def held(self, name):
        return {
            address: name in self.holders[address] for address, nodes in self.may.items() if name in nodes
        }

    def facts_of(self, name):
        return super().facts_of(name) | {"virtual_addresses": self.held(name)}


class Balancing(Master):
    """A master that asks the nodes of a Balanced cloud."""

    def ports(self):
        return replace(super().ports(), addresses=self.addresses)

    def addresses(self, nodes):
        self.cloud.asked += 1
        return {node: self.cloud.held(node) for node in nodes if not self.cloud.nodes[node].silent}


@pytest.fixture
def cloud():
    return Balanced(controller=3, gateway=2, compute=2)


def test_an_address_on_two_nodes_is_refused_before_anything_is_touched(cloud, tmp_path):
    cloud.holders[VIP] = {"controller1", "controller3"}
    master = Balancing(cloud, tmp_path)
    error = refusal(master.update)
    assert error.reason == "VIRTUAL_ADDRESS_AT_RISK" and VIP in error.message
    assert error.nodes == ("controller1", "controller2", "controller3")
    assert cloud.applied == [] and master.run is None


def test_an_address_on_no_node_is_refused_too_unless_a_silent_one_may_have_it(cloud, tmp_path):
    cloud.holders[VIP] = set()
    assert refusal(Balancing(cloud, tmp_path).update).reason == "VIRTUAL_ADDRESS_AT_RISK"
    cloud.policy("controller", max_failures=1)
    cloud.nodes["controller2"].silent = True
    assert refusal(Balancing(cloud, tmp_path).update).reason == "FAILURE_BUDGET"


def test_it_may_come_to_rest_while_it_moves(cloud, tmp_path):
    cloud.holders[VIP] = set()
    master = Balancing(cloud, tmp_path)
    master.before_poll = lambda: cloud.asked > 4 and cloud.holders.update({VIP: {"controller2"}})
    assert master.update()["state"] == "completed"


def test_no_other_controller_goes_while_it_is_on_two(cloud, tmp_path):
    master = Balancing(cloud, tmp_path)

    def splits():
        if ("control_plane", "controller1") in cloud.applied:
            cloud.holders[VIP] = {"controller1", "controller2"}

    master.before_poll = splits
    error = refusal(master.update)
    assert error.reason == "VIRTUAL_ADDRESS_AT_RISK" and master.run.state == "paused"
    assert [node for stage, node in cloud.applied if stage == "control_plane"] == ["controller1"]
    cloud.holders[VIP] = {"controller2"}
    master.before_poll = lambda: None
    assert master.update()["state"] == "completed"


def test_it_is_looked_at_once_more_at_the_end(cloud, tmp_path):
    master = Balancing(cloud, tmp_path)
    last = ("system", "compute2")
    master.before_poll = lambda: last in cloud.applied and cloud.holders.update({VIP: set()})
    error = refusal(master.update)
    assert error.reason == "VIRTUAL_ADDRESS_AT_RISK" and master.run.state == "paused"


def test_gateways_that_share_one_go_one_at_a_time(cloud, tmp_path):
    cloud.policy("gateway", batch=2)
    assert together(cloud, tmp_path / "a") == 2
    shared = Balanced(controller=3, gateway=2, compute=2)
    shared.policy("gateway", batch=2)
    shared.may["10.0.0.9"], shared.holders["10.0.0.9"] = ["gateway1", "gateway2"], {"gateway2"}
    assert together(shared, tmp_path / "b") == 1


def together(cloud, folder):
    """How many gateways were in flight together in the services stage at most."""
    folder.mkdir()
    assert Balancing(cloud, folder).update()["state"] == "completed"
    here = [data for _, data in cloud.events if data.get("stage") == "services" and "in_flight" in data]
    return max(len(data["in_flight"]) for data in here if data["role"] == "gateway")


def test_what_counts_as_at_risk():
    assert at_risk({"a": {VIP: True}, "b": {VIP: False}}, ()) is None
    assert at_risk({"a": {VIP: False}}, ()) is None  # its peers are none of ours
    assert at_risk({"a": {VIP: False}, "b": {VIP: False}}, {"c"}) is None
    both = at_risk({"a": {VIP: True}, "b": {VIP: True}, "c": {VIP: False}}, {"d"})
    assert both.nodes == ("a", "b", "c")


class Metal(Cloud):
    """A cloud with Ironic's conductor on each controller. works: node -> what its conductor works on."""

    def __init__(self, **nodes):
        super().__init__(**nodes)
        self.works = {}
        self.unreachable = False
        self.openstack["service_types"]["ironic-conductor"] = {
            "image": "control_plane_image",
            "container": "ironic_conductor",
            "roles": ["controller"],
            "stage": "control_plane",
            "enabled": True,
        }

    def facts_of(self, name):
        found = super().facts_of(name)
        if "control_plane" in found["containers"]:
            version = self.nodes[name].at["control_plane"]
            one = found["containers"]["control_plane"] | {"digests": [digest("control_plane", version)]}
            found["containers"]["ironic_conductor"] = one
            found["managed"].append("ironic_conductor")
        return found


class MetalMaster(Master):
    """A master that asks Ironic."""

    def ports(self):
        return replace(super().ports(), bare_metal=self.bare_metal)

    def bare_metal(self, model, node):
        if self.cloud.unreachable:
            raise RolloutError("API_UNREACHABLE", "cloud openstack: bare metal API: connection refused")
        return self.cloud.works.get(node, [])


def in_control_plane(cloud):
    return [node for stage, node in cloud.applied if stage == "control_plane"]


def test_a_conductor_is_not_stopped_while_it_deploys(tmp_path):
    cloud = Metal(controller=3, compute=1)
    cloud.works["controller2"] = ["bm-7 (deploying)"]
    master = MetalMaster(cloud, tmp_path)
    error = refusal(master.update)
    assert (error.reason, error.nodes) == ("BARE_METAL_BUSY", ("controller2",)) and "bm-7" in error.message
    assert in_control_plane(cloud) == ["controller1"] and master.run.state == "paused"
    told = [data for tag, data in cloud.events if tag.endswith("/control_plane/-/gate")]
    assert [(one["status"], one["reason"], one["state"]) for one in told] == [
        ("waiting", "BARE_METAL_BUSY", "running")
    ]
    cloud.works.clear()
    assert master.update()["state"] == "completed"


def test_it_is_waited_for(tmp_path):
    cloud = Metal(controller=3, compute=1)
    cloud.works["controller2"] = ["bm-7 (deploying)"]
    master, began = MetalMaster(cloud, tmp_path), cloud.now
    master.before_poll = lambda: cloud.now > began + 900 and cloud.works.clear()
    assert master.update()["state"] == "completed" and cloud.now > began + 900


def test_ironic_is_not_asked_where_the_operator_says_so(tmp_path):
    cloud = Metal(controller=3, compute=1)
    cloud.policy("controller", bare_metal_timeout=0)
    cloud.works["controller2"] = ["bm-7 (deploying)"]
    cloud.unreachable = True
    assert MetalMaster(cloud, tmp_path).update()["state"] == "completed"


def test_an_api_that_cannot_be_asked_is_told_before_anything_is_touched(tmp_path):
    cloud = Metal(controller=3, compute=1)
    cloud.unreachable = True
    master = MetalMaster(cloud, tmp_path)
    assert refusal(master.update).reason == "API_UNREACHABLE" and cloud.applied == [] and master.run is None


def test_an_api_that_is_away_for_a_moment_is_waited_for(tmp_path):
    cloud = Metal(controller=3, compute=1)
    master = MetalMaster(cloud, tmp_path)
    times = []

    def away():
        if in_control_plane(cloud):
            times.append(cloud.now)
            cloud.unreachable = cloud.now < times[0] + 100

    master.before_poll = away
    assert master.update()["state"] == "completed"


def test_a_stage_that_reboots_nothing_does_not_stop_it(tmp_path):
    cloud = Metal(controller=3, compute=1)
    for node in cloud.nodes.values():
        node.at = {stage: "1.0.1" for stage in node.at} | {"system": "1.0.0"}
    cloud.works["controller2"] = ["bm-7 (deploying)"]
    cloud.openstack["system"] = {"reboot": "never"}
    assert MetalMaster(cloud, tmp_path).rollout().stage("system")["state"] == "done"


def test_a_node_in_hand_keeps_its_controller_from_a_reboot(tmp_path):
    cloud = Metal(controller=3, compute=1)
    for node in cloud.nodes.values():
        node.at = {stage: "1.0.1" for stage in node.at} | {"system": "1.0.0"}
    cloud.works["controller1"] = ["bm-7 (cleaning)"]
    cloud.openstack["system"] = {"reboot": "when_required"}
    assert refusal(lambda: MetalMaster(cloud, tmp_path).rollout().stage("system")).reason == "BARE_METAL_BUSY"
    assert cloud.applied == []


def test_one_that_waits_is_asked_now_and_then_and_keeps_none_back_that_is_away():
    now, asked, error = [0.0], [], RolloutError("BARE_METAL_BUSY", "x")
    gate = Gate(lambda node: asked.append(node) or error, lambda _: 10.0, lambda: now[0])
    for now[0] in range(12):
        assert gate(["b"], ["a"]) == 1  # one that is away may be what it waits for
    assert len(asked) == 3
    now[0] = 20.0
    with pytest.raises(RolloutError):
        gate([], ["a"])
