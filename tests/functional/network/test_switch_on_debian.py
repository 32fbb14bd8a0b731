"""Open vSwitch on a plain Debian machine: apt moves its packages, whose own scripts would stop the switch."""

from __future__ import annotations

import pytest

from tests.lab import half_transaction, settings

from . import forwarding
from .test_switch import RUNNING, running, states, switch_pid

LAB_PROFILE = settings.DEBIAN
UNIT = "openvswitch-switch.service"
PACKAGES = ("openvswitch-common", "openvswitch-switch")
POLICY = "/usr/sbin/policy-rc.d"
OWN_POLICY = "#!/bin/sh\nexit 104\n"
UNPACKING = "/usr/lib/openvswitch-switch/ovs-vswitchd.dpkg-new"


def versions(node):
    """package → [version, how it is installed], asked of dpkg."""
    found = {}
    for name in PACKAGES:
        said = node.out(["dpkg", "--status", name]).splitlines()
        fields = dict(line.split(": ", 1) for line in said if line.startswith(("Version: ", "Status: ")))
        found[name] = [fields["Version"], fields["Status"].split(" ", 1)[1]]  # without: install, hold
    return found


@pytest.fixture(scope="module")
def story(node):
    """The ovs stage under traffic: with a package on hold, killed in its middle, run again, then reloaded."""
    forwarding.build(node)
    node.exec(["tee", POLICY], stdin=OWN_POLICY)
    node.exec(["chmod", "755", POLICY])
    node.edit(target_version="1.0.1")
    node.converge("openstack.prefetch")
    found = {"pid": switch_pid(node), "old": versions(node), "flows": forwarding.flows(node)}
    forwarding.start(node)
    node.exec(["apt-mark", "hold", "openvswitch-switch"])
    found["held"] = node.failure("openstack.ovs"), versions(node)
    node.exec(["apt-mark", "unhold", "openvswitch-switch"])
    half_transaction.arm(node.lab, "cmp1", UNPACKING)
    found["failure"] = node.failure("openstack.ovs")
    found["killed"] = half_transaction.disarm(node.lab, "cmp1")
    found["half"] = versions(node), states(node, UNIT), switch_pid(node)
    found["predicted"] = node.predict("openstack.ovs")
    found["changed"] = node.converge("openstack.ovs")
    found["whole"] = versions(node), states(node, UNIT), switch_pid(node)
    found["loss"] = forwarding.stop(node)
    return found


def test_a_held_package_is_the_operators_decision(story):
    comment, packages = story["held"]
    assert comment.startswith("PACKAGE_FAILED: openvswitch-switch: on hold")
    assert packages == story["old"]


def test_dpkg_died_in_the_middle_and_the_node_is_reported(story):
    assert "dpkg" in story["killed"]
    assert story["failure"].startswith("PACKAGE_FAILED: ")
    packages, service, pid = story["half"]
    assert packages != story["whole"][0], packages
    assert (service, pid) == (RUNNING, story["pid"])


def test_the_switch_forwarded_all_the_time(story):
    assert story["loss"].sent > 100 and story["loss"].lost == 0, story["loss"]
    assert story["whole"][1:] == (RUNNING, story["pid"])


def test_the_next_run_converges(node, story):
    assert story["predicted"] == story["changed"] == {"ovs packages"}
    wanted = node.releases["1.0.1"]["packages"]
    assert story["whole"][0] == {name: [wanted[name], "ok installed"] for name in PACKAGES}
    assert node.predict("openstack.ovs") == set()


def test_the_operators_own_policy_is_back(node, story):
    assert node.out(["cat", POLICY]) == OWN_POLICY.strip()
    assert node.out(["find", "/usr/sbin", "-name", "policy-rc.d*"]) == POLICY


def test_a_reload_brings_the_new_switch_with_the_old_flows(node, story):
    old = running(node)
    node.edit(target_version="1.0.1", ovs={"reload": True, "userspace": "accept"})
    forwarding.start(node)
    assert node.converge("openstack.ovs") == {"ovs packages"}
    print(f"reload: {forwarding.stop(node)}")
    assert old != running(node) and states(node, UNIT) == RUNNING
    assert forwarding.flows(node) == story["flows"]
    assert node.call("openstack_node.facts", "fresh=True")["switch"]["stale"] is False
    assert node.predict("openstack.ovs") == set()
