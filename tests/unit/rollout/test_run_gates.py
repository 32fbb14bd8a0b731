"""What nodes wait for: virtual addresses on exactly one node, and conductors of Ironic that are at work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openstack_rollout.declared.facts import VirtualAddresses
from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout import gates
from openstack_rollout.rollout.addresses import at_risk
from openstack_rollout.rollout.gates import Gate
from openstack_rollout.rollout.membership import Membership
from tests.unit.simulated_fleet import DRAIN, VERSIONS, Cloud, Master, digest, refusal

VIP = "10.0.0.250"


class Balanced(Cloud):
    """A cloud whose controllers share an address. holders: address -> the nodes that have it."""

    def __init__(self, **nodes):
        super().__init__(**nodes)
        self.holders = {VIP: {"controller1"}}
        self.may = {VIP: [name for name in self.nodes if name.startswith("controller")]}
        self.dead = set()
        self.asked = 0

    def told(self, name):
        """What a node tells of its addresses; nothing where its keepalived has died."""
        if name in self.dead:
            return {}
        addresses = {one: name in self.holders[one] for one, nodes in self.may.items() if name in nodes}
        return {"addresses": addresses, "running": bool(addresses)}

    def facts_of(self, name):
        return super().facts_of(name) | {"virtual_addresses": self.told(name)}


class Balancing(Master):
    """A master that asks the nodes of a Balanced cloud."""

    def ports(self):
        return replace(super().ports(), addresses=self.addresses)

    def addresses(self, nodes):
        self.cloud.asked += 1
        there = [node for node in nodes if not self.cloud.nodes[node].silent]
        return {node: VirtualAddresses.model_validate(self.cloud.told(node)) for node in there}


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
    assert refusal(Balancing(cloud, tmp_path).update).reason == "FAILURE_BUDGET"  # that one may have it


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
    return max(data["in_flight"] for data in here if data["role"] == "gateway")


def told(**nodes):
    """What nodes tell: node=whether it holds the address; None: its keepalived does not run."""
    return {
        node: VirtualAddresses(addresses={} if held is None else {VIP: held}, running=held is not None)
        for node, held in nodes.items()
    }


@pytest.mark.parametrize(
    ("nodes", "answers", "silent", "words"),
    [
        ("ab", {"a": True, "b": False}, (), ""),
        ("ab", {"a": False, "b": False}, (), "none of a, b"),
        ("ab", {"a": False, "b": False}, ("c",), ""),  # c may have it
        ("abc", {"a": True, "b": True, "c": False}, ("d",), "a and b"),
        ("abc", {"a": True, "b": None, "c": False}, (), ""),
        ("ab", {"a": True, "b": None}, (), "does not run on b"),
        ("ab", {"a": True}, ("b",), "does not run on b"),
    ],
)
def test_what_counts_as_at_risk(nodes, answers, silent, words):
    found = at_risk(nodes, {VIP: list(nodes), "10.0.0.9": ["x", "y"]}, told(**answers), silent)
    assert (found is None) == (not words) and words in (found.message if found else "")


def test_one_that_dies_in_its_own_update_stops_the_other(tmp_path):
    """Nobody would be left to take the address."""
    cloud = Balanced(controller=2, compute=1)
    master = Balancing(cloud, tmp_path)

    def dies():
        if ("control_plane", "controller1") in cloud.applied:
            cloud.dead.add("controller1")
            cloud.holders[VIP] = {"controller2"}

    master.before_poll = dies
    error = refusal(master.update)
    assert error.reason == "VIRTUAL_ADDRESS_AT_RISK" and "controller1" in error.message
    assert [node for stage, node in cloud.applied if stage == "control_plane"] == ["controller1"]
    assert refusal(master.update).reason == "VIRTUAL_ADDRESS_AT_RISK"  # it is still known who shares it
    cloud.dead.clear()
    master.before_poll = lambda: None
    assert master.update()["state"] == "completed"


def test_a_silent_compute_does_not_hide_an_address_that_is_nowhere(tmp_path):
    cloud = Balanced(controller=3, compute=4)
    cloud.policy("compute", max_failures=1)
    cloud.nodes["compute4"].silent = True
    cloud.holders[VIP] = set()
    assert refusal(Balancing(cloud, tmp_path).update).reason == "VIRTUAL_ADDRESS_AT_RISK"
    assert cloud.applied == []


def test_an_address_that_does_not_count(cloud, tmp_path):
    cloud.holders[VIP] = {"controller1", "controller3"}
    cloud.openstack["ignore_addresses"] = [VIP]
    assert Balancing(cloud, tmp_path).update()["state"] == "completed"


def test_nodes_whose_addresses_cannot_be_told_go_one_at_a_time(tmp_path):
    cloud = Balanced(controller=3, gateway=2, compute=2)
    cloud.policy("gateway", batch=2)
    cloud.told = lambda name: {"running": True, "unknown": "x"} if name.startswith("gateway") else {}
    assert together(cloud, tmp_path / "a") == 1


class Metal(Cloud):
    """A cloud with Ironic's conductor on each controller. works: node -> what its conductor works on."""

    def __init__(self, **nodes):
        super().__init__(**nodes)
        self.works = {}
        self.unreachable = False
        self.asked_of = set()
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
        return replace(super().ports(), in_hand=self.in_hand)

    def in_hand(self, model, kind, node, nodes):
        self.cloud.asked_of.add(kind)
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


