"""A node's facts compared with what is declared: differences, the measured version, what is broken."""

from __future__ import annotations

import dataclasses
import json

import pytest

from openstack_rollout.declared import differences, share
from openstack_rollout.declared.comparison import CUSTOM, Comparison
from openstack_rollout.declared.differences import CONTAINERS, Difference, Kind
from openstack_rollout.declared.facts import read
from openstack_rollout.errors import RolloutError
from tests.unit.cloud_pillar import NEW, OLD, digest, facts_at, model, node, reference, valid

COMPUTE = node("compute")


def told(version=NEW, where=COMPUTE, openstack=None, **changes):
    """What a node tells that is at a release; a test breaks it before it is read."""
    return facts_at(valid() if openstack is None else openstack, version, where, **changes)


def compared(facts, where=COMPUTE, openstack=None):
    return Comparison(model(openstack)).compare(read("node1", facts), where.roles, where.zone)


def deployed(facts, where=COMPUTE, openstack=None):
    return Comparison(model(openstack)).deployed(read("node1", facts), where)


@pytest.mark.parametrize(
    "roles", [["controller"], ["gateway"], ["compute"], ["storage"], ["controller", "compute"]]
)
@pytest.mark.parametrize("version", [OLD, NEW])
def test_a_node_at_a_release_is_measured_so(roles, version):
    where = node(*roles)
    wanted = share.desired(model(), version, where)
    facts = told(version, where)
    assert differences.differences(wanted, read("node1", facts)) == {stage: [] for stage in wanted["stages"]}
    assert deployed(facts, where) == version


def test_differences_say_what_a_node_has_and_what_it_wants():
    found = compared(told(OLD))
    assert (found.deployed, found.target) == (OLD, NEW)
    image = reference("ovn_controller_image", NEW)
    (ovn,) = found.stages["ovn"]
    assert (ovn.kind, ovn.subject, ovn.want) == (Kind.CONTAINER_IMAGE, "ovn_controller", image)
    assert ovn.have == reference("ovn_controller_image", OLD)[-60:]
    assert found.stages["ovs"] == [
        Difference("ovs", Kind.PACKAGE, "lab-openvswitch", ["3-1.0.0"], "3-1.0.1"),
        Difference("ovs", Kind.PACKAGE, "openvswitch3.5", [], "3-1.0.1"),
        Difference("ovs", Kind.PACKAGE_LEFT, "openvswitch3.4"),
    ]
    assert found.services["nova"]["release"] == OLD
    assert found.packages["curl"] == {"stage": "system", "installed": ["7-1.0.0"], "wanted": "7-1.0.1"}
    assert found.packages["openvswitch3.4"] == {"stage": "ovs", "installed": ["3-1.0.0"], "wanted": None}
    assert found.health == []
    plain = dataclasses.asdict(found)
    assert json.loads(json.dumps(plain)) == {**plain, "roles": ["compute"]}


def test_every_difference_names_its_stage():
    for stage, some in compared(told(OLD)).stages.items():
        assert some and {one.stage for one in some} == {stage}


def test_what_differs_in_some_stages():
    found = compared(told(OLD))
    assert found.open(["ovn", "ovs"]) == [*found.stages["ovn"], *found.stages["ovs"]]
    assert found.open(["control_plane"]) == []


def test_one_old_container_keeps_a_node_from_its_release():
    facts = told()
    facts["containers"]["nova_compute"] |= {"image_id": "a" * 60, "digests": [digest(OLD)]}
    assert deployed(facts) is None
    assert [stage for stage, some in compared(facts).stages.items() if some] == ["services"]


def test_an_image_is_told_by_any_of_its_digests():
    facts = told()
    facts["containers"]["nova_compute"]["digests"] = [digest("x"), digest(NEW)]
    assert deployed(facts) == NEW
    facts["containers"]["nova_compute"]["digests"] = []
    assert deployed(facts) is None


def test_containers_that_are_missing_stopped_sick_or_unknown():
    facts = told()
    del facts["containers"]["ovn_controller"]
    facts["containers"]["nova_compute"]["running"] = False
    facts["containers"]["node_exporter"]["healthy"] = False
    facts["containers"]["dnsmasq-1"] = {**facts["containers"]["nova_compute"], "running": True}
    facts["openvswitch"]["active"] = False
    found = compared(facts | {"datapath": ["br-int has no flows"]})
    wanted = reference("ovn_controller_image", NEW)
    assert found.stages["ovn"] == [Difference("ovn", Kind.CONTAINER_ABSENT, "ovn_controller", None, wanted)]
    (stopped,) = found.stages["services"]
    assert (stopped.kind, stopped.subject) == (Kind.CONTAINER_STOPPED, "nova_compute")
    assert found.health == [
        Difference("", Kind.NOT_RUNNING, "ovn_controller"),
        Difference("", Kind.NOT_RUNNING, "nova_compute"),
        Difference("", Kind.UNHEALTHY, "node_exporter"),
        Difference("", Kind.SWITCH_INACTIVE, "openvswitch.service"),
        Difference("", Kind.DATAPATH, "data path", "br-int has no flows"),
    ]
    assert found.notes == [{"kind": "beside", "subject": "dnsmasq-1", "detail": ""}]


