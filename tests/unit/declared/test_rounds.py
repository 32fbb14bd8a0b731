"""The rounds of the control plane: data of the shipped catalogue, and what is open in each."""

from __future__ import annotations

from openstack_rollout.declared import rounds
from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.differences import Difference, Kind
from tests.unit.cloud_pillar import NEW, model, valid


def of(stage="control_plane", nodes=3, openstack=None):
    return rounds.of_stage(model(openstack), NEW, stage, nodes)


def node(**stages):
    return Compared(id="n", roles=("controller",), zone=None, target=NEW, deployed=None, stages=stages)


def test_messages_database_cache_and_identity_go_first_each_alone():
    found = of()
    assert [one.name for one in found[:4]] == ["rabbitmq", "mariadb", "memcached", "keystone"]
    assert all(len(one.services) == 1 for one in found[:4])
    assert found[-1].name.endswith("…") and len(found[-1].services) > 1


def test_other_stages_and_a_node_alone_have_one_round():
    assert [one.name for one in of("services")] == [""]
    assert [one.name for one in of(nodes=1)] == [""]


def test_a_stage_without_services_is_one_round_too():
    openstack = valid()
    openstack["service_defaults"]["enabled"] = False
    openstack["service_types"] = {
        name: {**entry, "enabled": False} for name, entry in openstack["service_types"].items()
    }
    assert [one.name for one in of(openstack=openstack)] == [""]


def test_what_is_open_belongs_to_one_round():
    some = [
        Difference("control_plane", Kind.PACKAGE, "openstack-selinux", ["1"], "2"),
        Difference("control_plane", Kind.CONTAINER_IMAGE, "mariadb", "a", "b"),
        Difference("control_plane", Kind.CONTAINER_STOPPED, "nova_api", None, "b"),
        Difference("control_plane", Kind.CHANGE_UNFINISHED, "of_an_operator"),
        Difference("control_plane", Kind.MIGRATION, "mariadb"),  # called as a container is
    ]
    found = {one.name: one.open(node(control_plane=some)) for one in of()}
    assert found["rabbitmq"] == [some[0], some[3], some[4]]
    assert found["mariadb"] == [some[1]]
    assert found[of()[-1].name] == [some[2]]
    assert sorted(map(str, (one for ends in found.values() for one in ends))) == sorted(map(str, some))


def test_every_kind_about_a_container_goes_with_its_round():
    for kind in (Kind.CONTAINER_ABSENT, Kind.CONTAINER_IMAGE, Kind.CONTAINER_STOPPED, Kind.CHANGE_UNFINISHED):
        one = Difference("control_plane", kind, "mariadb", None, "b")
        assert [part.name for part in of() if part.open(node(control_plane=[one]))] == ["mariadb"]


def test_a_stage_of_one_round_has_all_of_it():
    some = [Difference("services", Kind.CONTAINER_STOPPED, "nova_compute")]
    assert of("services")[0].open(node(services=some)) == some
    assert of("services")[0].open(node(ovs=some)) == []


def test_members_of_further_clusters_go_over_all_controllers_alone_too():
    openstack = valid()
    openstack["services"] = {
        "mariadb-cell1": {"type": "mariadb", "container": "mariadb_cell1", "order": 21},
        "rabbitmq-cell1": {"type": "rabbitmq", "container": "rabbitmq_cell1", "order": 11},
    }
    named = [one.name for one in of(openstack=openstack)]
    assert named[:5] == ["rabbitmq", "rabbitmq-cell1", "mariadb", "mariadb-cell1", "memcached"]


def test_a_service_of_both_planes_is_in_the_rounds_of_the_control_plane():
    openstack = valid()
    entry = {"image": "net_utils_image", "container": "log", "roles": ["controller", "compute"], "order": 5}
    openstack["services"] = {"fluentd": {**entry, "stage": "by_plane", "alone": True, "enabled": True}}
    assert of(openstack=openstack)[0].containers == {"log"}
    assert [one.name for one in of("services", openstack=openstack)] == [""]
    openstack["services"]["fluentd"]["roles"] = ["gateway", "compute"]
    assert all("fluentd" not in one.services for one in of(openstack=openstack))
