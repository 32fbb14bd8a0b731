"""What is told of a node beside what differs: holds, notes, the checks of a release."""

from __future__ import annotations

import pytest

from tests.unit.cloud_pillar import NEW, OLD, digest, model, node, valid
from tests.unit.declared.judged import about, compared, found_cloud, told


def test_notes_of_what_we_started_and_of_what_another_installer_left():
    found = compared(told(managed=["nova_compute", "gone"], legacy_units={"nova_compute": ["edpm_nova"]}))
    assert found.notes == [
        {"kind": "orphan", "subject": "gone", "detail": ""},
        {"kind": "legacy", "subject": "nova_compute", "detail": "edpm_nova"},
    ]


def test_what_the_operator_holds_is_told_and_stays():
    facts = told()
    facts["packages"]["curl"] = ["6"]
    assert [one.subject for one in compared(facts).stages["system"]] == ["curl"]
    held = compared(facts | {"held": ["curl"]})
    assert held.stages["system"] == [] and held.deployed == NEW
    assert held.held == {"curl": f"7-{NEW}"}
    newer = compared(told(newer={"held": {"bash": "6"}}))
    assert newer.held == {"bash": "6"} and newer.stages["system"] == []


def test_what_stays_is_told_with_its_cause():
    facts = told(newer={"stays": {"bash": {"version": "6", "cause": "phased", "by": "20%"}}}, held=["curl"])
    facts["packages"]["curl"] = ["6"]
    assert compared(facts).stays == {
        "bash": {"version": "6", "cause": "phased", "by": "20%"},
        "curl": {"version": f"7-{NEW}", "cause": "versionlock", "by": ""},
    }


def asking(lines=("a flag is off",)):
    openstack = valid()
    call = "rabbitmq_cluster.feature_flags"
    check = {"service": "rabbitmq", "call": call, "arguments": {"enabled": ["one"]}}
    openstack["releases"][NEW]["checks"] = [check]
    return openstack, [{"service": "rabbitmq", "call": call, "lines": list(lines)}]


CONTROLLER = node("controller")


def checks(openstack, answers, version=OLD):
    facts = told(version, CONTROLLER, openstack, checks=answers)
    return compared(facts, CONTROLLER, openstack).checks


def test_a_check_counts_while_its_service_is_about_to_move():
    openstack, answers = asking()
    assert checks(openstack, answers) == {"control_plane": ["a flag is off"]}
    assert checks(openstack, answers, NEW) == {}
    assert checks(*asking(lines=())) == {}
    assert checks(openstack, []) == {}


def test_a_check_does_not_count_where_the_service_is_not_there_yet():
    openstack, answers = asking()
    facts = told(OLD, CONTROLLER, openstack, checks=answers)
    del facts["containers"]["rabbitmq"]
    assert compared(facts, CONTROLLER, openstack).checks == {}


@pytest.mark.parametrize(
    "made_up", [{"call": "other.check"}, {"service": "keystone"}, {"service": "no-such-service"}]
)
def test_a_check_that_the_release_does_not_ask_for_counts_nothing(made_up):
    openstack, (answer,) = asking()
    assert checks(openstack, [answer | made_up]) == {}


HAPROXY = "neutron-haproxy-ovnmeta-{}"


def with_sidecars(versions, agent=NEW, **services):
    """A compute whose metadata agent has a sidecar of each of these versions."""
    openstack = valid()
    openstack["services"] = services
    facts = told(openstack=openstack)
    own = facts["containers"]["ovn_metadata_agent"]
    for number, version in enumerate(versions):
        image = {"digests": [digest(version)], "image_id": f"id of {version}"}
        facts["containers"][HAPROXY.format(number)] = own | image | {"healthy": None, "unit": None}
    own["digests"] = [digest(agent)]
    return compared(facts, openstack=openstack)


