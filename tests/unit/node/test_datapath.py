"""Comparing data paths: only what is lost counts, and what a workload took with it is not lost."""

from __future__ import annotations

import copy
import json

import pytest

from openstack_rollout.node import datapath, ovsdb


def interface(**values):
    normal = {"type": "", "works": True, "remote": "", "bfd": "", "iface_id": "", "installed": False}
    return normal | values


BEFORE = {
    "bridges": {
        "br-int": {
            "type": "netdev",
            "ports": ["br-int", "ovn-cmp2-0", "tap1"],
            "controllers": {"tcp:127.0.0.1:6633": True},
            "flows": 300,
        },
        "br-ex": {"type": "system", "ports": ["br-ex", "ext0"], "controllers": {}, "flows": 1},
    },
    "interfaces": {
        "br-int": interface(type="internal"),
        "br-ex": interface(type="internal"),
        "ext0": interface(),
        "ovn-cmp2-0": interface(type="geneve", remote="10.89.0.32", bfd="up"),
        "tap1": interface(iface_id="port-1", installed=True),
    },
    "addresses": {"br-ex": ["10.90.0.21/24"]},
    "routes": ["10.90.0.0/24 dev br-ex"],
    "ovn": True,
}


def after(change):
    found = copy.deepcopy(BEFORE)
    change(found)
    return found


def test_the_same_is_no_difference():
    assert datapath.differences(BEFORE, copy.deepcopy(BEFORE)) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda d: d["bridges"].pop("br-ex"), "bridge br-ex: is gone"),
        (lambda d: d["bridges"]["br-ex"]["ports"].remove("ext0"), "bridge br-ex: port ext0 is gone"),
        (lambda d: d["bridges"]["br-int"].update(flows=1), "bridge br-int: 1 flows, had 300"),
        (lambda d: d["bridges"]["br-int"].update(flows=269), "bridge br-int: 269 flows, had 300"),
        (lambda d: d["bridges"]["br-int"].update(flows=None), "bridge br-int: its flows cannot be counted"),
        (lambda d: d["bridges"]["br-ex"].update(flows=0), "bridge br-ex: 0 flows, had 1"),
        (
            lambda d: d["bridges"]["br-int"].update(controllers={"tcp:127.0.0.1:6633": False}),
            "bridge br-int: controller tcp:127.0.0.1:6633 is not connected",
        ),
        (lambda d: d["interfaces"]["ext0"].update(works=False), "interface ext0: has no port in the switch"),
        (
            lambda d: d["interfaces"]["ovn-cmp2-0"].update(bfd="down"),
            "tunnel ovn-cmp2-0 to 10.89.0.32: BFD is down, was up",
        ),
        (
            lambda d: d["interfaces"]["tap1"].update(installed=False),
            "logical port port-1: is not bound on tap1 any more",
        ),
        (lambda d: d.update(addresses={}), "interface br-ex: address 10.90.0.21/24 is gone"),
        (lambda d: d.update(routes=[]), "route 10.90.0.0/24 dev br-ex is gone"),
        (lambda d: d.update(ovn=False), "ovn-controller: is not connected to the southbound database"),
        (lambda d: d.update(ovn=None), "ovn-controller: is not connected to the southbound database"),
        (lambda d: d.update(restoring=True), datapath._RESTORING),
    ],
)
def test_what_is_lost_is_named(change, line):
    assert datapath.differences(BEFORE, after(change)) == [line]


def deleted_vm(d):
    d["interfaces"].pop("tap1")
    d["bridges"]["br-int"]["ports"].remove("tap1")


def other_vm(d):
    d["interfaces"]["tap1"].update(iface_id="port-2", installed=False)


def more(d):
    d["bridges"]["br-int"].update(flows=900, ports=[*d["bridges"]["br-int"]["ports"], "tap2"])
    d["bridges"]["br-new"] = {"type": "system", "ports": [], "controllers": {}, "flows": 0}
    d["routes"].append("10.91.0.0/24 dev br-ex")


@pytest.mark.parametrize(
    "change", [deleted_vm, other_vm, more, lambda d: d["bridges"]["br-int"].update(flows=270)]
)
def test_what_a_cloud_in_use_does_is_no_loss(change):
    assert datapath.differences(BEFORE, after(change)) == []


