"""The switch of a chassis, asked and told by Open vSwitch's own programs: its database, and its flows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openstack_rollout.node import commands, ovn_chassis, ovsdb

_PROTOCOLS = "OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15"


def chassis(salt: Mapping[str, Any]) -> dict[str, Any] | None:
    """The chassis that this node is (ovn_chassis.settings), None when it is none: without a switch, or
    without OVN's settings.

    salt (dict): the caller's `__salt__`. Raises NodeError OVS_FAILED when the database does not answer.
    """
    if not salt["cmd.has_exec"]("ovs-vsctl"):
        return None
    found = rows(salt, "external_ids", "Open_vSwitch")
    return ovn_chassis.settings(found[0]["external_ids"]) if found else None


def rows(salt: Mapping[str, Any], columns: str, table: str) -> list[dict[str, Any]]:
    """The rows of a table of the switch's database, as ovsdb.rows.

    salt (dict): the caller's `__salt__`. columns (str): with a comma between them. table (str): its name.
    Raises NodeError OVS_FAILED.
    """
    command = ["ovs-vsctl", "--timeout=10", *ovsdb.listing({table: columns})]
    return ovsdb.rows(commands.checked(salt, command, "OVS_FAILED"))


def set_external_id(salt: Mapping[str, Any], key: str, value: str | None) -> None:
    """Have the switch's database say this of the chassis.

    salt (dict): the caller's `__salt__`. key (str): of external_ids. value (str): None to say nothing.
    Raises NodeError OVS_FAILED.
    """
    change = ["remove", "Open_vSwitch", ".", "external_ids", key]
    if value is not None:
        change = ["set", "Open_vSwitch", ".", f"external_ids:{key}={value}"]
    commands.checked(salt, ["ovs-vsctl", "--timeout=10", "--no-wait", *change], "OVS_FAILED")


def ofctl(salt: Mapping[str, Any], verb: str, *arguments: str) -> str:
    """What ovs-ofctl prints, "" when it does not answer.

    salt (dict): the caller's `__salt__`. verb, arguments (str): of ovs-ofctl(8).
    """
    return commands.run(salt, ["ovs-ofctl", "--timeout=30", "-O", _PROTOCOLS, verb, *arguments]).stdout


def flow_count(salt: Mapping[str, Any], bridge: str) -> int | None:
    """The number of flows of a bridge, None when it does not tell. salt (dict), bridge (str)."""
    return ovn_chassis.flow_count(ofctl(salt, "dump-aggregate", bridge))