def test_sidecars_of_an_older_image_are_told_with_their_agent_and_block_nothing():
    found = with_sidecars([OLD, NEW, OLD, "of nobody"])
    agent = {"kind": "old_sidecars", "subject": "ovn_metadata_agent", "all": "4"}
    assert found.notes == [
        {**agent, "old": "2", "image": OLD, "detail": f"{HAPROXY.format(0)}, {HAPROXY.format(2)}"},
        {**agent, "old": "1", "image": "id of of nob", "detail": HAPROXY.format(3)},
    ]
    assert found.deployed == NEW and found.health == [] and not any(found.stages.values())


def test_sidecars_of_the_agents_image_are_its_own():
    assert with_sidecars([NEW, NEW]).notes == []


def test_sidecars_of_an_agent_that_is_to_move_are_not_told_beside_it():
    found = with_sidecars([OLD], agent=OLD)
    assert found.notes == []
    assert [one.subject for one in found.stages["services"]] == ["ovn_metadata_agent"]


def test_what_no_agent_of_the_node_starts_runs_beside_the_catalogue():
    off = {"neutron-metadata": {"sidecars": ["other-*"]}}
    assert [one["kind"] for one in with_sidecars([OLD], **off).notes] == ["beside"]


@pytest.mark.parametrize(
    ("role", "agent", "name"),
    [
        ("compute", "neutron-metadata", "neutron-haproxy-ovnmeta-7ee90608"),
        ("compute", "neutron-metadata", "neutron_ovn_metadata_agent_haproxy_ovnmeta-7ee90608"),
        ("gateway", "neutron-l3", "neutron-keepalived-qrouter-7ee90608"),
        ("gateway", "neutron-l3", "neutron-keepalived-state-change-qrouter-7ee90608"),
        ("gateway", "neutron-l3", "neutron-haproxy-qrouter-7ee90608"),
        ("gateway", "neutron-l3", "neutron-radvd-qrouter-7ee90608"),
        ("gateway", "neutron-l3", "neutron_l3_agent_keepalived_qrouter-7ee90608"),
        ("gateway", "neutron-dhcp", "neutron-dnsmasq-qdhcp-7ee90608"),
        ("gateway", "neutron-dhcp", "neutron-haproxy-qdhcp-7ee90608"),
        ("gateway", "neutron-dhcp", "neutron_dhcp_agent_dnsmasq_qdhcp-7ee90608"),
    ],
)
def test_the_sidecars_of_each_deployer_are_those_of_their_agent(role, agent, name):
    openstack = valid()
    openstack["services"] = {one: {"enabled": True} for one in ("neutron-l3", "neutron-dhcp")}
    facts = told(where=node(role), openstack=openstack)
    container = model(openstack).catalogue.services()[agent].container
    facts["containers"][name] = facts["containers"][container] | {"digests": [digest(OLD)]}
    found = compared(facts, node(role), openstack)
    assert [(one["kind"], one["subject"]) for one in found.notes] == [("old_sidecars", container)]


@pytest.mark.parametrize("kind", ["not_here", "foreign", "masked"])
def test_what_is_left_alone_of_found_services_is_told_and_blocks_nothing(kind):
    openstack = found_cloud()
    facts = told(NEW, openstack=openstack)
    if kind == "masked":
        facts["carried"]["nova_compute"]["masked"] = True
    else:
        del facts["carried"]["nova_compute"]
    if kind == "not_here":
        del facts["containers"]["nova_compute"]
    else:
        facts["containers"]["nova_compute"] |= {"digests": [digest(OLD)], "running": False}
    found = compared(facts, openstack=openstack)
    assert {"kind": kind, "subject": "nova_compute"}.items() <= found.notes[0].items()
    assert about(found, "nova_compute") == [] and found.health == [] and found.deployed == NEW


def test_a_definition_that_would_start_another_image_is_told():
    openstack = found_cloud()
    facts = told(NEW, openstack=openstack)
    facts["carried"]["nova_compute"] |= {"image": "registry.example/nova:current", "digests": [digest(OLD)]}
    (note,) = compared(facts, openstack=openstack).notes
    assert (note["kind"], note["subject"]) == ("defined", "nova_compute")
