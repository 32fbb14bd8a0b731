"""The rounds of the control plane: data of the shipped catalogue, and what is open in each."""

from __future__ import annotations

from openstack_rollout import rounds
from tests.unit.cloud_pillar import valid


def cloud():
    return valid()


def of(stage="control_plane", nodes=3):
    openstack = cloud()
    return rounds.of_stage(openstack, openstack["target_version"], stage, nodes)


def test_messages_database_cache_and_identity_go_first_each_alone():
    found = of()
    assert [one.name for one in found[:4]] == ["rabbitmq", "mariadb", "memcached", "keystone"]
    assert all(len(one.services) == 1 for one in found[:4])
    assert found[-1].name.endswith("…") and len(found[-1].services) > 1


def test_other_stages_and_a_node_alone_have_one_round():
    assert [one.name for one in of("services")] == [""]
    assert [one.name for one in of(nodes=1)] == [""]


def test_what_is_open_belongs_to_one_round():
    lines = [
        "package openstack-selinux: 1, wants 2",
        "container mariadb: runs image a, wants b",
        "container nova_api: is not running",
        "container of_an_operator: its change was begun and not finished",
    ]
    facts = {"stages": {"control_plane": lines}}
    found = {one.name: one.ends(facts) for one in of()}
    assert found["rabbitmq"] == [lines[0], lines[3]]
    assert found["mariadb"] == [lines[1]]
    assert found[of()[-1].name] == [lines[2]]
    assert sorted(line for ends in found.values() for line in ends) == sorted(lines)


def test_a_stage_of_one_round_has_all_of_it():
    facts = {"stages": {"services": ["container nova_compute: is not running"]}}
    assert of("services")[0].ends(facts) == facts["stages"]["services"]