def test_an_unknown_health_is_no_bad_one():
    facts = told()
    facts["containers"]["nova_compute"]["healthy"] = None
    assert compared(facts).health == []


def test_a_node_without_a_switch_lacks_none():
    found = compared(told(openvswitch=None))
    assert found.health == [] and found.stages["ovs"] == []


def test_notes_of_what_we_started_and_of_what_another_installer_left():
    found = compared(told(managed=["nova_compute", "gone"], legacy_units={"nova_compute": ["edpm_nova"]}))
    assert found.notes == [
        {"kind": "orphan", "subject": "gone", "detail": ""},
        {"kind": "legacy", "subject": "nova_compute", "detail": "edpm_nova"},
    ]


def test_a_disabled_switch_is_a_difference_of_the_ovs_stage():
    facts = told()
    facts["openvswitch"]["enabled"] = False
    found = compared(facts)
    assert found.stages["ovs"] == [Difference("ovs", Kind.SWITCH_DISABLED, "openvswitch.service")]


def test_a_custom_image_is_named_custom_and_counts():
    openstack = valid()
    openstack["custom_images"] = {"nova_compute_image": f"registry.example/fix@{digest('x')}"}
    facts = told(openstack=openstack)
    found = compared(facts, openstack=openstack)
    assert found.deployed == NEW
    assert found.services["nova"]["release"] == CUSTOM
    facts["containers"]["nova_compute"]["digests"] = [digest(NEW)]
    assert deployed(facts, openstack=openstack) is None
    assert compared(facts, openstack=openstack).services["nova"]["release"] == NEW


def test_the_target_wins_where_releases_are_alike():
    openstack = valid()
    openstack["releases"]["1.0.2"] = openstack["releases"][NEW]
    assert deployed(told(openstack=openstack), openstack=openstack) == NEW
    openstack["target_version"] = "1.0.2"
    assert deployed(told(openstack=openstack), openstack=openstack) == "1.0.2"


def test_a_release_that_lacks_images_is_none_to_be_at():
    openstack = valid()
    openstack["releases"]["2.0.0"] = {}
    facts = told(openstack=openstack)
    assert deployed(facts, openstack=openstack) == NEW
    assert deployed(facts, node(), openstack) is None


def test_a_target_that_lacks_an_image_is_refused_by_its_key():
    openstack = valid()
    facts = told()
    del openstack["releases"][NEW]["images"]["nova_compute_image"]
    with pytest.raises(
        RolloutError, match=r"^INVALID_PILLAR: .*:images:nova_compute_image: is missing"
    ) as why:
        Comparison(_unchecked(openstack)).compare(read("node1", facts), ("compute",), None)
    assert why.value.reason == "INVALID_PILLAR"


def _unchecked(openstack):
    """A model in which a check of the whole would have found something."""
    whole = model()
    images = openstack["releases"][NEW]["images"]
    release = whole.releases[NEW].model_copy(update={"images": images})
    return whole.model_copy(update={"releases": {**whole.releases, NEW: release}})


@pytest.mark.parametrize("reload", [True, False])
def test_a_stale_switch_is_a_difference_only_where_a_reload_is_wanted(reload):
    openstack = {**valid(), "ovs": {"reload": reload}}
    switch = {"running": "3.4.0", "installed": "3.5.0", "stale": True}
    found = compared(told(openstack=openstack, switch=switch), openstack=openstack)
    assert found.switch == switch
    stale = Difference("ovs", Kind.SWITCH_STALE, "switch", "3.4.0", "3.5.0")
    assert found.stages["ovs"] == ([stale] if reload else [])
    assert found.deployed == (None if reload else NEW)
    assert found.health == []


def test_what_the_operator_holds_is_told_and_stays():
    facts = told()
    facts["packages"]["curl"] = ["6"]
    assert [one.subject for one in compared(facts).stages["system"]] == ["curl"]
    held = compared(facts | {"held": ["curl"]})
    assert held.stages["system"] == [] and held.deployed == NEW
    assert held.held == {"curl": f"7-{NEW}"}
    newer = compared(told(newer={"held": {"bash": "6"}}))
    assert newer.held == {"bash": "6"} and newer.stages["system"] == []


