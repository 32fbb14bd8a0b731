"""A node's data path before and after a change: what carried traffic then has to carry it now.

Pure comparison; `_modules/datapath.py` measures. Only a loss counts, for a cloud in use gains ports and flows
at any time. An interface that is no longer in the switch's database was removed by whoever manages it (a
server was deleted); one that is still there and does not work is broken. Tables and columns are those of
ovs-vswitchd.conf.db(5).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from openstack_rollout.node import ovsdb

#: per cent of a bridge's flows that may be missing: a new version may need a few less for the same
TOLERANCE = 10
_NO_OVN = "ovn-controller: is not connected to the southbound database"
_RESTORING = "switch: forwards nothing new, it waits for its saved flows (other_config:flow-restore-wait)"
#: of other origins are the routes that come and go with a routing daemon
_LASTING_ROUTES = ("kernel", "static", "boot", "dhcp")


def bridges(bridge_rows: list[dict], port_rows: list[dict], controller_rows: list[dict]) -> dict[str, dict]:
    """What each bridge consists of: {name: {"type", "ports", "controllers": {target: connected}}}.

    bridge_rows, port_rows, controller_rows (list): as ovsdb.rows gives them, with _uuid.
    """
    ports = {row["_uuid"]: row["name"] for row in port_rows}
    controllers = {row["_uuid"]: row for row in controller_rows}
    return {
        row["name"]: {
            "type": row["datapath_type"] or "system",
            "ports": sorted(ports[one] for one in ovsdb.members(row["ports"]) if one in ports),
            "controllers": {
                controllers[one]["target"]: bool(controllers[one]["is_connected"])
                for one in ovsdb.members(row["controller"])
                if one in controllers
            },
        }
        for row in bridge_rows
    }


def interfaces(interface_rows: list[dict]) -> dict[str, dict]:
    """What each interface is: {name: {"type", "works", "remote", "bfd", "iface_id", "installed"}}.

    interface_rows (list): as ovsdb.rows gives them. works (bool): it has a port number and no error.
    remote (str): a tunnel's other end. bfd (str): of its BFD session (up, down), "" where BFD is off.
    iface_id (str): the logical port it is bound to. installed (bool): OVN has its flows.
    """
    return {
        row["name"]: {
            "type": row["type"],
            "works": isinstance(row["ofport"], int) and row["ofport"] > 0 and not row["error"],
            "remote": row["options"].get("remote_ip", ""),
            "bfd": row["bfd_status"].get("state", "") if row["bfd"].get("enable") == "true" else "",
            "iface_id": row["external_ids"].get("iface-id", ""),
            "installed": row["external_ids"].get("ovn-installed") == "true",
        }
        for row in interface_rows
    }


def addresses(listing: str, names: set[str]) -> dict[str, list[str]]:
    """The lasting addresses of some interfaces: {name: ["address/length"]}.

    listing (str): what `ip -json address show` prints. names (set): of the interfaces.
    """
    return {
        link["ifname"]: sorted(
            f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"] if one.get("scope") == "global"
        )
        for link in json.loads(listing or "[]")
        if link.get("ifname") in names
    }


def routes(listing: str, names: set[str]) -> list[str]:
    """The lasting routes over some interfaces: ["10.0.0.0/24 via … dev …"].

    listing (str): what `ip -json route show` prints. names (set): of the interfaces.
    """
    found = []
    for one in json.loads(listing or "[]"):
        if one.get("dev") in names and one.get("protocol") in _LASTING_ROUTES:
            if one["dst"].startswith(("fe80:", "ff00:")):
                continue
            via = f" via {one['gateway']}" if one.get("gateway") else ""
            found.append(f"{one['dst']}{via} dev {one['dev']}")
    return sorted(set(found))


def differences(before: Mapping[str, Any], after: Mapping[str, Any], tolerance: int = TOLERANCE) -> list[str]:
    """What worked before and does not now, one line each.

    before, after (dict): of datapath.measured. tolerance (int): per cent of a bridge's flows that may be
    missing; never the last one.
    """
    lost = [
        line for name, bridge in before["bridges"].items() for line in _bridge(name, bridge, before, after)
    ]
    lost += [
        line
        for name, bridge in before["bridges"].items()
        if name in after["bridges"]
        for line in _flows(name, bridge["flows"], after["bridges"][name]["flows"], tolerance)
    ]
    for name, interface in before["interfaces"].items():
        now = after["interfaces"].get(name)
        if now is not None:
            lost += _interface(name, interface, now)
    for name, had in before["addresses"].items():
        lost += [
            f"interface {name}: address {a} is gone" for a in had if a not in after["addresses"].get(name, ())
        ]
    lost += [f"route {one} is gone" for one in before["routes"] if one not in after["routes"]]
    if before["ovn"] and not after["ovn"]:
        lost.append(_NO_OVN)
    return [*lost, *([_RESTORING] if after.get("restoring") else [])]


def disconnected(measured: Mapping[str, Any]) -> list[str]:
    """What cuts a node off from those that tell it what to forward, whatever it was before; one line each.

    measured (dict): of datapath.measured. Neither a bridge without controllers nor a node without OVN counts.
    """
    found = [
        f"bridge {name}: controller {target} is not connected"
        for name, bridge in measured["bridges"].items()
        for target, connected in bridge["controllers"].items()
        if not connected
    ]
    if measured["ovn"] is False:
        found.append(_NO_OVN)
    return [*found, *([_RESTORING] if measured.get("restoring") else [])]


def workloads(measured: Mapping[str, Any]) -> list[str]:
    """The logical ports that are bound on a userspace data path, which any restart of the switch stops.

    measured (dict): of datapath.measured.
    """
    on_userspace = {
        port
        for bridge in measured["bridges"].values()
        if bridge["type"] == "netdev"
        for port in bridge["ports"]
    }
    return sorted(
        one["iface_id"]
        for name, one in measured["interfaces"].items()
        if one["iface_id"] and name in on_userspace
    )


def _bridge(name: str, bridge: Mapping, before: Mapping, after: Mapping) -> list[str]:
    now = after["bridges"].get(name)
    if now is None:
        return [f"bridge {name}: is gone"]
    # A workload's port may be gone with its workload; a port that the host itself set up may not.
    own = [p for p in bridge["ports"] if not before["interfaces"].get(p, {}).get("iface_id")]
    lost = [f"bridge {name}: port {port} is gone" for port in own if port not in now["ports"]]
    return lost + [
        f"bridge {name}: controller {target} is not connected"
        for target, connected in bridge["controllers"].items()
        if connected and not now["controllers"].get(target)
    ]


def _flows(name: str, had: int | None, has: int | None, tolerance: int) -> list[str]:
    if had is None:
        return []
    if has is None:
        return [f"bridge {name}: its flows cannot be counted"]
    least = max(had - had * tolerance // 100, 1 if had else 0)
    return [f"bridge {name}: {has} flows, had {had}"] if has < least else []


def _interface(name: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    lost = []
    if was["works"] and not now["works"]:
        lost.append(f"interface {name}: has no port in the switch")
    if was["bfd"] == "up" and now["bfd"] != "up":
        lost.append(f"tunnel {name} to {was['remote']}: BFD is {now['bfd'] or 'off'}, was up")
    if was["installed"] and was["iface_id"] == now["iface_id"] and not now["installed"]:
        lost.append(f"logical port {was['iface_id']}: is not bound on {name} any more")
    return lost
