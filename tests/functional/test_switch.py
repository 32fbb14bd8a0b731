"""Open vSwitch on a real machine: it forwards while its packages move, also when dnf dies in the middle.

What is installed runs from a reload on.
"""

from __future__ import annotations

import pytest

from tests.lab import half_transaction

from . import forwarding

UNIT = "openvswitch.service"
OLD, NEW = "3.4.0", "3.5.0"
SWITCH = ("openvswitch3.4", "openvswitch3.5", "rhosp-openvswitch", "openvswitch-selinux-extra-policy")


def switch_packages(node):
    installed = node.packages()
    return {name: installed[name] for name in SWITCH if name in installed}


def running(node):
    return [
        node.out(["ovs-appctl", "-t", daemon, "version"]).splitlines()[0].split()[-1]
        for daemon in ("ovsdb-server", "ovs-vswitchd")
    ]


def switch_pid(node):
    return node.out(["cat", "/run/openvswitch/ovs-vswitchd.pid"])


def schema(node):
    return node.out(["ovsdb-client", "get-schema-version", "unix:/run/openvswitch/db.sock", "Open_vSwitch"])


def states(node, unit=UNIT):
    """Whether the service is enabled; whether it and its daemons are active, which may be not."""
    units = (unit, "ovsdb-server.service", "ovs-vswitchd.service")
    return [
        node.out(["systemctl", "is-enabled", unit]),
        *(node.exec(["systemctl", "is-active", one], check=False).stdout.strip() for one in units),
    ]


RUNNING = ["enabled", "active", "active", "active"]


@pytest.fixture(scope="module")
def story(node):
    """The ovs stage of 1.0.1 under traffic: killed in its middle, run again, then the switch reloaded."""
    forwarding.build(node)
    node.edit(target_version="1.0.1")
    node.converge("openstack.prefetch")
    found = {"pid": switch_pid(node), "flows": forwarding.flows(node), "schema": schema(node)}
    forwarding.start(node)
    half_transaction.arm(node.lab, "cmp1", "/usr/share/rhosp-openvswitch/VERSION", "3.5")
    found["failure"] = node.failure("openstack.ovs")
    found["killed"] = half_transaction.disarm(node.lab, "cmp1")
    found["half"] = switch_packages(node), states(node), switch_pid(node)
    found["half_facts"] = node.call("openstack_node.facts", "fresh=True")
    found["predicted"] = node.predict("openstack.ovs")
    found["changed"] = node.converge("openstack.ovs")
    found["loss"] = forwarding.stop(node)
    found["whole"] = switch_packages(node), states(node), switch_pid(node)
    return found


def test_dnf_died_in_the_middle_and_the_node_is_reported(story):
    assert "dnf" in story["killed"]
    assert story["failure"].startswith("PACKAGE_FAILED: ")
    packages, _, _ = story["half"]
    assert "openvswitch3.4" in packages and "openvswitch3.5" in packages, packages
    assert story["half_facts"]["stages"]["ovs"]


def test_the_switch_forwarded_all_the_time(story):
    assert story["loss"].sent > 100 and story["loss"].lost == 0, story["loss"]
    assert story["half"][1:] == (RUNNING, story["pid"])
    assert story["whole"][1:] == (RUNNING, story["pid"])


def test_the_next_run_converges_and_leaves_nothing_twice(node, story):
    assert story["predicted"] == story["changed"] == {"ovs packages"}
    wanted = node.releases["1.0.1"]["packages"]
    assert story["whole"][0] == {name: [wanted[name]] for name in SWITCH if name in wanted}
    assert node.predict("openstack.ovs") == set()


def test_the_old_switch_that_still_runs_is_stale_and_no_failure(node, story):
    assert running(node) == [OLD, OLD]
    facts = node.call("openstack_node.facts", "fresh=True")
    assert facts["switch"] == {"running": OLD, "installed": NEW, "stale": True}
    assert not facts["stages"]["ovs"] and not [line for line in facts["health"] if "data path" in line]


def test_a_reload_under_workloads_is_refused_before_anything_is_touched(node, story):
    node.exec(["ovs-vsctl", "set", "interface", "port1", "external_ids:iface-id=vm1"])
    node.edit(target_version="1.0.1", ovs={"reload": True})
    assert node.failure("openstack.ovs").startswith("WORKLOADS_PRESENT: cmp1: ")
    assert (running(node), switch_pid(node)) == ([OLD, OLD], story["pid"])


@pytest.fixture
def inconvertible(node, story):
    """A schema that the database cannot be converted to."""
    place = "/usr/share/openvswitch/vswitch.ovsschema"
    node.exec(["cp", place, "/run/schema"])
    change = r's/"datapath_type": {\s*"type": "string"/"datapath_type": {"type": "integer"/'
    node.exec(["sed", "-i", "-z", change, place])
    yield
    node.exec(["cp", "/run/schema", place])


def test_a_conversion_that_would_fail_is_refused_before_the_reload(node, story, inconvertible):
    node.edit(target_version="1.0.1", ovs={"reload": True, "userspace": "accept"})
    assert "cannot be converted" in node.failure("openstack.ovs")
    assert (running(node), switch_pid(node), schema(node)) == ([OLD, OLD], story["pid"], story["schema"])
    assert states(node) == RUNNING


def test_a_reload_brings_the_new_switch_with_the_old_flows(node, story):
    node.edit(target_version="1.0.1", ovs={"reload": True, "userspace": "accept"})
    assert node.predict("openstack.ovs") == {"ovs packages"}
    forwarding.start(node)
    assert node.converge("openstack.ovs") == {"ovs packages"}
    loss = forwarding.stop(node)
    print(f"reload: {loss}")
    assert running(node) == [NEW, NEW] and states(node) == RUNNING
    assert forwarding.flows(node) == story["flows"]
    assert schema(node) != story["schema"]
    assert node.out(["ovs-vsctl", "get", "open_vswitch", ".", "external_ids:system-id"]).strip('"') == "cmp1"
    assert "flow-restore-wait" not in node.out(["ovs-vsctl", "get", "open_vswitch", ".", "other_config"])
    node.exec(["ip", "netns", "exec", "probe1", "ping", "-c3", "-i0.2", "-W5", "192.0.2.2"])


def test_nothing_is_left_to_do_and_the_node_is_no_longer_stale(node, story):
    assert node.predict("openstack.ovs") == set()
    assert node.call("openstack_node.facts", "fresh=True")["switch"]["stale"] is False


def test_a_data_path_that_is_not_what_it_was_is_named_until_it_is_back(node, story):
    node.call("datapath.record")
    node.exec(["ovs-ofctl", "del-flows", forwarding.BRIDGE])
    single = node.call("state.single", "datapath.verified", "name=after", "timeout=1")
    said = next(iter(single.values()))["comment"]
    assert said.startswith("DATAPATH_BROKEN: cmp1: ") and f"bridge {forwarding.BRIDGE}: 0 flows" in said
    assert any(forwarding.BRIDGE in line for line in node.call("openstack_node.facts")["health"])
    node.exec(["ovs-ofctl", "add-flows", forwarding.BRIDGE, "-"], stdin="\n".join(story["flows"]) + "\n")
    assert node.converge("openstack.ovs") == set()
    assert node.call("datapath.missing") == []
