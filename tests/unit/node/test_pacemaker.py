"""What Pacemaker says of its bundles, as crm_mon of Pacemaker 3.0 prints it."""

from __future__ import annotations

import pytest

from openstack_rollout.node import pacemaker

NODES = "".join(
    f'<node name="ctl{n}" id="{n}" online="true" standby="false" maintenance="false" pending="false"'
    ' unclean="false" type="member"/>'
    for n in (1, 2, 3)
)
GUEST = (
    '<node name="ovn-dbs-bundle-0" id="ovn-dbs-bundle-0" online="true" standby="false" maintenance="false"'
    ' pending="false" unclean="false" type="remote" id_as_resource="ovn-dbs-bundle-podman-0"/>'
)
PART = (
    '<resource id="{id}" resource_agent="{agent}" role="{role}" active="{active}" blocked="false"'
    ' managed="true" failed="{failed}">{node}</resource>'
)


def part(name, agent, node="", failed="false"):
    role, active = ("Started", "true") if node else ("Stopped", "false")
    node = f'<node name="{node}" id="1" cached="true"/>' if node else ""
    return PART.format(id=name, agent=agent, role=role, active=active, failed=failed, node=node)


def container(bundle, number, node=""):
    name = f"{bundle}-podman-{number}"
    return f'<replica id="{number}">{part(name, "ocf:heartbeat:podman", node)}</replica>'


def text(*bundles, nodes=NODES, bans=""):
    return (
        '<pacemaker-result><summary><current_dc with_quorum="true"/></summary>'
        f"<nodes>{nodes}</nodes><resources>{''.join(bundles)}</resources><bans>{bans}</bans>"
        "</pacemaker-result>"
    )


def bundle(name, *replicas, state='maintenance="false" managed="true"'):
    image = f"cluster.common.tag/{name}:pcmklatest"
    return f'<bundle id="{name}" type="podman" image="{image}" {state}>{"".join(replicas)}</bundle>'


def test_a_bundle_is_told_with_its_replicas():
    replicas = [container("haproxy-bundle", 0, "ctl2"), container("haproxy-bundle", 1)]
    found = pacemaker.read(text(bundle("haproxy-bundle", *replicas)))
    assert found["bundles"] == {
        "haproxy-bundle": {
            "engine": "podman",
            "image": "cluster.common.tag/haproxy-bundle:pcmklatest",
            "managed": True,
            "replicas": [
                {"container": "haproxy-bundle-podman-0", "nodes": ["ctl2"], "active": True, "managed": True},
                {"container": "haproxy-bundle-podman-1", "nodes": [], "active": False, "managed": True},
            ],
        }
    }


@pytest.mark.parametrize("failed", ["true", "false"])
def test_a_replica_is_what_its_container_has_inside_too(failed):
    parts = [
        part("ovndb_servers", "ocf:pacemaker:Stateful", "ovn-dbs-bundle-0", failed),
        part("ovn-dbs-bundle-podman-0", "ocf:heartbeat:podman", "ctl1"),
        part("ovn-dbs-bundle-0", "ocf:pacemaker:remote", "ctl1"),
    ]
    replica = f'<replica id="0">{"".join(parts)}</replica>'
    found = pacemaker.read(text(bundle("ovn-dbs-bundle", replica), nodes=NODES + GUEST))
    (one,) = found["bundles"]["ovn-dbs-bundle"]["replicas"]
    assert one["container"] == "ovn-dbs-bundle-podman-0" and one["nodes"] == ["ctl1"]
    assert one["active"] is (failed == "false")


def test_a_container_is_no_node_that_takes_resources():
    found = pacemaker.read(text(nodes=NODES + GUEST))
    assert found["nodes"]["ovn-dbs-bundle-0"]["guest"] and not found["nodes"]["ctl1"]["guest"]
    assert pacemaker.takers(found, "ctl1") == ["ctl2", "ctl3"]


@pytest.mark.parametrize(
    ("state", "managed"),
    [('managed="true"', True), ('managed="false"', False), ('maintenance="true" managed="true"', False)],
)
def test_what_an_operator_keeps_still_is_not_managed(state, managed):
    found = pacemaker.read(
        text(bundle("haproxy-bundle", container("haproxy-bundle", 0, "ctl1"), state=state))
    )
    assert found["bundles"]["haproxy-bundle"]["managed"] is managed


def test_a_replica_may_move_to_nodes_without_one_and_without_a_ban():
    single = bundle("cinder-volume", container("cinder-volume", 0, "ctl2"))
    ban = '<ban id="a" resource="{}" node="ctl3" weight="-1000000"/>'
    free = [
        pacemaker.free_for(pacemaker.read(text(single, bans=bans)), "cinder-volume", "ctl2")
        for bans in ("", ban.format("cinder-volume"), ban.format("other"))
    ]
    assert free == [["ctl1", "ctl3"], ["ctl1"], ["ctl1", "ctl3"]]
    full = bundle("haproxy-bundle", *(container("haproxy-bundle", n, f"ctl{n}") for n in (1, 2, 3)))
    assert pacemaker.free_for(pacemaker.read(text(full)), "haproxy-bundle", "ctl1") == []


@pytest.mark.parametrize(
    ("agent", "unit"),
    [
        ("ocf:heartbeat:galera", "mariadb.service"),
        ("ocf::heartbeat:rabbitmq-cluster", "rabbitmq-server.service"),
        ("ocf:rabbitmq:rabbitmq-server-ha", "rabbitmq-server.service"),
        ("systemd:openstack-cinder-volume", "openstack-cinder-volume.service"),
        ("ocf:ovn:ovndb-servers", "ovn-ovsdb-server-nb.service"),
    ],
)
def test_a_unit_that_pacemaker_starts_is_told_apart_from_others(agent, unit):
    resources = f'''<clone id="some-clone"><resource id="some" resource_agent="{agent}" active="true"
        failed="false" blocked="false" managed="true"><node name="ctl2"/></resource></clone>'''
    found = pacemaker.read(text(resources))
    said = pacemaker.running_units(found, ["nova-api.service", unit])
    assert said == [f"{unit} is run by Pacemaker (resource some-clone, {agent})"]
    assert pacemaker.running_units(found, ["nova-api.service"]) == []
