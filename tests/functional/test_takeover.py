"""Containers that others deployed, on a real machine: their image changes alone, nothing foreign is lost."""

from __future__ import annotations

import json

import pytest

from tests.lab.deployers import edpm_stand_in, kolla, release, tripleo, unknown

from .conftest import NAME

ONE_SHOT = "nova_compute_init"
DEPLOYED = {
    tripleo: ("frr", "logrotate_crond"),
    kolla: ("nova_compute", "neutron_ovn_metadata_agent"),
    edpm_stand_in: ("ovn_controller", "node_exporter", ONE_SHOT),
}
STRANGER = "kepler"
#: one container of each way in which containers are run, its service, and the key of its image
WAYS = {
    "quadlet": ("node_exporter", "node-exporter", "edpm_node_exporter_image"),
    "command line": ("logrotate_crond", "logrotate-crond", "edpm_logrotate_crond_image"),
    "API": ("nova_compute", "nova", "nova_compute_image"),
}
SERVICES = {
    "frr": {"enabled": True},
    "logrotate-crond": {"enabled": True},
    "neutron-metadata": {"container": "neutron_ovn_metadata_agent"},
    "kepler": {"enabled": True},
    "init": {
        "image": "nova_compute_image",
        "container": ONE_SHOT,
        "roles": ["compute"],
        "stage": "services",
        "one_shot": True,
        "enabled": True,
    },
    # deployed by nobody here
    "ceilometer-compute": {"enabled": True},
}
CONTAINERS = [name for names in DEPLOYED.values() for name in names if name != ONE_SHOT]


@pytest.fixture(scope="module")
def taken(machine):
    """The machine with services of three deployers and of a stranger, declared as found at release 1.0.0."""
    for deployer, names in DEPLOYED.items():
        deploy(machine, deployer, names, "1.0.0")
    unknown.deploy(machine.lab, NAME, STRANGER, release("1.0.0")("edpm_kepler_image"))
    machine.call("saltutil.sync_all")
    declare(machine, "1.0.0")
    before = machine.started()
    machine.converge()  # the packages of the release
    assert machine.started() == before
    return machine


def deploy(node, deployer, names, version: str) -> str:
    services = {name: deployer.SERVICES[name] for name in names}
    return deployer.deploy(node.lab, NAME, services, release(version))


def declare(node, version: str, **images: str) -> None:
    """The operator's page: every service found, at a release, with other images where given."""
    services = SERVICES | {service: SERVICES.get(service, {}) for _, service, _ in WAYS.values()}
    services |= {
        service: services[service] | {"health": {"timeout": 15}}
        for _, service, key in WAYS.values()
        if key in images
    }
    defaults = {"definition": "found"}
    node.edit(target_version=version, services=services, service_defaults=defaults, custom_images=images)


def told(node, container: str) -> dict:
    """What podman tells of a container but its image, ids and times, and what the image says itself."""
    found = json.loads(node.out(["podman", "container", "inspect", container]))[0]
    image = json.loads(node.out(["podman", "image", "inspect", found["Image"]]))[0]["Config"]
    text = json.dumps(found).replace(found["Id"], "ID")
    found = json.loads(text.replace(found["Image"], "IMAGE").replace(found["ImageName"], "NAME"))
    for key in ("Created", "State", "ImageDigest", "lockNumber", "CreateCommand"):
        found.pop(key, None)
        found["Config"].pop(key, None)
    layers = found["GraphDriver"]["Data"]
    found["GraphDriver"] = {"Name": found["GraphDriver"]["Name"], "keys": sorted(layers)}
    found["Config"]["Env"] = sorted(set(found["Config"]["Env"]) - set(image["Env"]))
    labels = image.get("Labels") or {}
    found["Config"]["Labels"] = {
        key: value for key, value in found["Config"]["Labels"].items() if labels.get(key) != value
    }
    found["Mounts"] = sorted(found["Mounts"], key=lambda mount: mount["Destination"])
    found["HostConfig"]["Binds"] = sorted(found["HostConfig"]["Binds"] or ())
    return found


def units(node) -> dict[str, str]:
    """Every unit file and quadlet of the machine, without the lines that name an image."""
    places = ["/etc/systemd/system", "/etc/containers/systemd"]
    listing = node.out(["find", *places, "-type", "f"]).splitlines()
    return {
        path: "\n".join(
            line for line in node.out(["cat", path]).splitlines() if not line.startswith("Image=")
        )
        for path in listing
    }


def one_shot(node) -> str:
    """When the one-shot was started last."""
    question = "--property=ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic"
    return node.out(["systemctl", "show", f"edpm_{ONE_SHOT}", question])


def all_told(node) -> dict[str, dict]:
    return {name: told(node, name) for name in CONTAINERS}


def test_the_release_as_found_changes_nothing(taken):
    before, files = taken.started(), units(taken)
    assert set(before) == {*CONTAINERS, STRANGER}
    stages = "openstack.prefetch,openstack.ovn,openstack.services"
    assert taken.predict(stages) == set() == taken.converge(stages)
    assert taken.started() == before and units(taken) == files
    status = taken.status()
    assert status["deployed"] == "1.0.0" and status["differences"] == {} and status["health"] == []
    kinds = {(note["kind"], note["subject"]) for note in status["notes"]}
    assert {("foreign", STRANGER), ("not_here", "ceilometer_agent_compute")} <= kinds


def test_a_release_moves_the_image_and_nothing_else(taken):
    before, files, digests = all_told(taken), units(taken), {n: taken.digest(n) for n in CONTAINERS}
    declare(taken, "1.0.1")
    expected = {f"services container {name}" for name in CONTAINERS if name != "ovn_controller"}
    expected |= {"ovn container ovn_controller", f"services container {ONE_SHOT}"}
    ran = one_shot(taken)
    assert {one for one in taken.predict("openstack.ovn,openstack.services") if "cont" in one} == expected
    assert {one for one in taken.converge("openstack.ovn,openstack.services") if "cont" in one} == expected
    for name in CONTAINERS:
        assert taken.digest(name) != digests[name], name
        after = told(taken, name)
        assert after == before[name], [key for key in after if after[key] != before[name].get(key)]
    assert units(taken) == files
    assert one_shot(taken) == ran
    quadlet = taken.out(["cat", f"/etc/containers/systemd/edpm_{ONE_SHOT}.container"])
    assert f"Image={taken.releases['1.0.1']['images']['nova_compute_image']}" in quadlet
    assert set(taken.out(["podman", "ps", "--all", "--format", "{{.Names}}"]).split()) == {
        *CONTAINERS,
        STRANGER,
    }
    assert taken.predict("openstack.ovn,openstack.services") == set()


@pytest.mark.parametrize("image", ["broken", "unhealthy"])
@pytest.mark.parametrize("way", WAYS)
def test_an_image_that_fails_gives_way_to_what_ran_before(taken, way, image):
    name, _, key = WAYS[way]
    before, digest, files = told(taken, name), taken.digest(name), units(taken)
    declare(taken, "1.0.1", **{key: taken.images[image]})
    comment = taken.failure("openstack.services")
    assert comment.startswith(("CONTAINER_EXITED", "CONTAINER_UNHEALTHY")[image == "unhealthy"])
    assert f"{name} runs its previous image again" in comment
    assert (taken.digest(name), told(taken, name), units(taken)) == (digest, before, files)
    assert set(taken.started()) == {*CONTAINERS, STRANGER}
    declare(taken, "1.0.1")
    assert taken.predict("openstack.services") == set()
