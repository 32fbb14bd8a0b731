"""What OVN's southbound database says of a chassis, asked as the chassis' own controller reaches it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from openstack_rollout.node import commands, ovn_chassis, ovsdb


def select(table: str, where: list, *columns: str) -> dict[str, Any]:
    """The operation that reads rows (RFC 7047).

    table (str), where (list of conditions), columns (str): as OVSDB has them.
    """
    return {"op": "select", "table": table, "where": where, "columns": list(columns)}


def query(
    salt: Mapping[str, Any], container: str, found: Mapping[str, Any], operations: list[dict]
) -> list[list[dict]] | None:
    """The rows of each operation; None where the database does not answer.

    salt (dict): the caller's `__salt__`. container (str): the controller's. found (dict): the chassis, of
    ovn_chassis.settings. operations: of `select`.
    """
    keys = []
    if "ssl:" in found["remote"]:
        command = ["ovs-vsctl", "--timeout=10", *ovsdb.listing({"SSL": "private_key,certificate,ca_cert"})]
        rows = ovsdb.rows(commands.checked(salt, command, "OVS_FAILED"))
        keys = ovn_chassis.key_options(commands.processes(salt, container), rows[0] if rows else None)
    client = ["ovsdb-client", "--timeout=10", "--no-leader-only", *keys, "query", found["remote"]]
    question = json.dumps(["OVN_Southbound", *operations])
    result = commands.in_container(salt, container, [*client, question])
    try:
        answers = json.loads(result.stdout) if not result.retcode else [{}]
        return [[ovsdb.record(row) for row in answer["rows"]] for answer in answers]
    except (ValueError, KeyError, TypeError):
        return None


def of_chassis(salt: Mapping[str, Any], container: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """The chassis as the database has it; {"answers": False} when it does not answer.

    salt, container, found: as for `query`.

    Returns {"answers": True, "chassis": whether it has its rows, "nb_cfg", "wanted_nb_cfg", "ports": [{
    "logical_port", "type"}]}.
    """
    name = [["name", "==", found["name"]]]
    asked = [
        select("Chassis", name, "_uuid"),
        select("Chassis_Private", name, "nb_cfg"),
        select("SB_Global", [], "nb_cfg"),
    ]
    rows = query(salt, container, found, asked)
    if rows is None:
        return {"answers": False}
    own, private, whole = rows
    answer = {"answers": True, "chassis": bool(own and private), "ports": []}
    answer["nb_cfg"] = private[0]["nb_cfg"] if private else None
    answer["wanted_nb_cfg"] = whole[0]["nb_cfg"] if whole else None
    if own:
        here = [["chassis", "==", ["uuid", own[0]["_uuid"]]]]
        ports = query(salt, container, found, [select("Port_Binding", here, "logical_port", "type")])
        answer["ports"] = ports[0] if ports else []
    return answer
