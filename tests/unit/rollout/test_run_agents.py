"""Agents that are packages tell OpenStack of themselves before their node counts as updated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openstack_rollout.errors import RolloutError
from tests.unit.simulated_fleet import DRAIN, VERSIONS, Cloud, Master, refusal


class Packaged(Cloud):
    """Computes whose nova-compute is a package, beside their container of the services stage."""

    def __init__(self, **nodes):
        super().__init__(**nodes)
        names = {family: ["nova"] for family in ("RedHat", "Debian")}
        self.openstack["service_types"]["nova"] = {
            "deploy": "package",
            "packages": names,
            "units": names,
            "agent": "nova-compute",
            "roles": ["compute"],
            "stage": "services",
            "enabled": True,
        }
        for version in VERSIONS:
            self.openstack["releases"][version]["packages"]["nova"] = version
        self.units = {"nova.service": "active"}

    def facts_of(self, name):
        found = super().facts_of(name)
        if self.nodes[name].role != "compute":
            return found
        packages = {**found["packages"], "nova": [self.nodes[name].at["services"]]}
        told = {"nova": {"here": True, "units": dict(self.units), "stale": []}}
        return {**found, "packages": packages, "packaged": told}


class Watched(Master):
    """Who was asked about which agents, and who does not tell of itself."""

    def __init__(self, cloud, place):
        super().__init__(cloud, place)
        self.asked, self.silent = [], set()

    def agents(self, model, node, binaries, seconds):
        self.asked.append((node, tuple(binaries), seconds))
        if node in self.silent:
            raise RolloutError("SERVICE_FAILED", f"{node}: no heartbeat of nova-compute", [node])
        return "nova-compute: alive"

    def ports(self):
        return replace(super().ports(), agents=self.agents)


@pytest.fixture
def master(tmp_path):
    cloud = Packaged(controller=1, gateway=1, compute=2)
    cloud.policy("compute", drain=DRAIN)
    return Watched(cloud, tmp_path)


def steps(master, node, stage):
    return [one.step for one in master.journal.node(master.run.id, node).history if one.stage == stage]


def test_openstack_is_asked_after_the_restart_and_before_the_proof(master):
    master.update()
    assert master.asked == [("compute1", ("nova-compute",), 270.0), ("compute2", ("nova-compute",), 270.0)]
    assert [
        step for step in steps(master, "compute1", "services") if step in ("apply", "heartbeat", "verify")
    ] == [
        "apply",
        "heartbeat",
        "verify",
    ]
    assert "heartbeat" not in steps(master, "compute1", "ovs") + steps(master, "gateway1", "services")


def test_an_agent_that_does_not_tell_of_itself_pauses_the_run_with_its_node(master):
    master.silent = {"compute1"}
    said = refusal(master.update)
    assert said.reason == "SERVICE_FAILED" and said.nodes == ("compute1",) and "compute1" in said.message
    assert [node for node, *_ in master.asked] == ["compute1"]


def test_an_agent_that_an_operator_switched_off_is_not_waited_for(master):
    master.cloud.units = {"nova.service": "masked"}
    master.update()
    assert master.asked == []


def test_a_cloud_whose_drains_never_speak_to_openstack_is_not_asked(tmp_path):
    master = Watched(Packaged(controller=1, compute=1), tmp_path)
    master.update()
    assert master.asked == []


def test_a_run_that_goes_on_asks_again_for_those_that_were_silent(master):
    master.silent = {"compute1"}
    refusal(master.update)
    assert refusal(master.update).reason == "SERVICE_FAILED"  # its packages are at the release by now
    master.silent = set()
    master.update()
    assert [node for node, *_ in master.asked] == ["compute1", "compute1", "compute1", "compute2"]


def test_an_agent_that_was_switched_off_since_is_not_asked_for_again(master):
    master.silent = {"compute1"}
    refusal(master.update)
    master.cloud.units = {"nova.service": "disabled"}
    master.update()
    assert len(master.asked) == 1