def test_the_tolerance_is_the_callers():
    fewer = after(lambda d: d["bridges"]["br-int"].update(flows=200))
    assert datapath.differences(BEFORE, fewer, tolerance=40) == []
    assert len(datapath.differences(BEFORE, fewer, tolerance=0)) == 1
    none = after(lambda d: d["bridges"]["br-ex"].update(flows=0))
    assert len(datapath.differences(BEFORE, none, tolerance=100)) == 1


def test_controllers_that_are_away():
    assert datapath.disconnected(BEFORE) == []
    assert datapath.disconnected({**BEFORE, "ovn": None}) == []
    away = after(lambda d: d["bridges"]["br-int"]["controllers"].update({"tcp:127.0.0.1:6633": False}))
    assert len(datapath.disconnected({**away, "ovn": False, "restoring": True})) == 3


def test_only_ports_on_userspace_are_workloads_of_a_reload():
    assert datapath.workloads(BEFORE) == ["port-1"]
    kernel = after(lambda d: d["bridges"]["br-int"].update(type="system"))
    assert datapath.workloads(kernel) == []


def table(*rows):
    return json.dumps({"headings": list(rows[0]), "data": [list(row.values()) for row in rows]})


def test_the_databases_rows_become_bridges_and_interfaces():
    bridge = {
        "_uuid": ["uuid", "b1"],
        "name": "br-int",
        "datapath_type": "",
        "ports": ["set", [["uuid", "p1"], ["uuid", "p2"]]],
        "controller": ["uuid", "c1"],
    }
    ports = [{"_uuid": ["uuid", "p2"], "name": "tap1"}, {"_uuid": ["uuid", "p1"], "name": "br-int"}]
    controller = {"_uuid": ["uuid", "c1"], "target": "tcp:127.0.0.1:6633", "is_connected": True}
    rows = [ovsdb.rows(table(*one)) for one in ([bridge], ports, [controller])]
    assert datapath.bridges(*rows) == {
        "br-int": {
            "type": "system",
            "ports": ["br-int", "tap1"],
            "controllers": {"tcp:127.0.0.1:6633": True},
        }
    }
    tunnel = {
        "name": "ovn-cmp2-0",
        "type": "geneve",
        "ofport": 3,
        "error": ["set", []],
        "options": ["map", [["remote_ip", "10.89.0.32"]]],
        "bfd": ["map", [["enable", "true"]]],
        "bfd_status": ["map", [["state", "up"]]],
        "external_ids": ["map", []],
    }
    tap = tunnel | {
        "name": "tap1",
        "type": "",
        "ofport": -1,
        "error": "could not open network device tap1",
        "bfd": ["map", []],
        "options": ["map", []],
        "external_ids": ["map", [["iface-id", "port-1"], ["ovn-installed", "true"]]],
    }
    found = datapath.interfaces(ovsdb.rows(table(tunnel, tap)))
    assert found["ovn-cmp2-0"] == interface(type="geneve", remote="10.89.0.32", bfd="up")
    assert found["tap1"] == interface(works=False, iface_id="port-1", installed=True)


def test_only_lasting_addresses_and_routes_count():
    listing = json.dumps(
        [
            {
                "ifname": "br-ex",
                "addr_info": [
                    {"local": "10.90.0.21", "prefixlen": 24, "scope": "global"},
                    {"local": "fe80::1", "prefixlen": 64, "scope": "link"},
                ],
            },
            {"ifname": "eth0", "addr_info": [{"local": "10.88.0.21", "prefixlen": 24, "scope": "global"}]},
        ]
    )
    assert datapath.addresses(listing, {"br-ex"}) == {"br-ex": ["10.90.0.21/24"]}
    routes = [
        {"dst": "default", "gateway": "10.90.0.1", "dev": "br-ex", "protocol": "static"},
        {"dst": "10.90.0.0/24", "dev": "br-ex", "protocol": "kernel"},
        {"dst": "10.99.0.0/24", "gateway": "10.90.0.7", "dev": "br-ex", "protocol": "bgp"},
        {"dst": "fe80::/64", "dev": "br-ex", "protocol": "kernel"},
        {"dst": "10.88.0.0/24", "dev": "eth0", "protocol": "kernel"},
    ]
    assert datapath.routes(json.dumps(routes), {"br-ex"}) == [
        "10.90.0.0/24 dev br-ex",
        "default via 10.90.0.1 dev br-ex",
    ]