def test_a_hold_keeps_nothing_back_in_other_stages():
    facts = told(held=["openstack-selinux"])
    facts["packages"]["openstack-selinux"] = ["old"]
    assert [one.subject for one in compared(facts).stages["services"]] == ["openstack-selinux"]


@pytest.mark.parametrize(("met", "open_"), [(True, []), (False, ["curl"]), (None, ["curl"])])
def test_a_floor_is_met_when_the_node_says_so(met, open_):
    openstack = valid()
    openstack["releases"][NEW]["packages"]["curl"] = ">=7-2"
    facts = told(openstack=openstack, floors={} if met is None else {"curl": {">=7-2": met}})
    facts["packages"]["curl"] = ["7-1"]
    assert [one.subject for one in compared(facts, openstack=openstack).stages["system"]] == open_


def test_a_floor_of_another_version_is_not_the_one_that_is_asked_for():
    openstack = valid()
    openstack["releases"][NEW]["packages"]["curl"] = ">=7-2"
    facts = told(openstack=openstack, floors={"curl": {">=7-1": True}})
    assert [one.subject for one in compared(facts, openstack=openstack).stages["system"]] == ["curl"]


def test_a_version_that_a_killed_transaction_left():
    facts = told()
    facts["packages"]["lab-openvswitch"] = [f"3-{OLD}", f"3-{NEW}"]
    double = Difference("ovs", Kind.PACKAGE_DOUBLE, f"lab-openvswitch-3-{OLD}")
    assert compared(facts).stages["ovs"] == [double]


HALF = {"doubles": {"openstack-selinux": ["1", "2"], "bash": ["5", "6"]}, "half": {"kernel-core": "5"}}


def test_what_is_half_installed_is_a_difference_of_the_stage_that_mends_it():
    found = compared(told(unfinished=HALF))
    double = Difference("services", Kind.PACKAGE_DOUBLE, "openstack-selinux", ["1", "2"])
    assert found.stages["services"] == [double] and found.deployed is None
    assert found.stages["system"] == [
        Difference("system", Kind.PACKAGE_DOUBLE, "bash", ["5", "6"]),
        Difference("system", Kind.PACKAGE_HALF, "kernel-core", ["5"]),
    ]


def test_what_is_excluded_or_others_mend_is_no_difference_of_the_system():
    openstack = valid()
    openstack["system"] = {"exclude": ["bash*"]}
    others = {"doubles": {"bash": ["5", "6"], "openvswitch3.5": ["1", "2"]}}
    assert compared(told(unfinished=others), openstack=openstack).stages["system"] == []


@pytest.mark.parametrize(("held", "renews"), [([], True), (["salt-minion"], False)])
def test_a_half_installed_minion_is_renewed(held, renews):
    found = compared(told(unfinished={"half": {"salt-minion": "1"}}, held=held))
    assert found.renews_minion is renews and bool(found.stages["system"]) is renews


def test_what_stays_is_told_with_its_cause():
    facts = told(newer={"stays": {"bash": {"version": "6", "cause": "phased", "by": "20%"}}}, held=["curl"])
    facts["packages"]["curl"] = ["6"]
    assert compared(facts).stays == {
        "bash": {"version": "6", "cause": "phased", "by": "20%"},
        "curl": {"version": f"7-{NEW}", "cause": "versionlock", "by": ""},
    }


# What is beside the release: the node is at it, and its system stage is open all the same.
BESIDE = [
    ({"newer": {"upgrade": {"b": "2", "a": "1"}}}, Kind.NEWER, "packages", None, ["a", "b"]),
    ({"unfinished": {"unknown": "no dnf"}}, Kind.PACKAGES_UNKNOWN, "packages", "no dnf", None),
    (
        {"newer": {"unknown": "no repository answers"}},
        Kind.NEWER_UNKNOWN,
        "packages",
        "no repository answers",
        None,
    ),
    (
        {"live_patches": {"kpatch-2": "1", "kpatch-1": "1"}},
        Kind.LIVE_PATCHES,
        "kernel",
        None,
        ["kpatch-1", "kpatch-2"],
    ),
    ({"minion": "waiting"}, Kind.MINION, "salt-minion", "waiting", None),
    ({"minion": "failed"}, Kind.MINION, "salt-minion", "failed", None),
    (
        {"reboot": ["kernel: 1 runs, 2 is installed"]},
        Kind.REBOOT,
        "node",
        "kernel: 1 runs, 2 is installed",
        None,
    ),
    ({"migrations": [{"name": "m", "stage": "system"}]}, Kind.MIGRATION, "m", None, None),
]


