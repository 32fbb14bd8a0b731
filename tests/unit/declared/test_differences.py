"""A node's facts compared with what is declared: differences, and what is broken."""

from __future__ import annotations

import dataclasses
import json

import pytest

from openstack_rollout.declared import differences, share
from openstack_rollout.declared.differences import CONTAINERS, Difference, Kind
from openstack_rollout.declared.facts import read
from tests.unit.cloud_pillar import NEW, OLD, digest, model, node, reference, valid
from tests.unit.declared.judged import HALF, about, compared, deployed, found_cloud, told


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


def test_a_disabled_switch_is_a_difference_of_the_ovs_stage():
    facts = told()
    facts["openvswitch"]["enabled"] = False
    found = compared(facts)
    assert found.stages["ovs"] == [Difference("ovs", Kind.SWITCH_DISABLED, "openvswitch.service")]


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


def test_a_change_that_was_not_finished_opens_the_stage_of_its_service():
    found = compared(told(pending=["ovn_controller", "nova_compute", "unknown"]))
    assert found.stages["ovn"] == [Difference("ovn", Kind.CHANGE_UNFINISHED, "ovn_controller")]
    assert found.stages["services"] == [Difference("services", Kind.CHANGE_UNFINISHED, "nova_compute")]
    assert found.deployed == NEW


IMAGE = f"registry.example/os@{digest(NEW)}"


@pytest.mark.parametrize(
    ("booted", "staged", "open_"),
    [("old", None, True), ("old", IMAGE, False), (IMAGE, None, False), (IMAGE, "old", True)],
)
def test_a_bootc_host_is_at_its_image_and_its_packages_are_those_of_the_image(booted, staged, open_):
    openstack = valid()
    openstack["releases"][NEW]["images"]["bootc_os_container_image"] = IMAGE
    facts = told(openstack=openstack, bootc={"booted": booted, "digest": None, "staged": staged})
    facts["packages"]["curl"] = ["other"]
    found = compared(facts, openstack=openstack)
    image = Difference("system", Kind.SYSTEM_IMAGE, "system image", staged or booted, IMAGE)
    assert found.stages["system"] == ([image] if open_ else [])
    assert found.deployed == (None if open_ else NEW)


def test_kinds_about_containers():
    assert {kind for kind in Kind if kind.value.startswith(("container_", "change_"))} == set(CONTAINERS)


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


def test_a_found_service_is_told_by_its_digest_and_needs_no_quadlet_of_ours():
    openstack = found_cloud()
    assert compared(told(NEW, openstack=openstack), openstack=openstack).deployed == NEW
    old = compared(told(OLD, openstack=openstack), openstack=openstack)
    kinds = {one.kind for some in old.stages.values() for one in some if one.subject == "nova_compute"}
    assert kinds == {Kind.CONTAINER_IMAGE} and old.deployed == OLD


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


def waiting(openstack=None, wait="auto", **changes):
    """What differs in the OVN stage of a node at the target, whose share wants something of the setting."""
    openstack = {**(openstack or valid()), "ovn": {"wait_before_clear": wait}}
    wait = {"have": "8000", "theirs": "8000", "longest": 500, "flows": 100_000, "by_itself": False, **changes}
    found = compared(told(openstack=openstack, ovn_wait=wait), openstack=openstack)
    return found, found.stages["ovn"]


def test_a_chassis_whose_flows_take_longer_than_it_is_set_to_differs_and_is_at_its_release():
    found, (one,) = waiting()
    assert one == Difference("ovn", Kind.OVN_WAIT, "ovn-ofctrl-wait-before-clear", "8000", "48000")
    assert found.deployed == NEW and found.notes == []
    assert waiting(have="48000")[1] == [] and waiting(by_itself=True)[1] == []
    assert waiting(have="")[1][0].have is None
    assert waiting(wait="keep")[1] == []
    assert compared(told()).stages["ovn"] == []


def test_a_number_that_is_less_than_somebody_elses_is_told_and_nothing_differs():
    found, open_ = waiting(wait=5000)
    assert open_ == []
    assert found.notes == [
        {"kind": "wait_stays", "subject": "ovn-ofctrl-wait-before-clear", "detail": "8000"}
    ]
