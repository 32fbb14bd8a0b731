"""A survey of a machine on which the deployers' own code ran: all is mapped, its release is deployed."""

from __future__ import annotations

import json

import yaml

from openstack_rollout.declared import deployed as schema
from tests.functional.conftest import NAME
from tests.lab import operator
from tests.lab.deployers import edpm_stand_in, kolla, tripleo, unknown

from .conftest import BY, FOREIGN, MASKED, ONE_SHOT, SECRET

OWNERS = {tripleo: "tripleo", kolla: "kolla", edpm_stand_in: "edpm"}
CARRIERS = {tripleo: "podman_command", kolla: "podman_api", edpm_stand_in: "foreign_quadlet"}
GLOBS = "[edpm_*.service, tripleo_*.service, kolla-*-container.service]"


def survey(node, *arguments: str) -> dict:
    """salt-run rollout.survey as data."""
    done = node.lab.master(["salt-run", "rollout.survey", *arguments, "--out=json"], check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_node_tells_every_container_with_its_unit_and_no_secret(deployed):
    told = deployed.call("deployed.report", f"units={GLOBS}")
    assert SECRET not in json.dumps(told) and told["trouble"] == []
    found = schema.read(NAME, told)
    assert set(found.containers) == set(
        deployed.out(["podman", "ps", "-a", "--format", "{{.Names}}"]).split()
    )
    for deployer, names in BY.items():
        for name in set(names) - {ONE_SHOT}:
            one = found.containers[name]
            assert (one.unit, one.carrier) == (deployer.unit(name), CARRIERS[deployer]), name
    assert found.containers[FOREIGN].unit == unknown.UNIT
    assert found.units[MASKED].load == "masked"
    assert found.units[edpm_stand_in.unit(ONE_SHOT)].type == "oneshot"


def test_every_container_is_mapped_or_named(deployed):
    node = survey(deployed)["nodes"][NAME]
    containers = node["containers"]
    owners = {name: OWNERS[deployer] for deployer, names in BY.items() for name in names if name != ONE_SHOT}
    assert {name: one["deployer"] for name, one in containers.items()} == {
        **owners,
        FOREIGN: "other",
        "web": "other",
    }
    kinds = {name: one["kind"] for name, one in containers.items() if one["kind"] != "service"}
    assert kinds == {FOREIGN: "foreign", "web": "unknown", "neutron_ovn_vpn_agent": "unknown"}
    assert set(node["installers"]) == set(OWNERS.values())
    assert {one["unit"]: one["trouble"] for one in node["units"]} == {MASKED: "masked"}


def test_with_the_pillar_that_it_writes_the_release_as_found_is_deployed(deployed):
    before = deployed.started()
    page = deployed.lab.pillar.place / "openstack" / "init.sls"
    page.unlink()
    found = survey(deployed, "nodes=*", f"output={deployed.lab.pillar.place}")
    assert [path.rpartition("/")[2] for path in found["written"]] == ["init.sls", "0_0_1.sls"]
    said = yaml.safe_load(page.read_text())["openstack"]
    assert FOREIGN not in {one.get("container") for one in said["services"].values()}
    status = operator.status(deployed.lab)
    assert (status["target"], status["deployed"]) == ("0.0.1", "0.0.1"), status["nodes"][NAME]
    assert not any(stage["rounds"] for stage in operator.plan(deployed.lab)["stages"])
    again = deployed.lab.master(
        ["salt-run", "rollout.survey", f"output={deployed.lab.pillar.place}"], check=False
    )
    assert again.returncode == 2 and "nothing is overwritten" in again.stdout
    assert deployed.started() == before
