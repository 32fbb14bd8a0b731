"""Differences, the measured version and facts."""

import json

import pytest

from openstack_rollout import measure, release
from tests.unit.cloud_pillar import NEW, OLD, digest, measured_at, node, valid


@pytest.mark.parametrize(
    "roles", [["controller"], ["gateway"], ["compute"], ["storage"], ["controller", "compute"]]
)
@pytest.mark.parametrize("version", [OLD, NEW])
def test_a_node_at_a_release_is_measured_so(roles, version):
    openstack = valid()
    measured = measured_at(openstack, version, node(*roles))
    desired = release.resolve(openstack, version, node(*roles))
    assert measure.differences(desired, measured) == {stage: [] for stage in desired["stages"]}
    assert measure.deployed(openstack, node(*roles), measured) == version


def test_differences_name_the_release_whose_image_runs():
    openstack = valid()
    facts = measure.facts(openstack, node("compute"), measured_at(openstack, OLD, node("compute")))
    assert facts["deployed"] == OLD
    assert facts["target"] == NEW
    assert facts["stages"]["ovn"] == [
        f"container ovn_controller: runs image 1.0.0 (aaaaaaaaaaaa), "
        f"wants registry.example/ovn-controller@{digest(NEW)}"
    ]
    assert facts["stages"]["ovs"] == [
        "package lab-openvswitch: 3-1.0.0, wants 3-1.0.1",
        "package openvswitch3.5: not installed, wants 3-1.0.1",
        "package openvswitch3.4: of a stream that the release left",
    ]
    assert facts["services"]["nova"]["release"] == OLD
    assert facts["packages"]["curl"] == {"stage": "system", "installed": ["7-1.0.0"], "wanted": "7-1.0.1"}
    assert facts["health"] == []
    assert json.loads(json.dumps(facts)) == facts


def test_one_old_container_keeps_a_node_from_its_release():
    openstack = valid()
    measured = measured_at(openstack, NEW, node("compute"))
    measured["containers"]["nova_compute"]["image_id"] = "a" * 60
    assert measure.deployed(openstack, node("compute"), measured) is None
    desired = release.resolve(openstack, NEW, node("compute"))
    assert [stage for stage, lines in measure.differences(desired, measured).items() if lines] == ["services"]


def test_containers_that_are_missing_stopped_sick_or_unknown():
    openstack = valid()
    measured = measured_at(openstack, NEW, node("compute"))
    del measured["containers"]["ovn_controller"]
    measured["containers"]["nova_compute"]["running"] = False
    measured["containers"]["node_exporter"]["healthy"] = False
    measured["containers"]["dnsmasq-1"] = {"running": True, "image_id": "d" * 60, "healthy": None}
    measured["openvswitch"]["active"] = False
    facts = measure.facts(openstack, node("compute"), measured)
    assert facts["stages"]["ovn"][0].startswith("container ovn_controller: does not exist")
    assert facts["stages"]["services"] == ["container nova_compute: is not running"]
    assert facts["health"] == [
        "container ovn_controller: not running",
        "container nova_compute: not running",
        "container node_exporter: unhealthy",
        "unit openvswitch.service: not active",
    ]
    assert facts["notes"] == ["container dnsmasq-1: runs beside the catalogue"]


def test_a_disabled_switch_is_a_difference_of_the_ovs_stage():
    measured = measured_at(valid(), NEW, node("compute"))
    measured["openvswitch"]["enabled"] = False
    facts = measure.facts(valid(), node("compute"), measured)
    assert facts["stages"]["ovs"] == ["unit openvswitch.service: is not enabled"]


def test_a_custom_image_is_named_custom_and_counts():
    openstack = valid()
    fix = f"registry.example/fix@{digest('x')}"
    openstack["custom_images"] = {"nova_compute_image": fix}
    measured = measured_at(openstack, NEW, node("compute"))
    facts = measure.facts(openstack, node("compute"), measured)
    assert facts["deployed"] == NEW
    assert facts["services"]["nova"]["release"] == "custom"
    measured["containers"]["nova_compute"]["image_id"] = "b" * 60
    assert measure.facts(openstack, node("compute"), measured)["deployed"] is None


