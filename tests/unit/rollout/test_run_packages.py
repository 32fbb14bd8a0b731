"""One cloud, both kinds: controllers whose services are packages, computes and gateways with containers."""

from __future__ import annotations

import pytest

from openstack_rollout.rollout import dry_run
from openstack_rollout.rollout.fleet import StepResult
from tests.lab.agreement import assert_agreed
from tests.unit.simulated_fleet import DRAIN, VERSIONS, Cloud, Master, SimulatedFleet

#: service → whether it is alone, its unit, its guard; identity and placement are of one unit
SERVICES = {
    "bus": (True, "bus", "rabbitmq_cluster"),
    "identity": (True, "httpd", "pacemaker"),
    "images": (False, "images", "pacemaker"),
    "placement": (False, "httpd", "pacemaker"),
}
ROUNDS = [("bus",), ("identity", "placement"), ("images",)]


class BothKinds(Cloud):
    """Three controllers of packages, and a data plane of containers that are ours."""

    def __init__(self, family="RedHat"):
        super().__init__(controller=3, gateway=1, compute=2)
        self.family = family
        del self.openstack["service_types"]["control_plane"]
        for number, (name, (alone, unit, guard)) in enumerate(SERVICES.items()):
            self.openstack["service_types"][name] = {
                "deploy": "package", "packages": {family: [name]}, "units": {family: [unit]}, "alone": alone,
                "guard": guard, "roles": ["controller"], "stage": "control_plane", "order": number,
                "enabled": True,
            }  # fmt: skip
        for version in VERSIONS:
            release = self.openstack["releases"][version]
            release["images"].pop("control_plane_image")
            release["packages"] |= dict.fromkeys(SERVICES, version)
        self.versions = {name: dict.fromkeys(SERVICES, "1.0.0") for name in self.nodes}
        self.told = []

    def facts_of(self, name):
        found = super().facts_of(name) | {"os_family": self.family}
        found["containers"].pop("control_plane", None)
        found["managed"] = list(found["containers"])
        if self.nodes[name].role != "controller":
            return found
        found["packages"] |= {one: [version] for one, version in self.versions[name].items()}
        units = {one: {f"{unit}.service": "active"} for one, (_, unit, _) in SERVICES.items()}
        found["packaged"] = {one: {"here": True, "units": units[one], "stale": []} for one in SERVICES}
        return found


class Fleet(SimulatedFleet):
    def start(self, node, step, stage, jid, silence, *, context):
        if (stage, step) == ("control_plane", "apply"):
            self.cloud.told.append((node, context.services))
            for one in context.services:
                self.cloud.versions[node][one] = "1.0.1"
            self._push(1.0, StepResult(node, jid, True, "", ""))
            return
        super().start(node, step, stage, jid, silence, context=context)


@pytest.fixture
def master(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.unit.simulated_fleet.SimulatedFleet", Fleet)
    return lambda cloud: Master(cloud, tmp_path)


def test_packages_and_containers_are_updated_in_one_run_as_planned(master):
    cloud = BothKinds()
    one = master(cloud)
    planned = dry_run.dry_run(cloud.model, one.ports(), lambda nodes, stage: {})
    assert one.update()["state"] == "completed"
    nodes = ["controller1", "controller2", "controller3"]
    assert cloud.told == [(node, services) for services in ROUNDS for node in nodes]
    events = [event for _, event in cloud.events if event["step"] not in ("run", "stage")]
    assert_agreed(planned, events)
    stages = [event["stage"] for event in events if event["status"] == "started" and event["step"] == "apply"]
    assert list(dict.fromkeys(stages)) == ["ovn", "control_plane", "services", "ovs", "system"]
    assert {cloud.nodes[f"compute{n}"].at["services"] for n in (1, 2)} == {"1.0.1"}
    assert one.update()["state"] == "completed" and len(cloud.told) == 9  # nothing is left


def test_a_round_of_a_shared_unit_goes_on_where_it_ended(master):
    cloud = BothKinds()
    cloud.versions["controller1"] = dict.fromkeys(SERVICES, "1.0.1")
    cloud.versions["controller2"] |= {"bus": "1.0.1", "identity": "1.0.1"}
    master(cloud).update()
    assert ("controller2", ROUNDS[1]) in cloud.told  # for what is left of it
    assert "controller1" not in [node for node, _ in cloud.told]


@pytest.mark.parametrize("depth", ["upgrade", "dist_upgrade"])
def test_a_cloud_of_opencontrail_without_any_gateway_is_planned_and_updated(tmp_path, depth):
    cloud = Cloud(controller=1, compute=2)
    cloud.openstack |= {"opencontrail": True, "system": {"depth": depth}}
    cloud.policy("compute", drain=DRAIN)
    one = Master(cloud, tmp_path)
    planned = dry_run.dry_run(cloud.model, one.ports(), lambda nodes, stage: {})
    assert not planned.get("refused") and "gateway" not in str(planned["stages"])
    assert one.update()["state"] == "completed"
    assert {node.at["system"] for node in cloud.nodes.values()} == {"1.0.1"}
