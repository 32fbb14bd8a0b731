"""A stage in rounds: each service over all controllers before the next; a round that fails ends it."""

from __future__ import annotations

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout import dry_run
from openstack_rollout.rollout.fleet import StepResult
from openstack_rollout.screens import tables
from tests.unit.simulated_fleet import Cloud, Master, SimulatedFleet

SERVICES = {"bus": True, "database": True, "api": False, "scheduler": False}
ROUNDS = ["bus", "database", "api…"]


class Controllers(Cloud):
    """Three controllers whose control plane is four containers."""

    def __init__(self):
        super().__init__(controller=3)
        self.openstack["service_types"] = {
            name: {
                "image": f"{name}_image", "container": name, "roles": ["controller"], "enabled": True,
                "stage": "control_plane", "order": number, "alone": alone,
            }
            for number, (name, alone) in enumerate(SERVICES.items())
        }  # fmt: skip
        for version, release in self.openstack["releases"].items():
            release["images"] = {f"{name}_image": self.image(name, version) for name in SERVICES}
        self.done = {name: set() for name in self.nodes}
        self.told, self.fails = [], {}

    def facts_of(self, name):
        at = {service: "1.0.1" if service in self.done[name] else "1.0.0" for service in SERVICES}
        containers = {
            service: {
                "running": True, "healthy": True, "image_id": version, "labels": {},
                "digests": [self.image(service, version).rpartition("@")[2]], "unit": f"{service}.service",
            }
            for service, version in at.items()
        }  # fmt: skip
        return super().facts_of(name) | {"containers": containers, "managed": list(containers)}

    @staticmethod
    def image(service, version):
        number = list(SERVICES).index(service)
        return f"registry.example/{service}@sha256:{f'{number}{version[-1]}'.ljust(64, '0')}"


class Fleet(SimulatedFleet):
    def start(self, node, step, stage, jid, silence, *, context):
        if (stage, step) != ("control_plane", "apply"):
            super().start(node, step, stage, jid, silence, context=context)
            return
        services = context.services
        self.cloud.told.append((node, services))
        if self.cloud.fails.get(node) in services:
            self._push(1.0, StepResult(node, jid, False, "QUORUM_NOT_RESTORED", f"{node} is not back"))
            return
        self.cloud.done[node] |= set(services)
        super().start(node, step, stage, jid, silence, context=context)


@pytest.fixture
def cloud():
    return Controllers()


@pytest.fixture
def master(cloud, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.unit.simulated_fleet.SimulatedFleet", Fleet)
    return Master(cloud, tmp_path)


def test_each_round_goes_over_all_controllers_one_at_a_time(cloud, master):
    master.update()
    nodes = ["controller1", "controller2", "controller3"]
    groups = [("bus",), ("database",), ("api", "scheduler")]
    assert cloud.told == [(node, services) for services in groups for node in nodes]
    events = [data for _, data in cloud.events if data["stage"] == "control_plane" and data["node"] != "-"]
    assert list(dict.fromkeys(data["round"] for data in events)) == ROUNDS
    assert max(data["in_flight"] for data in events) == 1
    assert master.run.state == "completed" and master.run.stage["control_plane"].counts == {"done": 3}


def test_a_round_that_fails_starts_no_other_and_goes_on_from_there(cloud, master):
    cloud.fails["controller2"] = "database"
    with pytest.raises(RolloutError, match=r"^QUORUM_NOT_RESTORED: controller2"):
        master.update()
    assert cloud.told[-1] == ("controller2", ("database",)) and len(cloud.told) == 5
    cloud.fails.clear()
    cloud.told.clear()
    master.update()
    assert cloud.told[:2] == [("controller2", ("database",)), ("controller3", ("database",))]
    assert master.run.state == "completed"


def test_a_node_that_is_done_with_a_round_is_not_in_it(cloud, master):
    cloud.done["controller1"] = {"bus", "database"}
    master.update()
    assert [services for node, services in cloud.told if node == "controller1"] == [("api", "scheduler")]


def test_clusters_are_asked_before_anything_is_touched(cloud, master, monkeypatch):
    asked = []

    def refuse(nodes):
        asked.append(list(nodes))
        raise RolloutError("QUORUM_AT_RISK", "mariadb: 10.88.0.13 does not answer", nodes)

    ports = master.ports
    monkeypatch.setattr(master, "ports", lambda: _with(ports(), refuse))
    with pytest.raises(RolloutError, match=r"^QUORUM_AT_RISK"):
        master.update()
    assert asked == [["controller1", "controller2", "controller3"]]
    assert cloud.told == [] and master.run is None


def test_the_plan_refuses_what_the_update_refuses_and_touches_nothing(cloud, master, monkeypatch):
    def refuse(nodes):
        raise RolloutError("QUORUM_AT_RISK", f"mariadb of {', '.join(nodes)} is not whole", nodes)

    cloud.openstack["service_types"]["database"]["guard"] = "galera"
    facts = cloud.facts_of
    begun = {"controller2": ["database"]}  # a change that died; asking the member would put it right
    monkeypatch.setattr(cloud, "facts_of", lambda name: facts(name) | {"pending": begun.get(name, [])})
    data = dry_run.dry_run(cloud.model, _with(master.ports(), refuse), lambda nodes, stage: {})
    assert data["refused"] == "QUORUM_AT_RISK: mariadb of controller1, controller3 is not whole"
    assert data["remedy"] in tables.text(data) and master.run is None


def _with(ports, clusters):
    ports.clusters = clusters
    return ports