def test_the_target_wins_where_releases_are_alike():
    openstack = valid()
    openstack["releases"]["1.0.2"] = openstack["releases"][NEW]
    measured = measured_at(openstack, NEW, node("compute"))
    assert measure.deployed(openstack, node("compute"), measured) == NEW
    openstack["target_version"] = "1.0.2"
    assert measure.deployed(openstack, node("compute"), measured) == "1.0.2"


def test_a_release_that_lacks_images_is_none_to_be_at():
    openstack = valid()
    measured = measured_at(openstack, NEW, node("compute"))
    openstack["releases"]["2.0.0"] = {}
    assert measure.deployed(openstack, node("compute"), measured) == NEW
    assert measure.deployed(openstack, node(), measured) is None


@pytest.mark.parametrize(
    ("stage", "wanted", "installed", "install", "remove"),
    [
        ("system", {"a": "2"}, {}, {}, []),
        ("system", {"a": "2"}, {"a": ["1"]}, {"a": "2"}, []),
        ("system", {"a": "0:2"}, {"a": ["2"]}, {}, []),
        ("system", {"kernel-core": "2"}, {"kernel-core": ["1", "2"]}, {}, []),
        (
            "ovs",
            {"openvswitch3.5": "5"},
            {"openvswitch3.4": ["4"]},
            {"openvswitch3.5": "5"},
            ["openvswitch3.4"],
        ),
        ("ovs", {"openvswitch3.5": "5"}, {"openvswitch3.5": ["5"]}, {}, []),
        ("ovs", {"openvswitch3.5": "5"}, {}, {}, []),
        ("ovs", {"openvswitch3.5": "5", "openvswitch3.5-devel": "5"}, {"openvswitch3.5": ["5"]}, {}, []),
        ("ovs", {}, {"openvswitch3.4": ["4"]}, {}, []),
        # a transaction that was killed between the new and the old packages
        (
            "ovs",
            {"x-openvswitch": "5", "openvswitch3.5": "5"},
            {"x-openvswitch": ["4", "5"], "openvswitch3.4": ["4"], "openvswitch3.5": ["5"]},
            {},
            ["openvswitch3.4", "x-openvswitch-4"],
        ),
        ("ovs", {"openvswitch3.5": "5"}, {"openvswitch": ["2"]}, {"openvswitch3.5": "5"}, []),
        ("ovs", {"openvswitch3.5": "5"}, {"openvswitch-switch": ["3"]}, {}, []),
        ("ovs", {"openvswitch-switch": "4"}, {"openvswitch-switch": ["3"]}, {"openvswitch-switch": "4"}, []),
        (
            "ovs",
            {"x-openvswitch": "5", "openvswitch3.5": "5"},
            {"x-openvswitch": ["4"], "openvswitch3.4": ["4"]},
            {"x-openvswitch": "5", "openvswitch3.5": "5"},
            ["openvswitch3.4"],
        ),
        # a transaction that broke after it had taken the old stream away
        (
            "ovs",
            {"x-openvswitch": "5", "openvswitch3.5": "5"},
            {"x-openvswitch": ["5"]},
            {"openvswitch3.5": "5"},
            [],
        ),
    ],
)
def test_package_changes(stage, wanted, installed, install, remove):
    assert measure.package_changes(stage, wanted, installed) == (install, remove)


@pytest.mark.parametrize("reload", [True, False])
def test_a_stale_switch_is_a_difference_only_where_a_reload_is_wanted(reload):
    openstack = {**valid(), "ovs": {"reload": reload}}
    measured = measured_at(openstack, NEW, node("compute"))
    measured["switch"] = {"running": "3.4.0", "installed": "3.5.0", "stale": True, "daemons": {}}
    facts = measure.facts(openstack, node("compute"), measured)
    assert facts["switch"] == {"running": "3.4.0", "installed": "3.5.0", "stale": True}
    assert facts["stages"]["ovs"] == (["switch: runs 3.4.0, 3.5.0 is installed"] if reload else [])
    assert facts["deployed"] == (None if reload else NEW)
    assert facts["health"] == []
