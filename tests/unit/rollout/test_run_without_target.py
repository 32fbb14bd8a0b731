"""Without a target_version the system stage alone can run: critical patches do not wait for a release."""

from __future__ import annotations

import pytest

from openstack_rollout.declared import reading, releases, share
from openstack_rollout.declared.comparison import Comparison
from openstack_rollout.declared.differences import Difference, Kind
from openstack_rollout.declared.facts import read
from openstack_rollout.errors import RolloutError
from openstack_rollout.node.packages import OVS_PACKAGES
from tests.unit.cloud_pillar import OLD, facts_at, model, node, valid
from tests.unit.simulated_fleet import Cloud, Master, refusal

UNTARGETED = {**valid(), "target_version": ""}
COMPUTE = node("compute")


def compared(told):
    return Comparison(model(UNTARGETED)).compare(read("node1", told), COMPUTE.roles, None)


def test_a_pillar_without_target_is_right_for_the_system_stage_alone():
    found = reading.read({"openstack": UNTARGETED})
    assert releases.wanted(found, ["system"]) == releases.NO_RELEASE
    with pytest.raises(RolloutError, match="UNKNOWN_TARGET"):
        releases.wanted(found, ["ovs", "system"])


def test_a_missing_target_is_a_problem_where_one_is_needed():
    problems, found = reading.reasons(UNTARGETED)
    assert [reason for reason, _ in problems] == ["UNKNOWN_TARGET"] and found is None
    assert "target_version" in problems[0][1]


def test_a_node_has_the_system_stage_alone_and_is_as_healthy_as_its_release():
    told = facts_at(UNTARGETED, OLD, COMPUTE)
    told["containers"]["nova_compute"]["healthy"] = False
    found = compared(told)
    assert (found.target, found.deployed, list(found.stages)) == ("", OLD, ["system"])
    assert found.health == [Difference("", Kind.UNHEALTHY, "nova_compute")]
    # A container that does not run makes the node one of no release: what runs there is asked all the same.
    told["containers"]["nova_compute"]["running"] = False
    del told["containers"]["ovn_controller"]
    stopped = compared(told | {"managed": ["ovn_controller"]})
    assert stopped.deployed is None
    assert stopped.health == [
        Difference("", Kind.NOT_RUNNING, "ovn_controller"),
        Difference("", Kind.NOT_RUNNING, "nova_compute"),
    ]


def test_services_are_told_as_those_of_the_release_that_runs():
    found = compared(facts_at(UNTARGETED, OLD, COMPUTE))
    assert {service["release"] for service in found.services.values()} == {OLD} and found.notes == []


def test_what_is_newer_is_open_without_a_target():
    newer = {"upgrade": {"bash": "5.2"}}
    assert compared(facts_at(UNTARGETED, OLD, COMPUTE, newer=newer)).stages["system"] == [
        Difference("system", Kind.NEWER, "packages", None, ["bash"])
    ]


def test_what_releases_name_waits_for_a_release():
    settings = share.desired(model(UNTARGETED), releases.NO_RELEASE, COMPUTE)["system"]
    assert {"curl", "openstack-selinux"} <= set(settings["kept"]) and settings["packages"] == {}
    none = share.desired(model({**UNTARGETED, "releases": {}}), releases.NO_RELEASE, COMPUTE)
    assert none["system"]["kept"] == [*OVS_PACKAGES]


def test_a_share_says_what_a_stage_that_needs_a_release_is_refused_with():
    own = share.share(model(UNTARGETED), COMPUTE)
    assert own["target"] == "" and "target_version" in own["untargeted"]
    assert own["guards"] == {"ovn_controller": "ovn_controller"}
    assert share.share(model(), COMPUTE)["untargeted"] == ""


def test_the_stage_runs_and_the_update_is_refused(tmp_path):
    cloud = Cloud(compute=2, target="")
    for one in cloud.nodes.values():
        one.at = {"system": "older"}
    master = Master(cloud, tmp_path)
    assert refusal(master.update).reason == "UNKNOWN_TARGET"
    master.rollout().stage("system")
    assert master.run.state == "completed" and cloud.statuses("apply") == ["compute1", "compute2"]
