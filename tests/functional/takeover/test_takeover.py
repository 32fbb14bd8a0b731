"""Containers that others deployed, on a real machine: their image changes alone, nothing foreign is lost."""

from __future__ import annotations

import pytest

from tests.functional.conftest import NAME
from tests.lab import images
from tests.lab.deployers import kolla, release
from tests.lab.deployers.inspection import told, units

from .conftest import CONTAINERS, FOREIGN, ONE_SHOT, called, deploy

OWN = {"roles": ["compute"], "stage": "services", "enabled": True, "guard": "none"}
#: every service of the machine, as the operator's page has it; some are on controllers elsewhere
SERVICES = {
    "memcached": OWN,
    "keystone": OWN,
    "cinder-volume": OWN,
    "logrotate-crond": {"enabled": True},
    "cron": {"image": "edpm_logrotate_crond_image", "container": "cron", **OWN},
    "neutron-ovn": {"container": "neutron_ovn_vpn_agent", "roles": ["compute"]},
    "neutron-metadata": {"container": "neutron_ovn_metadata_agent"},
    "init": {"image": "nova_compute_image", "container": ONE_SHOT, "one_shot": True, **OWN},
    "frr": {"enabled": True},
    "placement": OWN,  # a stranger's
    "ceilometer-compute": {"enabled": True},  # nobody's
}
#: one container of each way in which containers are run, its service, and the key of its image
WAYS = {
    "quadlet": ("node_exporter", "node-exporter", "edpm_node_exporter_image"),
    "command line": ("keystone", "keystone", "keystone_api_image"),
    "API": ("neutron_ovn_metadata_agent", "neutron-metadata", "edpm_neutron_metadata_agent_image"),
}
STAGES = "openstack.ovn,openstack.services"
MOVED = {"services container " + name for name in (*CONTAINERS, ONE_SHOT) if name != "ovn_controller"} | {
    "ovn container ovn_controller"
}


@pytest.fixture(scope="module")
def taken(deployed):
    """The machine, its services declared as found at release 1.0.0, and the packages of that release."""
    for release_file in deployed.lab.pillar.place.glob("openstack/releases/0_*.sls"):
        release_file.unlink()
    declare(deployed, "1.0.0")
    before = deployed.started()
    deployed.converge()
    assert deployed.started() == before
    return deployed


def declare(node, version: str, **images: str) -> None:
    """The operator's page: every service found, at a release, with other images where given."""
    services = {name: dict(entry) for name, entry in SERVICES.items()}
    for _, service, key in WAYS.values():
        if key in images:
            services.setdefault(service, {})["health"] = {"timeout": 15}
    defaults = {"definition": "found"}
    node.edit(target_version=version, services=services, service_defaults=defaults, custom_images=images)


def containers(states: set[str]) -> set[str]:
    """Those of the states that are about containers."""
    return {state for state in states if " container " in state}


def there(node) -> set[str]:
    """The names of all containers, running or not."""
    return set(node.out(["podman", "ps", "--all", "--format", "{{.Names}}"]).split())


def one_shot(node) -> str:
    """When the one-shot was started last."""
    question = "--property=ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic"
    return node.out(["systemctl", "show", f"edpm_{ONE_SHOT}", question])


def all_told(node) -> dict[str, dict]:
    return {name: told(node.out, name) for name in CONTAINERS}


def test_the_release_as_found_changes_nothing(taken):
    before, files, names = taken.started(), units(taken.out), there(taken)
    assert containers(taken.predict()) == set() == containers(taken.converge())
    assert (taken.started(), units(taken.out), there(taken)) == (before, files, names)
    status = taken.status()
    assert (status["deployed"], status["differences"], status["health"]) == ("1.0.0", {}, [])
    assert f"container {FOREIGN}: left alone, how it is run is not known here" in status["notes"]
    assert "container ceilometer_agent_compute: is not on this node" in status["notes"]


