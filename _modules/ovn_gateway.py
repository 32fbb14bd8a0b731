"""OVN's gateway chassis, as a controller sees and changes them: who may carry which router port, who does.

Runs where a container of OVN's databases runs; any member of a cluster will do. A switch is not touched here:
OVN's own controllers on the gateways follow the priorities.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping

import salt.utils.path

from openstack_rollout.node.errors import NodeError

NB = "ovn_nb_db"
SB = "ovn_sb_db"
_TIMEOUT = 10
_REDIRECTED = ("chassisredirect", "external")
_TABLES = ("HA_Chassis", "Gateway_Chassis")


def __virtual__():
    """Only where podman is installed."""
    if salt.utils.path.which("podman"):
        return True
    return (False, "podman is not installed")


def chassis() -> str:
    """The name under which this node is a chassis; empty when it is none.

    CLI Example:

    .. code-block:: bash

        salt 'gtw1' ovn_gateway.chassis
    """
    get = ["ovs-vsctl", "--timeout=10", "--if-exists", "get", "open_vswitch", ".", "external_ids:system-id"]
    return _run(get).strip().strip('"')


def layout(nb: str = NB, sb: str = SB) -> dict:
    """Which chassis may carry which gateway ports, with which priority, and which carries them now.

    nb, sb (str): the containers of the databases.

    Returns {"groups": {name: [{"table", "row", "chassis", "priority"}]}, "pinned": {router: chassis},
    "ports": {port: {"group", "chassis", "up"}}, "chassis": [names]}; the chassis of a port that nobody
    carries is empty. Raises NodeError API_UNREACHABLE.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' ovn_gateway.layout
    """
    north = _tables(
        _nbctl(nb),
        {
            "HA_Chassis_Group": "name,ha_chassis",
            "HA_Chassis": "_uuid,chassis_name,priority",
            "Gateway_Chassis": "_uuid,chassis_name,priority",
            "Logical_Router_Port": "name,gateway_chassis",
            "Logical_Router": "name,options",
        },
    )
    south = _tables(
        _sbctl(sb),
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
            "group": groups.get(_one(row["ha_chassis_group"]), ""),
            "chassis": names.get(_one(row["chassis"]), ""),
            "up": _one(row["up"]) is not False,
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

    Returns the changes that were made. Raises NodeError API_UNREACHABLE.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' ovn_gateway.set_priorities '[{table: HA_Chassis, row: 54f8983c-…, from: 20, to: 9}]'
    """
    now = _tables(_nbctl(nb), dict.fromkeys(_TABLES, "_uuid,priority"))
    current = {row["_uuid"]: row["priority"] for table in _TABLES for row in now[table]}
    due = [dict(change) for change in changes if current.get(change["row"]) == change["from"]]
    command: list[str] = []
    for change in due:
        command += ["--", "set", change["table"], change["row"], f"priority={int(change['to'])}"]
    if due:
        _run([*_nbctl(nb), "--wait=sb", *command[1:]])
    return due


def following(names: Iterable[str], nb: str = NB, sb: str = SB, timeout: float = 10) -> list[str]:
    """Those of some chassis that carry out what the northbound database says now, down to their flows.

    names (list): chassis. nb, sb (str): the containers of the databases. timeout (float): seconds to wait for
    all of them. A chassis whose controller is dead, or cut off, is not in the answer, though it is still in
    the database. Raises NodeError API_UNREACHABLE.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' ovn_gateway.following '[gtw1, gtw2]'
    """
    asked = sorted(set(names))
    _run([*_nbctl(nb), "--wait=sb", "sync"])
    wanted = int(_run([*_nbctl(nb), "get", "nb_global", ".", "nb_cfg"]))
    until = time.monotonic() + float(timeout)
    while True:
        rows = _tables(_sbctl(sb), {"Chassis_Private": "name,nb_cfg"})["Chassis_Private"]
        reached = {row["name"] for row in rows if row["nb_cfg"] >= wanted}
        there = [name for name in asked if name in reached]
        if len(there) == len(asked) or time.monotonic() >= until:
            return there
        time.sleep(0.3)


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
    members = {row["name"]: _many(row["ha_chassis"]) for row in north["HA_Chassis_Group"]}
    members |= {
        row["name"]: _many(row["gateway_chassis"])
        for row in north["Logical_Router_Port"]
        if _many(row["gateway_chassis"])
    }
    return {
        name: sorted(
            (rows[row] for row in ids if row in rows), key=lambda one: (-one["priority"], one["chassis"])
        )
        for name, ids in members.items()
    }


def _nbctl(container: str) -> list[str]:
    return _ctl(container, "ovn-nbctl")


def _sbctl(container: str) -> list[str]:
    return _ctl(container, "ovn-sbctl")


def _ctl(container: str, program: str) -> list[str]:
    # Any member answers: the leader may be another one, or be moving at the moment.
    return ["podman", "exec", container, program, "--no-leader-only", f"--timeout={_TIMEOUT}"]


def _tables(program: list[str], tables: Mapping[str, str]) -> dict[str, list[dict]]:
    """Rows of some tables, read in one transaction. tables: name -> columns."""
    command = [*program, "--format=json"]
    for name, columns in tables.items():
        command += ["--", f"--columns={columns}", "list", name]
    command.pop(len(program) + 1)
    answers = _run(command).splitlines()
    try:
        documents = [json.loads(line) for line in answers if line.strip()]
        return {
            name: [dict(zip(one["headings"], map(_value, row), strict=True)) for row in one["data"]]
            for name, one in zip(tables, documents, strict=True)
        }
    except (ValueError, KeyError) as error:
        raise NodeError("OVN_UNREACHABLE", f"{program[3]} did not answer in JSON: {error}") from error


def _value(cell):
    """A cell of OVSDB's JSON as Python: sets are lists, maps are dicts, a uuid is a string."""
    if not isinstance(cell, list):
        return cell
    kind, content = cell
    if kind == "set":
        return [_value(item) for item in content]
    return {key: _value(value) for key, value in content} if kind == "map" else content


def _many(cell) -> list:
    return cell if isinstance(cell, list) else [cell]


def _one(cell):
    """An optional column: OVSDB writes a single value plainly, and none as an empty set."""
    return next(iter(_many(cell)), None)


def _run(command: list[str]) -> str:
    done = __salt__["cmd.run_all"](command, python_shell=False, ignore_retcode=True, timeout=3 * _TIMEOUT)
    if done["retcode"]:
        said = (done["stderr"] or done["stdout"]).strip().splitlines()
        where = " ".join(command[:4])
        raise NodeError("OVN_UNREACHABLE", f"{where}: {said[-1] if said else 'failed without a word'}")
    return done["stdout"]