@pytest.mark.parametrize(("facts", "kind", "subject", "have", "want"), BESIDE)
def test_what_is_beside_the_release_opens_the_system_stage(facts, kind, subject, have, want):
    openstack = {**valid(), "system": {"reboot": "when_required"}}
    found = compared(told(openstack=openstack, **facts), openstack=openstack)
    assert found.stages["system"] == [Difference("system", kind, subject, have, want)]
    assert found.deployed == NEW and found.health == []


def test_a_reboot_that_the_operator_never_wants_is_told_alone():
    found = compared(told(reboot=["kernel"]))
    assert found.stages["system"] == [] and found.reboot == ["kernel"]


@pytest.mark.parametrize("minion", ["none", "done"])
def test_a_minion_that_is_renewed_is_none_to_renew(minion):
    assert compared(told(minion=minion)).stages["system"] == []


def test_a_change_that_was_not_finished_opens_the_stage_of_its_service():
    found = compared(told(pending=["ovn_controller", "nova_compute", "unknown"]))
    assert found.stages["ovn"] == [Difference("ovn", Kind.CHANGE_UNFINISHED, "ovn_controller")]
    assert found.stages["services"] == [Difference("services", Kind.CHANGE_UNFINISHED, "nova_compute")]
    assert found.deployed == NEW


@pytest.mark.parametrize(
    ("facts", "renews"),
    [
        ({}, False),
        ({"newer": {"upgrade": {"bash": "1"}}}, False),
        ({"newer": {"upgrade": {"salt-minion": "1"}}}, True),
        ({"minion": "waiting"}, True),
        ({"minion": "failed"}, True),
    ],
)
def test_whether_the_system_stage_renews_salt(facts, renews):
    assert compared(told(**facts)).renews_minion is renews


@pytest.mark.parametrize(("held", "renews"), [([], True), (["salt-minion"], False)])
def test_a_release_that_names_salt_renews_it_unless_it_is_held(held, renews):
    openstack = valid()
    openstack["releases"][NEW]["packages"]["salt-minion"] = "3008.3"
    facts = told(openstack=openstack, held=held)
    facts["packages"]["salt-minion"] = ["3008.2"]
    assert compared(facts, openstack=openstack).renews_minion is renews


IMAGE = f"registry.example/os@{digest(NEW)}"


@pytest.mark.parametrize(
    ("booted", "staged", "open_"),
    [("old", None, True), ("old", IMAGE, False), (IMAGE, None, False), (IMAGE, "old", True)],
)
def test_a_bootc_host_is_at_its_image_and_its_packages_are_those_of_the_image(booted, staged, open_):
    openstack = valid()
    openstack["releases"][NEW]["images"]["os_container_image"] = IMAGE
    facts = told(openstack=openstack, bootc={"booted": booted, "digest": None, "staged": staged})
    facts["packages"]["curl"] = ["other"]
    found = compared(facts, openstack=openstack)
    image = Difference("system", Kind.SYSTEM_IMAGE, "system image", staged or booted, IMAGE)
    assert found.stages["system"] == ([image] if open_ else [])
    assert found.deployed == (None if open_ else NEW)


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


def test_kinds_about_containers():
    assert {kind for kind in Kind if kind.value.startswith(("container_", "change_"))} == set(CONTAINERS)


def test_comparing_many_nodes_is_the_same_as_comparing_each():
    comparison = Comparison(model())
    for version in (OLD, NEW, OLD):
        facts = read("node1", told(version))
        assert comparison.compare(facts, ("compute",), None) == compared(told(version))


def test_a_service_of_both_planes_differs_in_the_stage_of_its_node():
    openstack = valid()
    openstack["services"] = {"ovn": {"stage": "by_plane"}}
    for roles, stage in ((["controller"], "control_plane"), (["compute"], "services")):
        where = node(*roles)
        found = compared(told(OLD, where, openstack), where, openstack).stages
        assert [
            name for name, some in found.items() if any(one.subject == "ovn_controller" for one in some)
        ] == [stage]
        assert "ovn" not in found


INIT = {
    "type": "nova",
    "container": "nova_compute_init",
    "definition": "found",
    "one_shot": True,
    "order": 65,
}


