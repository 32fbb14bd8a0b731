"""chassis: what OVN and Open vSwitch print, read; and what a chassis still waits for."""

from __future__ import annotations

import json

import pytest

from openstack_rollout.node import ovn_chassis, ovn_wait, ovsdb

IDS = {"system-id": "cmp1", "ovn-remote": "tcp:10.88.0.11:6642", "hostname": "cmp1"}
FLOWS = """\
NXST_FLOW reply (xid=0x4):
 cookie=0xaa, duration=12.5s, table=0, n_packets=1, priority=100,in_port=3 actions=load:0x1->NXM_NX_REG13[]
 cookie=0x0, duration=9.407s, table=0, n_packets=0, priority=120,icmp,in_port=12 actions=resubmit(,43)
"""
STOPWATCH = """\
Statistics for 'flow-generation'
  Total samples: 48
  Maximum: 288 msec
  Minimum: 0 msec
"""
CAUGHT_UP = {
    "connection": "connected", "chassis": True, "nb_cfg": 7, "wanted_nb_cfg": 7,
    "flows": 100, "oldest_flow": 2.0, "age": 3.0, "missing": [],
}  # fmt: skip


def test_a_switch_that_ovn_does_not_use_is_no_chassis():
    assert ovn_chassis.settings({}) is None
    assert ovn_chassis.settings({"system-id": "cmp1"}) is None
    assert ovn_chassis.settings({"ovn-remote": "tcp:1.2.3.4:6642"}) is None


def test_the_settings_of_a_chassis():
    found = ovn_chassis.settings(IDS)
    assert (found["name"], found["remote"], found["bridge"]) == ("cmp1", IDS["ovn-remote"], "br-int")
    assert found["wait"] is None


def test_a_setting_for_this_chassis_alone_wins():
    own = {f"{ovn_wait.SETTING}-cmp1": "9000", ovn_wait.SETTING: "1", "ovn-bridge-cmp1": "br-two"}
    found = ovn_chassis.settings({**IDS, **own})
    assert found["bridge"] == "br-two"
    assert found["wait"] == "1", "OVN reads this one by its plain key alone"


@pytest.mark.parametrize(
    ("own", "key"),
    [
        ({}, ""),
        ({"ovn-match-northd-version": "false"}, ""),
        ({"ovn-match-northd-version": "true"}, "ovn-match-northd-version"),
        ({"ovn-match-northd-version": "true", "ovn-match-northd-version-cmp1": "false"}, ""),
        ({"ovn-match-northd-version-cmp1": "true"}, "ovn-match-northd-version-cmp1"),
    ],
)
def test_whether_a_chassis_waits_for_northds_version(own, key):
    assert ovn_chassis.settings({**IDS, **own})["match"] == key


def test_a_controller_of_northds_version():
    printed = "ovn-controller 25.03.0\nOpen vSwitch Library 3.5.0\nSB DB Schema 20.41.0\n"
    assert ovn_chassis.is_of(printed, "25.03.0-20.41.0-83.12")
    assert not ovn_chassis.is_of(printed, "24.03.2-20.33.0-76.8")
    assert not ovn_chassis.is_of("", "25.03.0-20.41.0-83.12")


def test_the_stopwatch_of_a_controller():
    assert ovn_chassis.stopwatch(STOPWATCH) == 288
    assert ovn_chassis.stopwatch(STOPWATCH.replace("48", "0")) is None
    assert ovn_chassis.stopwatch("") is None


def test_the_size_of_the_computed_flows():
    assert ovn_chassis.desired_flows("idl-cells:3 ofctrl_desired_flow_usage-KB:1617 x:2") == 1617
    assert ovn_chassis.desired_flows("idl-cells:3") is None


