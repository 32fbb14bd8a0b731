"""A survey of a machine on which the deployers' own code ran: all is mapped, its release is deployed."""

from __future__ import annotations

import json

import pytest
import yaml

from openstack_rollout.declared import deployed as schema
from tests.lab import operator
from tests.lab.deployers import edpm_stand_in, kolla, release, tripleo, unknown

from .conftest import NAME

BY = {
    tripleo: ("keystone", "logrotate_crond"),
    kolla: ("neutron_ovn_metadata_agent",),
    edpm_stand_in: ("nova_compute_init", "nova_compute", "ovn_controller", "node_exporter"),
}
ONCE = "nova_compute_init"  # which leaves a unit, and no container
OWNERS = {tripleo: "tripleo", kolla: "kolla", edpm_stand_in: "edpm"}
CARRIERS = {tripleo: "podman_command", kolla: "podman_api", edpm_stand_in: "foreign_quadlet"}
FOREIGN = "placement_api"
MASKED = "tripleo_nova_compute.service"
SECRET = "correct-horse"
GLOBS = "[edpm_*.service, tripleo_*.service, kolla-*-container.service]"


@pytest.fixture(scope="module")
def installed(machine):
    """The machine with three installers on it, a stranger's container, and a unit that is masked."""
    for deployer, names in BY.items():
        services = {name: deployer.SERVICES[name] for name in names}
        deployer.deploy(machine.lab, NAME, services, release("1.0.0"))
    unknown.deploy(machine.lab, NAME, FOREIGN, release("1.0.0")("placement_api_image"))
    machine.exec(["ln", "-sf", "/dev/null", f"/etc/systemd/system/{MASKED}"])
    machine.exec(["systemctl", "daemon-reload"])
    secret = f"OS_PASSWORD={SECRET}"
    image = release("1.0.0")("edpm_node_exporter_image")
    machine.exec(["podman", "create", "--name", "web", "--env", secret, "--label", secret, image, SECRET])
    machine.call("saltutil.sync_all")
    return machine


def survey(node, *arguments: str) -> dict:
    """salt-run rollout.survey as data."""
    done = node.lab.master(["salt-run", "rollout.survey", *arguments, "--out=json"], check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_node_tells_every_container_with_its_unit_and_no_secret(installed):
    told = installed.call("deployed.report", f"units={GLOBS}")
    assert SECRET not in json.dumps(told) and told["trouble"] == []
    found = schema.read(NAME, told)
    assert set(found.containers) == set(
        installed.out(["podman", "ps", "-a", "--format", "{{.Names}}"]).split()
    )
    for deployer, names in BY.items():
        for name in set(names) - {ONCE}:
            one = found.containers[name]
            assert (one.unit, one.carrier) == (deployer.unit(name), CARRIERS[deployer]), name
    assert found.containers[FOREIGN].unit == unknown.UNIT
    assert found.units[MASKED].load == "masked"
    assert found.units[edpm_stand_in.unit(ONCE)].type == "oneshot"


def test_every_container_is_mapped_or_named(installed):
    node = survey(installed)["nodes"][NAME]
    containers = node["containers"]
    owners = {name: OWNERS[deployer] for deployer, names in BY.items() for name in names if name != ONCE}
    assert {name: one["deployer"] for name, one in containers.items()} == {
        **owners,
        FOREIGN: "other",
        "web": "other",
    }
    kinds = {name: one["kind"] for name, one in containers.items() if one["kind"] != "service"}
    assert kinds == {FOREIGN: "foreign", "web": "unknown"}
    assert set(node["installers"]) == set(OWNERS.values())
    assert {one["unit"]: one["trouble"] for one in node["units"]} == {MASKED: "masked"}


def test_with_the_pillar_that_it_writes_the_release_as_found_is_deployed(installed):
    before = installed.started()
    page = installed.lab.pillar.place / "openstack" / "init.sls"
    page.unlink()
    found = survey(installed, "nodes=*", f"output={installed.lab.pillar.place}")
    assert [path.rpartition("/")[2] for path in found["written"]] == ["init.sls", "0_0_1.sls"]
    said = yaml.safe_load(page.read_text())["openstack"]
    assert FOREIGN not in {one.get("container") for one in said["services"].values()}
    status = operator.status(installed.lab)
    assert (status["target"], status["deployed"]) == ("0.0.1", "0.0.1"), status["nodes"][NAME]
    assert not any(stage["rounds"] for stage in operator.plan(installed.lab)["stages"])
    again = installed.lab.master(
        ["salt-run", "rollout.survey", f"output={installed.lab.pillar.place}"], check=False
    )
    assert again.returncode == 2 and "nothing is overwritten" in again.stdout
    assert installed.started() == before
