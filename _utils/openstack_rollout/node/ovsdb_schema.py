"""The schema of an OVSDB database, and that of the image of its server: measured, and converted.

A server that starts goes on with the schema that its database has. Converting it online is what ovsdb(7)
describes under "Upgrading or Downgrading a Database"; it is never converted back, nor to another major
version, which would be another kind of update.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from openstack_rollout.node import commands
from openstack_rollout.node.errors import NodeError

#: Where images have the schemas of OVN's databases.
_FILES = tuple(
    f"{folder}/ovn-{short}.ovsschema"
    for folder in ("/usr/share/ovn", "/usr/local/share/ovn", "/usr/share/openvswitch")
    for short in ("nb", "sb")
)
_CONVERTED_IN = 300  # seconds


class Server(NamedTuple):
    """A server: its container, its database, and the address at which that answers in the container."""

    container: str
    database: str
    address: str


def measure(salt: Mapping[str, Any], server: Server) -> dict[str, Any]:
    """The versions: {"database", "has", "wants", "file"}, the last two None where the image has no schema.

    salt (dict): the caller's `__salt__`. Raises NodeError SCHEMA_BEHIND where the server does not tell.
    """
    client = ["ovsdb-client", "--timeout=10", "--no-leader-only", "get-schema-version"]
    asked = commands.in_container(salt, server.container, [*client, server.address, server.database])
    if asked.retcode or not asked.stdout.strip():
        raise NodeError(
            "SCHEMA_BEHIND", f"{server.container}: {server.database} tells no schema ({asked.complaint()})"
        )
    file = next((one for one in _FILES if _tool(salt, server, "schema-name", one) == server.database), None)
    wants = _tool(salt, server, "schema-version", file) if file else None
    return {"database": server.database, "has": asked.stdout.strip(), "wants": wants or None, "file": file}


def convert(salt: Mapping[str, Any], server: Server) -> str:
    """Convert a database to the schema of its server's image, where that is newer.

    salt (dict): the caller's `__salt__`. Returns what was done, "" for nothing. Raises NodeError
    SCHEMA_BEHIND where it fails, and where only another major version would do.
    """
    found = measure(salt, server)
    has, wants = found["has"], found["wants"]
    if not wants or has == wants or not _is_older(salt, server, has, wants):
        return ""
    what = f"{server.container}: {server.database} has schema {has}, its image {wants}"
    if has.partition(".")[0] != wants.partition(".")[0]:
        raise NodeError("SCHEMA_BEHIND", f"{what}: another major version is not converted by an update")
    command = ["ovsdb-client", f"--timeout={_CONVERTED_IN}", "--no-leader-only", "convert"]
    done = commands.in_container(salt, server.container, [*command, server.address, found["file"]])
    now = measure(salt, server)["has"]
    if now != wants:
        raise NodeError("SCHEMA_BEHIND", f"{what}, and it is at {now} still: {done.complaint()}")
    return f"{server.database} was converted from schema {has} to {wants}"


def _is_older(salt: Mapping[str, Any], server: Server, has: str, wants: str) -> bool:
    compared = ["ovsdb-tool", "compare-versions", has, "<", wants]
    return not commands.in_container(salt, server.container, compared).retcode


def _tool(salt: Mapping[str, Any], server: Server, *arguments: str) -> str:
    """What ovsdb-tool prints, "" where it fails."""
    done = commands.in_container(salt, server.container, ["ovsdb-tool", *arguments])
    return "" if done.retcode else done.stdout.strip()
