"""What apt's own settings say of packages that stay."""

from __future__ import annotations

import pytest

from openstack_rollout.node import apt_policy

HEAD = "curl:\n  Installed: 1.0-1\n  Candidate: {candidate}\n  Version table:\n"
TABLE = (
    "     1.1-1 {priority}{phased}\n        500 http://x ./ Packages\n"
    " *** 1.0-1 100\n        100 /var/lib/dpkg/status\n"
)


@pytest.mark.parametrize(
    ("candidate", "priority", "phased", "held", "cause", "by"),
    [
        ("1.1-1", "500", "", False, "dependencies", ""),
        ("1.1-1", "500", "", True, "hold", ""),
        ("1.0-1", "100", "", True, "hold", ""),
        ("1.1-1", "500", " (phased 20%)", False, "phased", "20%"),
        ("1.0-1", "500", "", False, "pin", "500 for it, 100 for 1.0-1"),
        ("1.0-1", "-10", "", False, "pin", "-10 for it, 100 for 1.0-1"),
        ("(none)", "-1", "", False, "pin", "-1 for it, 100 for 1.0-1"),
    ],
)
def test_the_cause_is_told(candidate, priority, phased, held, cause, by):
    said = HEAD.format(candidate=candidate) + TABLE.format(priority=priority, phased=phased)
    policy = apt_policy.read(f"N: a line for people\n{said}")["curl"]
    assert apt_policy.stay(policy, held) == {"version": "1.1-1", "cause": cause, "by": by}


@pytest.mark.parametrize(
    ("candidate", "priority", "phased", "offered"),
    [
        ("1.1-1", "500", "", "1.1-1"),
        ("1.1-1", "500", " (phased 20%)", ""),
        ("1.0-1", "500", "", ""),
        ("(none)", "-1", "", ""),
    ],
)
def test_what_apt_would_bring_is_newer_and_for_this_machine(candidate, priority, phased, offered):
    said = HEAD.format(candidate=candidate) + TABLE.format(priority=priority, phased=phased)
    assert apt_policy.offered(apt_policy.read(said)["curl"]) == offered


def test_an_older_version_that_a_pin_prefers_is_not_newer():
    table = " *** 1.1-1 100\n        100 /var/lib/dpkg/status\n     1.0-1 1001\n"
    said = HEAD.format(candidate="1.0-1").replace("Installed: 1.0-1", "Installed: 1.1-1") + table
    assert apt_policy.offered(apt_policy.read(said)["curl"]) == ""


def test_a_version_of_backports_is_not_newer():
    said = HEAD.format(candidate="1.0-1") + TABLE.format(priority="100", phased="")
    assert apt_policy.stay(apt_policy.read(said)["curl"], held=False) == {}


def test_what_is_at_its_newest_or_not_installed_has_no_cause():
    here = "curl:\n  Installed: 1\n  Candidate: 1\n  Version table:\n *** 1 500\n"
    absent = "wget:\n  Installed: (none)\n  Candidate: 1\n  Version table:\n     1 500\n"
    found = apt_policy.read(here + absent)
    assert list(found) == ["curl"] and apt_policy.stay(found["curl"], held=False) == {}


def test_a_package_of_another_architecture_has_a_policy_of_its_own():
    own = "curl:\n  Installed: 1\n  Candidate: 1\n  Version table:\n *** 1 500\n"
    other = "curl:i386:\n  Installed: 2\n  Candidate: 2\n  Version table:\n *** 2 500\n"
    found = apt_policy.read(own + other)
    assert {name: policy.installed for name, policy in found.items()} == {"curl": "1", "curl:i386": "2"}