@pytest.mark.parametrize("step", [-3600, 3600])
def test_it_is_waited_for_as_long_when_the_clock_is_set_meanwhile(tmp_path, step):
    cloud = Metal(controller=3, compute=1)
    cloud.works["controller2"] = ["bm-7 (deploying)"]
    master, waits = MetalMaster(cloud, tmp_path), []

    def look():
        if cloud.works and any(tag.endswith("/control_plane/-/gate") for tag, _ in cloud.events):
            waits.append(cloud.now)
            cloud.stepped = step
            if cloud.now > waits[0] + 60:
                cloud.works.clear()
        elif "controller2" in cloud.statuses("apply", stage="control_plane") and cloud.stepped:
            waits.append(cloud.now)
            master.before_poll = lambda: None

    master.before_poll = look
    assert master.update()["state"] == "completed"
    assert 60 < waits[-1] - waits[0] < 80


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


def with_newer_system():
    """A cloud on which the system stage alone is open."""
    cloud = Metal(controller=3, compute=1)
    for node in cloud.nodes.values():
        node.at = {stage: "1.0.1" for stage in node.at} | {"system": "1.0.0"}
    return cloud


def test_a_stage_that_reboots_nothing_does_not_stop_it(tmp_path):
    cloud = with_newer_system()
    cloud.works["controller2"] = ["bm-7 (deploying)"]
    cloud.openstack["system"] = {"reboot": "never"}
    assert MetalMaster(cloud, tmp_path).rollout().stage("system")["state"] == "done"


def test_a_node_in_hand_keeps_its_controller_from_a_reboot(tmp_path):
    cloud = with_newer_system()
    cloud.works["controller1"] = ["bm-7 (cleaning)"]
    cloud.openstack["system"] = {"reboot": "when_required"}
    assert refusal(lambda: MetalMaster(cloud, tmp_path).rollout().stage("system")).reason == "BARE_METAL_BUSY"
    assert cloud.applied == []


def test_work_that_began_since_keeps_a_node_from_its_reboot(monkeypatch, tmp_path):
    cloud = Metal(controller=3, compute=1)
    master, model = MetalMaster(cloud, tmp_path), cloud.model
    members = Membership.of(model, master.ports().fleet)
    times = iter(range(0, 100_000, 400))
    monkeypatch.setattr(gates.time, "monotonic", lambda: float(next(times)))
    monkeypatch.setattr(gates.time, "sleep", lambda _: None)
    gates.wait_for_work(model, members, "controller1", master.ports())
    cloud.works["controller1"] = ["bm-7 (deploying)"]
    gates.wait_for_work(model, members, "compute1", master.ports())  # it has none
    with pytest.raises(RolloutError, match="bm-7") as refused:
        gates.wait_for_work(model, members, "controller1", master.ports())
    assert refused.value.reason == "BARE_METAL_BUSY"


def with_worker(kind, **policy):
    """A cloud with a service on each controller that is stopped with the control plane's stage."""
    cloud = Metal(controller=3, compute=1)
    types = cloud.openstack["service_types"]
    types[kind] = types.pop("ironic-conductor")
    cloud.policy("compute", drain=DRAIN)
    cloud.policy("controller", **policy)
    return cloud


WORKERS = ("octavia-worker", "cinder-volume", "cinder-backup")