def test_a_release_moves_the_image_and_nothing_else(taken):
    before, files, digests = (
        all_told(taken),
        units(taken.out),
        {name: taken.digest(name) for name in CONTAINERS},
    )
    ran, names, stranger = one_shot(taken), there(taken), taken.started()[FOREIGN]
    declare(taken, "1.0.1")
    assert containers(taken.predict(STAGES)) == MOVED == containers(taken.converge(STAGES))
    for name in CONTAINERS:
        assert taken.digest(name) != digests[name], name
        after = told(taken.out, name)
        assert after == before[name], [key for key in after if after[key] != before[name].get(key)]
    assert (units(taken.out), one_shot(taken), there(taken)) == (files, ran, names)
    quadlet = taken.out(["cat", f"/etc/containers/systemd/edpm_{ONE_SHOT}.container"])
    assert f"Image={taken.releases['1.0.1']['images']['nova_compute_image']}" in quadlet
    assert taken.started()[FOREIGN] == stranger
    assert containers(taken.predict(STAGES)) == set()


@pytest.mark.parametrize(
    ("way", "image"),
    # SUITE=takeover has an image that exits at once for each way
    [pytest.param("quadlet", "broken", marks=pytest.mark.long), ("command line", "unhealthy")],
)
def test_an_image_that_fails_gives_way_to_what_ran_before(taken, way, image):
    name, _, key = WAYS[way]
    before, digest, files, names = told(taken.out, name), taken.digest(name), units(taken.out), there(taken)
    declare(taken, "1.0.1", **{key: taken.images[image]})
    comment = taken.failure("openstack.services")
    assert comment.startswith({"broken": "CONTAINER_EXITED", "unhealthy": "CONTAINER_UNHEALTHY"}[image])
    assert f"{name} runs its previous image again" in comment
    assert (taken.digest(name), told(taken.out, name)) == (digest, before)
    assert (units(taken.out), there(taken)) == (files, names) and name in taken.started()
    declare(taken, "1.0.1")
    assert containers(taken.predict("openstack.services")) == set()


@pytest.mark.long  # SUITE=takeover kills the minion there, for each way
@pytest.mark.parametrize("way", ["command line"])
def test_a_run_that_is_killed_in_mid_takeover_is_mended_by_the_next(taken, way):
    name, _, key = WAYS[way]
    record, names = f"/var/lib/openstack-rollout/replacements/{name}.json", there(taken)
    old = taken.releases["1.0.0"]["images"][key]
    declare(taken, "1.0.1", **{key: old})
    run = ["systemd-run", "--unit=killed", "--collect", "salt-call", "state.apply", "openstack.services"]
    taken.exec(run)
    kill = f"until [ -e {record} ]; do :; done; systemctl kill --signal=SIGKILL killed"
    taken.exec(["timeout", "180", "sh", "-c", kill])
    assert len({one for one in taken.started() if one.startswith(name)}) <= 1
    assert taken.status()["differences"]["services"] != []
    taken.converge("openstack.services")
    assert (taken.digest(name), there(taken)) == (old.partition("@")[2], names) and name in taken.started()
    assert taken.exec(["test", "-e", record], check=False).returncode != 0
    declare(taken, "1.0.1")
    taken.converge("openstack.services")


@pytest.mark.long  # SUITE=takeover has the next run of each deployer
@pytest.mark.parametrize("deployer", [kolla], ids=called)
def test_the_deployers_next_run_at_the_old_release_is_told(taken, deployer):
    """What an operator sees who goes on to use the deployer's tool without telling it of the release."""
    name = "cron"
    digest = taken.digest(name)
    print(deploy(taken, deployer, "1.0.0", name)[-400:])
    assert taken.digest(name) != digest  # it puts its own image back
    assert [one["subject"] for one in taken.status()["differences"]["services"]] == [name]
    # told of the release, it agrees
    services = {name: deployer.SERVICES[name]}
    new = release("1.0.1")
    deployer.deploy(taken.lab, NAME, services, new)
    assert taken.digest(name) == digest and "services" not in taken.status()["differences"]
    assert images.repository(services[name]["image"]) in new(services[name]["image"])
    before = taken.started()
    assert containers(taken.converge("openstack.services")) == set() and taken.started() == before
