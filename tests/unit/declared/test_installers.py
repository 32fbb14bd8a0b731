"""Whose a container is, and what it is here."""

import pytest

from openstack_rollout.declared.deployed import Container, UnitState
from openstack_rollout.declared.installers import OTHER, OURS, Installers, Kind, What, trouble_of
from tests.unit import cloud_pillar
from tests.unit.declared.found import DEAD, FAILED, MASKED, ONESHOT, RUNNING, container, digest, of

INSTALLERS = Installers(cloud_pillar.model())


def read(**keys):
    return Container.model_validate(container(**keys))


@pytest.mark.parametrize(
    ("name", "keys", "owner"),
    [
        ("nova_compute", {"unit": "edpm_nova_compute.service"}, "edpm"),
        ("nova_compute", {"unit": "tripleo_nova_compute.service"}, "tripleo"),
        ("nova_compute", {"unit": "kolla-nova_compute-container.service"}, "kolla"),
        ("nova_compute", {"labels": {"managed_by": "edpm_ansible"}}, "edpm"),
        ("nova_compute", {"labels": {"managed_by": "tripleo_ansible"}}, "tripleo"),
        ("nova_compute", {"labels": {"managed_by": "somebody"}}, OTHER),
        # Every container of an image that kolla built has its label, whoever runs it.
        ("nova_novncproxy", {"labels": {"kolla_version": "20.0.0"}}, "kolla"),
        ("web", {"labels": {"kolla_version": "20.0.0"}}, OTHER),
        ("galera-bundle-podman-0", {}, "tripleo"),
        ("galera-bundle-docker-12", {}, "tripleo"),
        ("galera-bundle", {}, OTHER),
        ("own", {"unit": "edpm_other.service"}, "edpm"),
        ("nova_compute", {"labels": {"openstack-rollout.service": "nova"}}, OURS),
        ("nova_compute", {}, OTHER),
    ],
)
def test_whose_a_container_is(name, keys, owner):
    assert INSTALLERS.of_container(name, read(**keys), []) == owner


def test_a_container_with_a_quadlet_of_ours_is_ours_whatever_else_says():
    one = read(labels={"managed_by": "edpm_ansible"})
    assert INSTALLERS.of_container("nova_compute", one, ["nova_compute"]) == OURS


@pytest.mark.parametrize(
    ("name", "owner", "what"),
    [
        ("nova_compute", "edpm", What(Kind.SERVICE, "nova", "nova_compute_image")),
        ("nova_compute", OURS, What(Kind.SERVICE, "nova", "nova_compute_image")),
        ("nova_compute", OTHER, What(Kind.FOREIGN, "nova", "nova_compute_image")),
        ("grafana", OTHER, What(Kind.UNKNOWN)),
        ("grafana", "kolla", What(Kind.UNKNOWN)),
        ("new_thing", "kolla", What(Kind.UNKNOWN)),
        ("nova_novncproxy", "kolla", What(Kind.SERVICE, "nova-novnc", "nova_novnc_image")),
        ("cinder_volume", "kolla", What(Kind.SERVICE, "cinder-volume", "cinder_volume_images")),
        ("swift_object_expirer", "edpm", What(Kind.SERVICE, "swift-object", "swift_proxy_image")),
        (
            "galera-bundle-podman-0",
            "tripleo",
            What(Kind.BUNDLE, "mariadb", "mariadb_image", bundle="galera-bundle"),
        ),
        ("nova_compute_init", "edpm", What(Kind.ONCE)),
        ("nova_api_db_sync", "tripleo", What(Kind.ONCE)),
        ("container-puppet-nova", "tripleo", What(Kind.ONCE)),
    ],
)
def test_what_a_container_is(name, owner, what):
    assert INSTALLERS.what(name, owner) == what


@pytest.mark.parametrize(
    ("name", "agent"),
    [
        ("neutron-haproxy-ovnmeta-0a1b", "ovn_metadata_agent"),
        ("neutron-dnsmasq-qdhcp-0a1b", "neutron_dhcp"),
        ("neutron-keepalived-qrouter-0a1b", "neutron_l3_agent"),
        ("neutron_l3_agent_haproxy_qrouter-0a1b", "neutron_l3_agent"),
    ],
)
def test_a_container_that_an_agent_started(name, agent):
    found = INSTALLERS.what(name, OTHER)
    assert found.kind == Kind.SIDECAR and found.agents[0] == agent


@pytest.mark.parametrize(
    ("image", "digests", "references"),
    [
        ("registry.example/nova:1", ["registry.example/nova@"], ["registry.example/nova@"]),
        # The repository that it was started from comes first, whatever the alphabet says.
        ("z.example:5000/nova:1", ["a.example/nova@", "z.example:5000/nova@"],
         ["z.example:5000/nova@", "a.example/nova@"]),
        ("cluster.common.tag/mariadb:pcmklatest", ["cluster.common.tag/mariadb@", "r.example/mariadb@"],
         ["r.example/mariadb@"]),
        ("localhost/own:1", ["localhost/own@"], []),
        ("own:1", [], []),
        # docker leaves its own registry out.
        ("grafana/grafana:9", ["grafana/grafana@"], ["docker.io/grafana/grafana@"]),
        ("redis:7", ["redis@"], ["docker.io/library/redis@"]),
    ],
)  # fmt: skip
def test_the_references_that_a_release_could_hold(image, digests, references):
    one = read(image=image, digests=[f"{name}{digest('a')}" for name in digests])
    assert INSTALLERS.references(one) == [f"{name}{digest('a')}" for name in references]


@pytest.mark.parametrize(
    ("unit", "word"), [(RUNNING, ""), (MASKED, "masked"), (FAILED, "failed"), (DEAD, "dead"), (ONESHOT, "")]
)
def test_the_trouble_of_a_unit(unit, word):
    assert trouble_of(UnitState.model_validate(unit)) == word


def test_the_deployer_of_a_unit():
    assert INSTALLERS.of_unit("edpm_frr.service") == ("edpm", "frr")
    assert INSTALLERS.of_unit("sshd.service") == ("", "")


def test_a_container_of_the_operators_own_service_is_that_service():
    model = cloud_pillar.model(services={"mine": {"type": "nova", "container": "mine", "enabled": True}})
    assert Installers(model).what("mine", OURS) == What(Kind.SERVICE, "nova", "nova_compute_image")
    assert of("edpm", "x")["x"]["unit"] == "edpm_x.service"
