"""Whether the clusters of the profile `controllers` are whole, by what each member says of itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.lab.cloud import Lab
from tests.lab.enclosure import LabError, wait_for

_SQL = ("podman", "exec", "mariadb", "mariadb", "-BNe")
_OF_GALERA = (
    "show status where variable_name in"
    " ('wsrep_cluster_size', 'wsrep_cluster_status', 'wsrep_local_state_comment', 'wsrep_ready')"
)
_DATABASES = {
    "ovn_nb_db": ("/run/ovn/ovnnb_db.ctl", "OVN_Northbound"),
    "ovn_sb_db": ("/run/ovn/ovnsb_db.ctl", "OVN_Southbound"),
}
_TABLE = (
    "create database if not exists probe; create table if not exists probe.losses (number int primary key)"
)
_PATIENCE = 60  # seconds until one of the members serves


def write(lab: Lab, nodes: Sequence[str], number: int) -> None:
    """Commit a row by the database of one of these nodes.

    Raises:
        LabError: None of them serves.
    """
    command = [*_SQL, f"{_TABLE}; insert ignore into probe.losses values ({number})"]

    def written() -> bool:
        return any(lab.exec(node, command, check=False).returncode == 0 for node in nodes)

    if not wait_for(written, _PATIENCE, 1):
        raise LabError(f"no database serves on {', '.join(nodes)}")


def rows(lab: Lab, node: str) -> list[int]:
    """The rows that the database of a node has of those that `write` committed."""
    found = lab.exec(node, [*_SQL, "select number from probe.losses order by number"], check=False).stdout
    return [int(line) for line in found.split()]


def of(lab: Lab, node: str) -> dict[str, Any]:
    """What a controller's members of Galera, RabbitMQ and OVN's databases say of their clusters."""
    told = lab.exec(node, [*_SQL, _OF_GALERA], check=False).stdout.splitlines()
    brokers = ["podman", "exec", "rabbitmq", "rabbitmqctl", "cluster_status", "--formatter", "json"]
    status = json.loads(lab.exec(node, brokers, check=False).stdout or "{}")
    return {
        "galera": dict(line.split("\t", 1) for line in told),
        "brokers": sorted(status.get("running_nodes", ())),
        "partitions": status.get("partitions", {}),
        **{name: _members(lab, node, name) for name in _DATABASES},
    }


def _members(lab: Lab, node: str, container: str) -> dict[str, Any]:
    control, database = _DATABASES[container]
    asked = ["podman", "exec", container, "ovs-appctl", "-t", control, "cluster/status", database]
    lines = lab.exec(node, asked, check=False).stdout.splitlines()
    fields = dict(line.split(": ", 1) for line in lines if line.startswith(("Status: ", "Connections: ")))
    return {
        "status": fields.get("Status"),
        "servers": sum(line.startswith("    ") and " at " in line for line in lines),
        # `<->` in either direction to each of the others; one that is away stands in parentheses.
        "away": "(" in fields.get("Connections", "("),
        "leader": any(line.startswith("Leader: ") and "unknown" not in line for line in lines),
    }
