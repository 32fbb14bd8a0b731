"""OVN's gateway chassis, as a controller sees and changes them: which of them may carry which router port,
and which of them does.

It runs where a container of OVN's databases runs; any member of a cluster will do. It touches no switch:
OVN's own controllers on the gateways follow the priorities in the database. The tables are those of ovn-nb(5)
and ovn-sb(5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import salt.utils.path

from openstack_rollout.node import commands, ovsdb, waiting
from openstack_rollout.node.errors import NodeError

NB = "ovn_nb_db"
SB = "ovn_sb_db"
_TIMEOUT = 10
# Any member answers: the leader may be another one, or just be changing.
_ANY_MEMBER = ("--no-leader-only", f"--timeout={_TIMEOUT}")
_NBCTL = ["ovn-nbctl", *_ANY_MEMBER]
_SBCTL = ["ovn-sbctl", *_ANY_MEMBER]
_REDIRECTED = ("chassisredirect", "external")
_TABLES = ("HA_Chassis", "Gateway_Chassis")


def __virtual__():
    """Only where an engine runs containers."""
    if any(salt.utils.path.which(program) for program in ("podman", "dockerd")):
        return True
    return (False, "neither podman nor docker is installed")


def chassis() -> str:
    """The name under which this node is a chassis; empty when it is none.

    CLI Example:

    .. code-block:: bash

        salt 'gtw1' ovn_gateway.chassis
    """
    get = ["ovs-vsctl", "--timeout=10", "--if-exists", "get", "open_vswitch", ".", "external_ids:system-id"]
    return _ask(get).strip().strip('"')


def layout(nb: str = NB, sb: str = SB) -> dict:
    """Which chassis may carry which gateway ports, with which priority, and which carries them now.

    nb, sb (str): the containers of the databases.

    Returns {"groups": {name: [{"table", "row", "chassis", "priority"}]}, "pinned": {router: chassis},
    "ports": {port: {"group", "chassis", "up"}}, "chassis": [names]}; the chassis of a port that nobody
    carries is empty. Raises NodeError OVN_UNREACHABLE.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' ovn_gateway.layout
    """
    north = _tables(
        nb,
        _NBCTL,
        {
            "HA_Chassis_Group": "name,ha_chassis",
            "HA_Chassis": "_uuid,chassis_name,priority",
            "Gateway_Chassis": "_uuid,chassis_name,priority",
            "Logical_Router_Port": "name,gateway_chassis",
            "Logical_Router": "name,options",
        },
    )
    south = _tables(
        sb,
        _SBCTL,
        {
            "Chassis": "_uuid,name",
            "HA_Chassis_Group": "_uuid,name",
            "Port_Binding": "logical_port,type,chassis,ha_chassis_group,up",
        },
    )
    names = {row["_uuid"]: row["name"] for row in south["Chassis"]}
    groups = {row["_uuid"]: row["name"] for row in south["HA_Chassis_Group"]}
    ports = {
        row["logical_port"]: {
            "group": groups.get(ovsdb.optional(row["ha_chassis_group"]), ""),
            "chassis": names.get(ovsdb.optional(row["chassis"]), ""),
            "up": ovsdb.optional(row["up"]) is not False,
        }
        for row in south["Port_Binding"]
        if row["type"] in _REDIRECTED
    }
    pinned = {
        row["name"]: row["options"]["chassis"]
        for row in north["Logical_Router"]
        if row["options"].get("chassis")
    }
    return {"groups": _groups(north), "pinned": pinned, "ports": ports, "chassis": sorted(names.values())}


def set_priorities(changes: Iterable[Mapping], nb: str = NB) -> list[dict]:
    """Change priorities of gateway chassis, in one transaction; wait until the southbound database has them.

    changes (list): [{"table", "row", "from", "to"}]. A row that is gone, or whose priority is no longer what
    `from` says, is left alone: somebody else has changed it. nb (str): the container of the database.

    Returns the changes that were made. Raises NodeError OVN_UNREACHABLE.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' ovn_gateway.set_priorities '[{table: HA_Chassis, row: 54f8983c-…, from: 20, to: 9}]'
    """
    now = _tables(nb, _NBCTL, dict.fromkeys(_TABLES, "_uuid,priority"))
    current = {row["_uuid"]: row["priority"] for table in _TABLES for row in now[table]}
    due = [dict(change) for change in changes if current.get(change["row"]) == change["from"]]
    command: list[str] = []
    for change in due:
        command += ["--", "set", change["table"], change["row"], f"priority={int(change['to'])}"]
    if due:
        _ask_in(nb, [*_NBCTL, "--wait=sb", *command[1:]])
    return due


def following(names: Iterable[str], nb: str = NB, sb: str = SB, timeout: float = 10) -> list[str]:
    """Those of some chassis whose flows are as the northbound database says now.

    names (list): chassis. nb, sb (str): the containers of the databases. timeout (float): seconds to wait for
    all of them.

    Returns their names, sorted. A chassis whose controller is dead or cut off is not among them, though it is
    still in the database. Raises NodeError OVN_UNREACHABLE.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' ovn_gateway.following '[gtw1, gtw2]'
    """
    asked = sorted(set(names))
    _ask_in(nb, [*_NBCTL, "--wait=sb", "sync"])
    wanted = int(_ask_in(nb, [*_NBCTL, "get", "nb_global", ".", "nb_cfg"]))

    def behind() -> list[str]:
        rows = _tables(sb, _SBCTL, {"Chassis_Private": "name,nb_cfg"})["Chassis_Private"]
        reached = {row["name"] for row in rows if row["nb_cfg"] >= wanted}
        return [name for name in asked if name not in reached]

    late = waiting.until_whole(behind, float(timeout), 0.3)
    return [name for name in asked if name not in late]


def _groups(north: Mapping[str, list[dict]]) -> dict[str, list[dict]]:
    """Gateway chassis by group; those that a router port names itself are a group of the port's name."""
    rows = {
        row["_uuid"]: {
            "table": table,
            "row": row["_uuid"],
            "chassis": row["chassis_name"],
            "priority": row["priority"],
        }
        for table in _TABLES
        for row in north[table]
    }
    members = {row["name"]: ovsdb.members(row["ha_chassis"]) for row in north["HA_Chassis_Group"]}
    members |= {
        row["name"]: ovsdb.members(row["gateway_chassis"])
        for row in north["Logical_Router_Port"]
        if ovsdb.members(row["gateway_chassis"])
    }
    return {
        name: sorted(
            (rows[row] for row in ids if row in rows), key=lambda one: (-one["priority"], one["chassis"])
        )
        for name, ids in members.items()
    }


def _tables(container: str, program: list[str], tables: Mapping[str, str]) -> dict[str, list[dict]]:
    """Rows of some tables, read in one transaction. tables: {name: columns}."""
    printed = _ask_in(container, [*program, *ovsdb.listing(tables)])
    try:
        return ovsdb.tables(printed, tables)
    except (ValueError, KeyError) as error:
        raise NodeError("OVN_UNREACHABLE", f"{program[0]} did not answer in JSON: {error}") from error


def _ask(command: list[str]) -> str:
    return commands.checked(__salt__, command, "OVN_UNREACHABLE", lines=1, timeout=3 * _TIMEOUT)


def _ask_in(container: str, command: list[str]) -> str:
    result = commands.in_container(__salt__, container, command, timeout=3 * _TIMEOUT)
    if result.retcode:
        raise NodeError("OVN_UNREACHABLE", f"{container}: {command[0]}: {result.complaint(lines=1)}")
    return result.stdout
