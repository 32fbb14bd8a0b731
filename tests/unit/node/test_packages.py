"""What has to happen to packages."""

from __future__ import annotations

import pytest

from openstack_rollout.node import packages


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
        # a controller's bindings need no switch
        ("ovs", {"openvswitch3.5": "5"}, {"python3-openvswitch": ["3"]}, {}, []),
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
    assert packages.changes(stage, wanted, installed) == (install, remove)


@pytest.mark.parametrize(
    ("installed", "met", "install"),
    [
        (["2"], True, {}),
        (["1"], False, {"a": ">=2"}),
        ([], True, {"a": ">=2"}),  # no version of it is no version that is new enough
    ],
)
def test_a_floor_is_met_as_whoever_knows_says(installed, met, install):
    asked = []

    def meets(name, floor):
        asked.append((name, floor))
        return met

    assert packages.changes("system", {"a": ">=2"}, {"a": installed}, meets) == (install, [])
    assert asked == ([("a", ">=2")] if installed else [])


def test_a_floor_that_nobody_can_tell_of_is_not_met():
    assert packages.changes("system", {"a": ">=2"}, {"a": ["3"]}) == ({"a": ">=2"}, [])


def test_the_newest_is_there_where_nothing_newer_is_offered():
    wanted, installed = {"a": "newest", "b": "newest", "absent": "newest"}, {"a": ["1"], "b": ["1"]}
    assert packages.changes("services", wanted, installed) == ({}, [])
    assert packages.changes("services", wanted, installed, newer={"a": "2"}) == ({"a": "2"}, [])
    assert packages.changes("services", {"a": "1"}, installed, newer={"a": "2"}) == ({}, [])  # a pin stays


def test_a_floor_is_none_of_a_package_that_is_not_there():
    assert packages.changes("system", {"a": ">=2"}, {}) == ({}, [])


@pytest.mark.parametrize(
    ("installed", "answers", "met"),
    [
        (["3"], {"3": 1}, True),
        (["2"], {"2": 0}, True),
        (["1"], {"1": -1}, False),
        (["x"], {"x": None}, False),
        (["1", "3"], {"1": -1, "3": 1}, True),
        (["1", "x"], {"1": -1, "x": None}, False),
        (["x", "3"], {"x": None, "3": 1}, True),
        ([], {}, False),
    ],
)
def test_what_a_package_manager_cannot_compare_is_not_met(installed, answers, met):
    compared = []

    def compare(one, least):
        compared.append(least)
        return answers[one]

    meets = packages.meets_by({"a": installed}, compare)
    assert meets("a", ">= 2") is met and set(compared) <= {"2"}
    assert not meets("other", ">= 2")


@pytest.mark.parametrize(
    ("stage", "mended"),
    [("services", {"own"}), ("system", {"own", "other"}), ("ovs", {"own"})],
)
def test_what_a_stage_mends(stage, mended):
    broken = ["own", "other", "excluded", "openvswitch3.5", "salt-minion"]
    assert packages.to_mend(stage, ["own", "whole"], broken, ["ex*"]) == mended


def test_a_package_of_another_architecture_is_called_by_it():
    called = [packages.salts_name("glibc", arch, "x86_64") for arch in ("x86_64", "noarch", "i686")]
    assert called == ["glibc", "glibc", "glibc.i686"]
    called = [packages.salts_name("libc6", arch, "amd64", ":") for arch in ("amd64", "all", "i386")]
    assert called == ["libc6", "libc6", "libc6:i386"]


def test_a_glob_means_a_package_of_every_architecture():
    assert packages.matches("libold:i386", ["libold"]) and packages.matches("libold:i386", ["lib*:i386"])
    assert not packages.matches("libold", ["libold:i386"])


@pytest.mark.parametrize("name", ["openvswitch", "openvswitch3.5", "openvswitch3.5-devel", "lab-openvswitch"])
def test_packages_of_the_switch(name):
    assert packages.of_the_switch(name) and not packages.of_the_switch(name.replace("vswitch", "vnet"))
