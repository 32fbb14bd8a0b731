"""What an update between two releases does to a node of each role, by the code that plans updates."""

from __future__ import annotations

import pytest

from openstack_rollout.declared import release_diff
from openstack_rollout.drains.kinds import Drains
from openstack_rollout.rollout import effects
from openstack_rollout.screens import release_diff as screen
from tests.unit.simulated_fleet import DRAIN, Cloud, Master, SimulatedDrain, digest, refusal


@pytest.fixture
def cloud():
    return Cloud(target="1.0.1", controller=1, compute=2)


def of_roles(cloud, first="1.0.0"):
    return effects.of_roles(
        cloud.model, first, lambda model: Drains(model, None, {DRAIN: lambda *_: SimulatedDrain(cloud)})
    )


def by_stage(told, role):
    return {one["stage"]: one for one in told["roles"][role]}


def test_each_role_has_its_restarts_packages_drains_and_reboots(cloud):
    cloud.policy("compute", drain=DRAIN)
    cloud.openstack["system"] = {"reboot": "when_required"}
    told = of_roles(cloud)
    assert told["unknown"] == {}
    computes, controllers = by_stage(told, "compute"), by_stage(told, "controller")
    assert list(computes) == ["ovn", "services", "ovs", "system"]
    assert list(controllers) == ["ovn", "control_plane", "ovs", "system"]
    assert computes["services"]["restarts"] == ["services"] and computes["services"]["packages"] == {}
    assert computes["system"]["packages"] == {"bash": "1.0.1"} and computes["system"]["restarts"] == []
    assert computes["ovs"]["packages"] == {"openvswitch": "1.0.1"}
    assert computes["system"]["reboot"] == "when_required" and computes["services"]["reboot"] == "never"
    assert computes["system"]["drain"] == DRAIN and controllers["system"]["drain"] == "none"
    assert computes["services"]["drain"] == "none"


def test_it_is_what_a_plan_of_real_nodes_has(cloud, tmp_path):
    """The steps are those of the nodes of an update that begins now."""
    cloud.policy("compute", drain=DRAIN)
    told = of_roles(cloud)
    master = Master(cloud, tmp_path)
    run = master.rollout().begin()
    for role in ("controller", "compute"):
        real = {
            stage.stage: [node.steps for round_ in stage.rounds for one in round_.roles if one.role == role
                          for node in one.nodes]
            for stage in run.plan.stages
        }  # fmt: skip
        mine = by_stage(told, role)
        assert {stage for stage, some in real.items() if some} == set(mine)
        for stage, one in mine.items():
            assert set(one["steps"]) == {step for steps in real[stage] for step in steps}


def test_only_what_is_different_has_an_effect(cloud):
    releases = cloud.openstack["releases"]
    releases["1.0.1"] = {**releases["1.0.0"], "packages": {**releases["1.0.0"]["packages"], "bash": "2"}}
    told = of_roles(cloud)
    assert [one["stage"] for one in told["roles"]["compute"]] == ["system"]


def test_a_custom_image_takes_the_place_of_the_releases_and_nothing_restarts(cloud):
    cloud.openstack["custom_images"] = {"services_image": f"registry.example/x@{digest('services', '1.0.2')}"}
    assert "services" not in by_stage(of_roles(cloud), "compute")
    told = release_diff.content(cloud.model, "1.0.0", "1.0.1")
    assert told["images"]["services_image"]["custom"] and not told["images"]["ovn_image"]["custom"]


def test_a_role_of_which_a_release_lacks_an_image_is_named_and_hides_no_other(cloud):
    del cloud.openstack["releases"]["1.0.0"]["images"]["services_image"]
    told = of_roles(cloud)
    assert list(told["unknown"]) == ["compute"] and "services_image" in told["unknown"]["compute"]
    assert told["roles"]["compute"] == [] and told["roles"]["controller"]


def test_families_of_distributions_are_told_apart_where_releases_do(cloud):
    for version in ("1.0.0", "1.0.1"):
        cloud.openstack["releases"][version]["packages"]["bash"] = {"Debian": f"{version}-deb", "RedHat": "5"}
    told = [one for one in of_roles(cloud)["roles"]["compute"] if one["stage"] == "system"]
    assert [(one["os_family"], one["packages"]) for one in told] == [("Debian", {"bash": "1.0.1-deb"})]


def test_floors_newest_and_packages_that_only_one_release_names(cloud):
    first, second = (cloud.openstack["releases"][one]["packages"] for one in ("1.0.0", "1.0.1"))
    first |= {"floor": ">=2", "gone": "1"}
    second |= {"floor": "3", "new": "1"}
    told = by_stage(of_roles(cloud), "compute")["system"]["packages"]
    assert told == {"bash": "1.0.1", "floor": "3", "new": "1"}
    said = release_diff.content(cloud.model, "1.0.0", "1.0.1")["packages"]
    assert said["gone"] == {"from": "1", "to": None} and said["new"] == {"from": None, "to": "1"}


def test_what_else_is_new_is_told(cloud):
    after = cloud.openstack["releases"]["1.0.1"]
    after |= {
        "notes": ["read <this> & that"],
        "irreversible": True,
        "migrations": [{"name": "convert", "stage": "ovn", "command": ["true"]}],
    }
    told = release_diff.content(cloud.model, "1.0.0", "1.0.1")
    assert told["migrations"] == ["convert (ovn)"] and told["irreversible"] and told["newer"] is True
    assert release_diff.content(cloud.model, "1.0.1", "1.0.0")["newer"] is False
    error = refusal(lambda: release_diff.content(cloud.model, "1.0.0", "9"))
    assert error.reason == "UNKNOWN_TARGET"
    for one in told["images"].values():
        one |= {"built": ["2026-01-02T03:04:05Z", ""], "labels": {"version": ["1", "<b>2</b>"]}}
        one["packages"] = {"openssl": ["3.0-1", ""]}
    mends = {"severity": "Important", "cves": ["CVE-2026-1"], "packages": {"openssl": "3.0-2"}}
    data = {**told, **of_roles(cloud), "advisories": {"RLSA-1": mends}}
    text = screen.text(data)
    assert "1.0.0 to 1.0.1; 3 images differ, 0 are the same, 2 packages differ" in text
    assert "2026-01-02" in text and "convert (ovn)" in text and "nodes cannot go back" in text
    assert "RLSA-1" in text and "CVE-2026-1" in text and "openssl 3.0-2" in text
    page = screen.html(data, 0)
    assert "&lt;b&gt;2&lt;/b&gt;" in page and "<b>2" not in page and "read &lt;this&gt;" in page
    assert "http://" not in page and "<script" not in page
