"""Without a target_version the system stage alone can run: critical patches do not wait for a release."""

from __future__ import annotations

import pytest

from openstack_rollout import measure, release, validation
from openstack_rollout.errors import RolloutError
from tests.unit.cloud_pillar import OLD, measured_at, node, valid
from tests.unit.simulated_fleet import Cloud, Master, refusal


def test_a_pillar_without_target_is_right_for_the_system_stage_alone():
    openstack = {**valid(), "target_version": ""}
    assert validation.checked({"openstack": openstack}) == openstack
    assert release.wanted(openstack, ["system"]) == release.NO_RELEASE
    with pytest.raises(RolloutError, match="UNKNOWN_TARGET"):
        release.wanted(openstack, ["ovs", "system"])
    assert any("target_version" in line for line in validation.problems(openstack))


def test_a_node_has_the_system_stage_alone_and_is_as_healthy_as_its_release():
    openstack = {**valid(), "target_version": ""}
    measured = measured_at(openstack, OLD, node("compute"))
    measured["containers"]["nova_compute"]["healthy"] = False
    facts = measure.facts(openstack, node("compute"), measured)
    assert (facts["target"], facts["deployed"], list(facts["stages"])) == ("", OLD, ["system"])
    assert facts["health"] == ["container nova_compute: unhealthy"]
    # A container that does not run makes the node one of no release: what runs there is asked all the same.
    measured["containers"] |= {"nova_compute": {**measured["containers"]["nova_compute"], "running": False}}
    del measured["containers"]["ovn_controller"]
    stopped = measure.facts(openstack, node("compute"), measured | {"managed": ["ovn_controller"]})
    assert (stopped["deployed"], stopped["health"]) == (
        None,
        ["container ovn_controller: not running", "container nova_compute: not running"],
    )


def test_what_is_newer_is_open_without_a_target():
    openstack = {**valid(), "target_version": ""}
    measured = measured_at(openstack, OLD, node("compute"))
    newer = measured | {"newer": {"upgrade": {"bash": "5.2"}}}
    assert measure.facts(openstack, node("compute"), newer)["stages"]["system"] == ["newer packages: bash"]


def test_what_releases_name_waits_for_a_release():
    openstack = {**valid(), "target_version": ""}
    settings = release.resolve(openstack, release.NO_RELEASE, node("compute"))["system"]
    assert {"curl", "openstack-selinux"} <= set(settings["kept"]) and settings["packages"] == {}
    openstack["releases"] = {}
    assert release.resolve(openstack, release.NO_RELEASE, node("compute"))["system"]["kept"] == [
        *release.OVS_PACKAGES
    ]


def test_the_stage_runs_and_the_update_is_refused(tmp_path):
    cloud = Cloud(compute=2, target="")
    for one in cloud.nodes.values():
        one.at = {"system": "older"}
    master = Master(cloud, tmp_path)
    assert refusal(master.update).reason == "UNKNOWN_TARGET"
    master.rollout().stage("system")
    assert master.run["state"] == "completed" and cloud.statuses("apply") == ["compute1", "compute2"]