@pytest.mark.parametrize("kind", WORKERS)
def test_a_service_is_not_stopped_while_it_has_work_in_hand(kind, tmp_path):
    cloud = with_worker(kind)
    cloud.works["controller2"] = ["db1 (PENDING_UPDATE)"]
    master = MetalMaster(cloud, tmp_path)
    error = refusal(master.update)
    assert (error.reason, error.nodes) == ("WORK_IN_HAND", ("controller2",)) and "db1" in error.message
    assert in_control_plane(cloud) == ["controller1"] and cloud.asked_of == {kind}
    cloud.works.clear()
    assert master.update()["state"] == "completed"


class MetalOfPackages(Metal):
    """Its workers are packages."""

    def __init__(self, kind):
        super().__init__(controller=3, compute=1)
        names = {family: ["worker"] for family in ("RedHat", "Debian")}
        types = self.openstack["service_types"]
        del types["ironic-conductor"]
        types[kind] = {
            "deploy": "package",
            "packages": names,
            "units": names,
            "roles": ["controller"],
            "stage": "control_plane",
            "enabled": True,
        }
        for version in VERSIONS:
            self.openstack["releases"][version]["packages"]["worker"] = version
        self.kind = kind
        self.policy("compute", drain=DRAIN)

    def facts_of(self, name):
        found = super().facts_of(name)
        found["containers"].pop("ironic_conductor", None)
        found["managed"] = [one for one in found["managed"] if one != "ironic_conductor"]
        if self.nodes[name].role != "controller":
            return found
        packages = {**found["packages"], "worker": [self.nodes[name].at["control_plane"]]}
        told = {self.kind: {"here": True, "units": {"worker.service": "active"}, "stale": []}}
        return {**found, "packages": packages, "packaged": told}


@pytest.mark.parametrize("kind", WORKERS)
def test_a_service_of_packages_is_not_stopped_while_it_has_work_in_hand_either(kind, tmp_path):
    cloud = MetalOfPackages(kind)
    cloud.works["controller2"] = ["db1 (PENDING_UPDATE)"]
    error = refusal(MetalMaster(cloud, tmp_path).update)
    assert (error.reason, error.nodes) == ("WORK_IN_HAND", ("controller2",))
    assert in_control_plane(cloud) == ["controller1"] and cloud.asked_of == {kind}


@pytest.mark.parametrize("kind", WORKERS)
@pytest.mark.parametrize("silent", ["by_policy", "no_drain_speaks_to_openstack"])
def test_its_api_is_not_asked_where_the_operator_uses_none_or_says_so(kind, silent, tmp_path):
    cloud = with_worker(kind, **({"work_timeout": 0} if silent == "by_policy" else {}))
    if silent != "by_policy":
        cloud.policy("compute", drain="none")
    cloud.unreachable = True
    assert MetalMaster(cloud, tmp_path).update()["state"] == "completed" and cloud.asked_of == set()


@pytest.mark.parametrize("kind", WORKERS)
def test_work_that_began_since_the_start_is_waited_for_before_a_reboot(kind, monkeypatch, tmp_path):
    cloud = with_worker(kind)
    master, model = MetalMaster(cloud, tmp_path), cloud.model
    members = Membership.of(model, master.ports().fleet)
    times = iter(range(0, 100_000, 400))
    monkeypatch.setattr(gates.time, "monotonic", lambda: float(next(times)))
    monkeypatch.setattr(gates.time, "sleep", lambda _: cloud.works.clear())
    cloud.works["controller1"] = ["db1 (PENDING_UPDATE)"]
    gates.wait_for_work(model, members, "compute1", master.ports())
    assert cloud.asked_of == set()
    gates.wait_for_work(model, members, "controller1", master.ports())
    assert cloud.asked_of == {kind} and cloud.works == {}


def test_one_that_waits_is_asked_now_and_then_and_keeps_none_back_that_is_away():
    now, asked, error = [0.0], [], RolloutError("BARE_METAL_BUSY", "x")
    gate = Gate(lambda node: asked.append(node) or error, lambda _: 10.0, lambda: now[0])
    for now[0] in range(12):
        assert gate(["b"], ["a"]) == 1  # one that is away may be what it waits for
    assert len(asked) == 3
    now[0] = 20.0
    with pytest.raises(RolloutError):
        gate([], ["a"])
