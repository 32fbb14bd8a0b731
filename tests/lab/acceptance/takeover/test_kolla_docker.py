"""What kolla-ansible's own code deployed with docker, its default engine, is taken over, and it agrees."""

from __future__ import annotations

import json

import pytest

from tests.functional.conftest import NAME, booted
from tests.lab.acceptance.takeover.test_docker import Docker, at_image
from tests.lab.deployers import kolla, release

SERVICES = {name: kolla.SERVICES[name] for name in ("cron", "neutron_ovn_metadata_agent")}


@pytest.fixture(scope="module")
def docker():
    """A machine on which kolla-ansible deployed the services of release 1.0.0 with docker."""
    with booted() as node:
        node.call("saltutil.sync_all")
        node.edit()
        node.exec(["systemctl", "start", "docker.service"])
        print(kolla.deploy(node.lab, NAME, SERVICES, release("1.0.0"), engine="docker")[-400:])
        yield Docker(node)


def image(docker, name, version):
    return docker.node.releases[version]["images"][SERVICES[name]["image"]]


def test_each_is_run_by_docker_under_kollas_unit(docker):
    told = docker.node.call("docker_container.carried")
    assert {name: one["unit"] for name, one in told.items()} == {name: kolla.unit(name) for name in SERVICES}
    assert {name: docker.version(name) for name in SERVICES} == dict.fromkeys(SERVICES, "1.0.0")


@pytest.mark.parametrize("name", SERVICES)
def test_the_image_moves_and_nothing_else(docker, name):
    before, first = docker.deployed(name), docker.inspect(name)["Id"]
    unit = docker.node.out(["cat", f"/etc/systemd/system/{kolla.unit(name)}"])
    assert at_image(docker.node, name, image(docker, name, "1.0.0"))["changes"] == {}
    assert docker.inspect(name)["Id"] == first
    answer = at_image(docker.node, name, image(docker, name, "1.0.1"))
    assert answer["result"] is True, answer
    assert docker.version(name) == "1.0.1" and docker.deployed(name) == before
    assert docker.node.out(["cat", f"/etc/systemd/system/{kolla.unit(name)}"]) == unit
    assert docker.node.out(["systemctl", "is-active", kolla.unit(name)]) == "active"


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_that_exits_gives_way_to_what_ran_before(docker, name):
    before, first = docker.deployed(name), docker.inspect(name)["Id"]
    answer = at_image(docker.node, name, docker.node.images["broken"])
    assert answer["result"] is False and "CONTAINER_EXITED" in json.dumps(answer), answer
    assert docker.inspect(name)["Id"] == first and docker.deployed(name) == before
    assert docker.version(name) == "1.0.1" and set(SERVICES) == docker.names()


def test_kollas_next_run_at_its_old_release_puts_its_image_back_and_at_the_new_one_changes_nothing(docker):
    print(kolla.deploy(docker.node.lab, NAME, SERVICES, release("1.0.0"), engine="docker")[-400:])
    assert {name: docker.version(name) for name in SERVICES} == dict.fromkeys(SERVICES, "1.0.0")
    for name in SERVICES:
        assert at_image(docker.node, name, image(docker, name, "1.0.1"))["result"] is True
    before = {name: docker.inspect(name)["Id"] for name in SERVICES}
    print(kolla.deploy(docker.node.lab, NAME, SERVICES, release("1.0.1"), engine="docker")[-400:])
    again = [name for name in SERVICES if docker.inspect(name)["Id"] != before[name]]
    print(f"\n== kolla-ansible at the new release created again: {again}")
    assert {name: docker.version(name) for name in SERVICES} == dict.fromkeys(SERVICES, "1.0.1")