def one_shot(version=NEW, defined=None, digests=(), **container):
    """A compute whose nova_compute_init is defined to start an image, and the container that it left."""
    openstack = valid()
    openstack["services"] = {"nova-init": INIT}
    facts = told(version, openstack=openstack)
    facts["carried"]["nova_compute_init"] |= {
        "image": defined or reference("nova_compute_image", version),
        "digests": list(digests),
    }
    if container:
        facts["containers"]["nova_compute_init"] |= {"running": False, "healthy": None, **container}
    else:
        del facts["containers"]["nova_compute_init"]
    return compared(facts, openstack=openstack)


def about(found, name="nova_compute_init"):
    return [one for some in found.stages.values() for one in some if one.subject == name]


@pytest.mark.parametrize("left", [{}, {"exit_code": 0}])
def test_a_one_shot_is_at_the_release_by_its_definition_and_never_stopped(left):
    found = one_shot(**left)
    assert about(found) == [] and found.health == [] and found.notes == []
    assert found.deployed == NEW


@pytest.mark.parametrize("left", [{}, {"exit_code": 0}])
def test_a_one_shot_that_would_start_another_image_differs_by_its_definition_alone(left):
    old, new = (reference("nova_compute_image", version) for version in (OLD, NEW))
    found = one_shot(defined=old, **left)
    assert about(found) == [Difference("services", Kind.CONTAINER_DEFINED, "nova_compute_init", old, new)]
    assert Kind.CONTAINER_DEFINED in CONTAINERS and found.deployed is None


def test_a_one_shot_that_is_defined_by_a_tag_is_known_by_the_image_of_that_tag():
    tag = "registry.example/nova-compute:current"
    assert about(one_shot(defined=tag, digests=[digest(NEW)])) == []
    (other,) = about(one_shot(defined=tag, digests=[digest(OLD)], exit_code=0))
    assert (other.kind, other.have) == (Kind.CONTAINER_DEFINED, tag)
    assert len(about(one_shot(defined=tag))) == 1


def test_a_one_shot_that_failed_is_told_and_stops_nothing():
    found = one_shot(exit_code=3)
    assert found.notes == [{"kind": "exited", "subject": "nova_compute_init", "detail": "3"}]
    assert found.health == [] and about(found) == []


def test_without_a_target_a_one_shot_need_not_run_either():
    openstack = valid()
    openstack["services"] = {"nova-init": INIT}
    facts = told(OLD, openstack=openstack)
    facts["containers"]["nova_compute_init"]["running"] = False
    openstack["target_version"] = ""
    assert compared(facts | {"target": ""}, openstack=openstack).health == []


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


def found_cloud():
    """The valid pillar, every service found."""
    openstack = valid()
    openstack["service_defaults"]["definition"] = "found"
    return openstack


def test_a_found_service_is_told_by_its_digest_and_needs_no_quadlet_of_ours():
    openstack = found_cloud()
    assert compared(told(NEW, openstack=openstack), openstack=openstack).deployed == NEW
    old = compared(told(OLD, openstack=openstack), openstack=openstack)
    kinds = {one.kind for some in old.stages.values() for one in some if one.subject == "nova_compute"}
    assert kinds == {Kind.CONTAINER_IMAGE} and old.deployed == OLD


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


def test_a_node_on_which_nothing_is_carried_and_no_package_is_known_is_at_no_release():
    openstack = found_cloud()
    for release in openstack["releases"].values():
        release["packages"] = {}
    facts = told(NEW, openstack=openstack) | {"carried": {}, "containers": {}}
    assert compared(facts, openstack=openstack).deployed is None


def test_a_found_container_that_is_gone_though_its_unit_is_there_differs():
    openstack = found_cloud()
    facts = told(NEW, openstack=openstack)
    del facts["containers"]["nova_compute"]
    found = compared(facts, openstack=openstack)
    assert [one.kind for one in about(found, "nova_compute")] == [Kind.CONTAINER_STOPPED]
    assert [one.kind for one in found.health] == [Kind.NOT_RUNNING] and found.deployed is None


def test_a_declared_service_whose_name_is_somebody_elses_differs_by_that():
    facts = told(NEW)
    facts["managed"].remove("nova_compute")
    (one,) = about(compared(facts), "nova_compute")
    assert (one.kind, one.have) == (Kind.CONTAINER_FOREIGN, "nova_compute.service")
    facts["legacy_units"] = {"nova_compute": ["edpm_nova_compute"]}  # whose place ours takes
    assert about(compared(facts), "nova_compute") == []


def test_a_definition_that_would_start_another_image_is_told():
    openstack = found_cloud()
    facts = told(NEW, openstack=openstack)
    facts["carried"]["nova_compute"] |= {"image": "registry.example/nova:current", "digests": [digest(OLD)]}
    (note,) = compared(facts, openstack=openstack).notes
    assert (note["kind"], note["subject"]) == ("defined", "nova_compute")