def test_flows_are_counted_and_their_age_is_read():
    assert ovn_chassis.flow_count("NXST_AGGREGATE reply (xid=0x4): packet_count=0 flow_count=6325") == 6325
    assert ovn_chassis.flow_count("ovs-ofctl: br-int is not a bridge") is None
    assert ovn_chassis.oldest_flow(FLOWS) == 12.5
    assert ovn_chassis.oldest_flow("NXST_FLOW reply (xid=0x4):\n") is None


def test_a_port_has_flows_by_its_own_number_only():
    assert ovn_chassis.with_flows(FLOWS, {"vm1": 3, "vm2": 1, "vm3": 12, "vm4": -1}) == ["vm1", "vm3"]


def test_the_interfaces_of_workloads():
    text = json.dumps({
        "headings": ["external_ids", "ofport"],
        "data": [
            [["map", [["iface-id", "vm1"]]], 3],
            [["map", []], 1],
            [["map", [["iface-id", "vm2"]]], ["set", []]],
        ],
    })  # fmt: skip
    assert ovn_chassis.interfaces(ovsdb.rows(text)) == {"vm1": 3, "vm2": -1}


def test_a_client_reaches_the_database_with_the_controllers_own_keys():
    started = (
        "sh -c x\n/usr/bin/ovn-controller --pidfile -p /k.pem --certificate=/c.pem -C /ca.pem unix:/db.sock"
    )
    wanted = ["--ca-cert=/ca.pem", "--certificate=/c.pem", "--private-key=/k.pem"]
    assert ovn_chassis.key_options(started, None) == wanted
    row = {"private_key": "/k2.pem", "certificate": "/c2.pem", "ca_cert": "/ca2.pem"}
    assert ovn_chassis.key_options("ovn-controller unix:/db.sock", row)[2] == "--private-key=/k2.pem"
    assert ovn_chassis.key_options("ovn-controller unix:/db.sock", None) == []


BEFORE = {"ports": {"vm1": "", "vm2": "", "cr-lrp": "chassisredirect"}, "with_flows": ["vm1", "vm2"]}


def ports(**changes):
    now = {"ports": dict(BEFORE["ports"]), "interfaces": {"vm1": 1, "vm2": 2}, "with_flows": ["vm1", "vm2"]}
    return now | changes


def test_a_port_that_is_bound_and_has_flows_is_not_lost():
    assert ovn_chassis.lost(BEFORE, ports()) == []
    assert ovn_chassis.lost({}, ports()) == []


def test_a_port_without_binding_or_without_flows_is_lost():
    assert ovn_chassis.lost(BEFORE, ports(ports={"vm2": ""})) == ["cr-lrp", "vm1"]
    assert ovn_chassis.lost(BEFORE, ports(with_flows=["vm1"])) == ["vm2"]


def test_a_workload_that_left_the_node_is_not_missed():
    gone = ports(ports={"vm2": "", "cr-lrp": "chassisredirect"}, interfaces={"vm2": 2}, with_flows=["vm2"])
    assert ovn_chassis.lost(BEFORE, gone) == []


def test_a_chassis_that_is_caught_up_waits_for_nothing():
    assert ovn_chassis.waits(CAUGHT_UP, {"flows": 120}) == []
    assert ovn_chassis.waits({**CAUGHT_UP, "nb_cfg": 9}, {}) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"connection": "not connected"}, "the southbound database (not connected)"),
        ({"connection": ""}, "the controller does not answer"),
        ({"chassis": False}, "its row in the southbound database"),
        ({"nb_cfg": 6}, "nb_cfg 7 (it is at 6)"),
        ({"flows": 0}, "there are none"),
        ({"flows": None}, "there are none"),
        ({"oldest_flow": 3.1}, "those of the previous controller are still there"),
        ({"age": None}, "those of the previous controller are still there"),
        ({"flows": 79}, "79 of 100"),
        ({"missing": ["vm1", "vm2"]}, "2 of its ports (vm1, vm2)"),
    ],
)
def test_what_a_chassis_waits_for_is_said(change, said):
    (waits,) = ovn_chassis.waits({**CAUGHT_UP, **change}, {"flows": 100})
    assert said in waits
