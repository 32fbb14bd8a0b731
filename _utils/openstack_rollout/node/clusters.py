"""What a cluster lacks before a member may stop, and after it came back: pure functions over measurements.

Most return lines for an operator; an empty list says that the cluster is whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from openstack_rollout.node.errors import reason_of

SYNCED, PRIMARY = "Synced", "Primary"
#: wsrep_local_state, of members that feed another one, and of those that are fed
_DONOR, FED = "2", ("1", "3")
#: Errors of a database's client when no server is there, or it is ending: by their numbers in errmsg.h.
_NO_SERVER = {"2002", "2003", "2006", "2013"}
#: Errors of a database that lets nobody else in, by their numbers in mysqld_error.h.
_FULL = {"1040", "1129", "1203"}
_CLIENTS_ERROR = re.compile(r"^ERROR (\d+)", re.M)
#: Options of Galera with which a member that is cut off goes on: it calls itself Primary then, too.
_UNGUARDED = ("pc.ignore_quorum", "pc.ignore_sb")
_TRUE = {"true", "yes", "on", "1"}
#: What RabbitMQ's tools say between advice for all cases: why a broker is not reached.
_UNREACHED = re.compile(
    r"nodedown|rejected by the remote node|Erlang distribution failed|hostname mismatch:|not running at all"
    r"|(?:connect|reach).* epmd|TCP connection .*(?:fail|refused)|noconnection"
)
#: Of that, what says that none runs there, rather than that it refuses its tools.
_DOWN = re.compile(r"not running at all|unable to connect to epmd|nodedown(?!(?s:.*)distribution failed)")
_GROUP = re.compile(r"^gcomm://([^?]*)")
_SAVED = re.compile(r"Found saved state: (\S+:-?\d+)")
_RECEIVED = re.compile(r"SST received: (\S+:-?\d+)")
_OVN_SERVER = re.compile(
    r"^\s+(?P<id>[0-9a-f]{4}) \([0-9a-f]{4} at \w+:\[?(?P<address>.*?)\]?:\d+\)(?P<self> \(self\))?", re.M
)


def hosts(group: str, incoming: str) -> list[str]:
    """The members of a Galera cluster, as its address names them; those that joined, where these are more.

    group (str): wsrep_cluster_address. incoming (str): wsrep_incoming_addresses.
    """
    return max(named(group), _joined(incoming), key=len)


def named(group: str) -> list[str]:
    """The members that a Galera cluster's address names; none of the member that founded it.

    group (str): wsrep_cluster_address.
    """
    match = _GROUP.match(group or "")
    return [_host(part) for part in (match.group(1) if match else "").split(",") if part.strip()]


def arbitrators(group: str, incoming: str) -> int:
    """How many members of a Galera cluster only vote (garbd): they have no address for clients.

    group, incoming (str): as for `hosts`. Nor has a member that cannot tell its own, so that this says
    something only where the cluster's address names those with data.
    """
    nameless = [part for part in (incoming or "").split(",") if not part.strip()]
    return len(nameless) if _joined(incoming) and len(named(group)) > 1 else 0


def no_server(complaint: str) -> bool:
    """Whether a database's client says that no server is there; any other error is the client's own.

    complaint (str): what it wrote to stderr.
    """
    return bool(_NO_SERVER.intersection(_CLIENTS_ERROR.findall(complaint)))


def unasked(complaint: str) -> str:
    """The word for a database that its client could not ask, though a server is there.

    complaint (str): what the client wrote to stderr.
    """
    return "LIMIT_REACHED" if _FULL.intersection(_CLIENTS_ERROR.findall(complaint)) else "CLIENT_FAILED"


def galera_settings(row: Mapping[str, str]) -> list[str]:
    """The settings of a member with which an operator has it wait, or has it go on without a quorum.

    row (dict): its wsrep_ variables. Returns a few words each, with what takes it back.
    """
    found = []
    if row.get("wsrep_desync", "OFF") == "ON":
        found.append("wsrep_desync = ON (SET GLOBAL wsrep_desync = OFF)")
    if row.get("wsrep_reject_queries", "NONE") != "NONE":
        found.append(
            f"wsrep_reject_queries = {row['wsrep_reject_queries']} (SET GLOBAL wsrep_reject_queries = NONE)"
        )
    parts = (part.partition("=") for part in row.get("wsrep_provider_options", "").split(";"))
    options = {name.strip(): value.strip().lower() for name, _, value in parts}
    for name in _UNGUARDED:
        # MariaDB 11 has a variable for each option, and then refuses to change them together.
        variable = f"wsrep_provider_{name.replace('.', '_')}"
        if _TRUE.intersection({options.get(name, ""), row.get(variable, "").lower()}):
            way = f"{variable} = OFF" if variable in row else f"wsrep_provider_options = '{name}=false'"
            found.append(f"{name} = true, so that Primary says nothing of a quorum (SET GLOBAL {way})")
    return found


def galera_member(row: Mapping[str, str], expected: int) -> list[str]:
    """What keeps one member from being a full member of a cluster, a few words each.

    row (dict): its wsrep_ variables. expected (int): the size of the cluster.
    """
    found = []
    if row.get("wsrep_cluster_status") != PRIMARY:
        found.append(f"its component is {row.get('wsrep_cluster_status') or 'none'}, not {PRIMARY}")
    elif int(row.get("wsrep_cluster_size") or 0) < expected:
        found.append(f"it sees {row.get('wsrep_cluster_size')} of {expected} members")
    if row.get("wsrep_local_state_comment") != SYNCED:
        found.append(f"it is {row.get('wsrep_local_state_comment') or 'no member'}, not {SYNCED}")
    if row.get("wsrep_ready") != "ON":
        found.append("it does not take queries")
    return found


def galera(members: Mapping[str, Mapping[str, str] | Exception], expected: int) -> list[str]:
    """What a Galera cluster lacks, a line for each member that lacks something, or that an operator has set.

    members (dict): {host: its wsrep_ variables, or the error of asking it}. expected (int): the cluster's
    size.
    """
    found = []
    for host, row in members.items():
        if isinstance(row, Exception):
            lacks = [f"does not answer ({row})"]
        else:
            lacks = [*galera_settings(row), *galera_member(row, expected)]
        if lacks:
            found.append(f"{host}: {', '.join(lacks)}")
    return found


def galera_reason(members: Mapping[str, Mapping[str, str] | Exception], expected: int) -> str:
    """The word for what a Galera cluster lacks: the reason that all of it has, "" where a member is broken.

    members, expected: as for `galera`. A member that does not answer is fed, and not broken, where another
    one feeds one and the cluster counts it.
    """
    rows = [row for row in members.values() if not isinstance(row, Exception)]
    feeds = any(row.get("wsrep_local_state") == _DONOR and row.get("wsrep_desync") != "ON" for row in rows)
    counted = all(int(row.get("wsrep_cluster_size") or 0) >= expected for row in rows)
    found = set()
    for row in members.values():
        if isinstance(row, Exception):
            found.add(reason_of(row) or ("COPY_UNDER_WAY" if feeds and counted else ""))
        elif galera_settings(row) or galera_member(row, expected):
            found.add(_member_reason(row, expected))
    known = ("", "LIMIT_REACHED", "CLIENT_FAILED", "COPY_UNDER_WAY", "SET_BY_OPERATOR")
    return next((reason for reason in known if reason in found), "")


def _member_reason(row: Mapping[str, str], expected: int) -> str:
    if row.get("wsrep_cluster_status") != PRIMARY or int(row.get("wsrep_cluster_size") or 0) < expected:
        return ""
    if galera_settings(row):
        return "SET_BY_OPERATOR"
    return "COPY_UNDER_WAY" if row.get("wsrep_local_state") in (_DONOR, *FED) else ""


def transfer(log: str) -> str:
    """How a Galera member got what it had missed: `IST` (only the changes), `SST` (the whole database), or ""
    when its log says neither.

    log (str): of the member, since its start. A member that needs only IST logs an SST as well, which then
    receives the very position that it had saved.
    """
    saved, received = _SAVED.findall(log), _RECEIVED.findall(log)
    if received:
        return "IST" if saved and saved[-1] == received[-1] else "SST"
    return "IST" if "IST received" in log else ""


def unreached(complaint: str) -> str:
    """Why RabbitMQ's tools do not reach a broker, of the long diagnostics that they print; "" where they tell
    nothing of it.

    complaint (str): what they wrote.
    """
    lines = (line.strip(" *-") for line in complaint.splitlines())
    return "; ".join(dict.fromkeys(line for line in lines if _UNREACHED.search(line)))


def is_down(complaint: str) -> bool:
    """Whether RabbitMQ's tools say that no broker runs; any other error is the tools' own.

    complaint (str): what they wrote.
    """
    return bool(_DOWN.search(complaint))


def rabbitmq(status: Mapping[str, Any], own: str = "") -> list[str]:
    """What a RabbitMQ cluster lacks, a line each.

    status (dict): what `rabbitmqctl cluster_status --formatter json` prints. own (str): a node that has to be
    in the cluster.
    """
    members = {*status.get("disk_nodes", ()), *status.get("ram_nodes", ())}
    running = set(status.get("running_nodes", ()))
    found = [f"{node}: is not running" for node in sorted(members - running)]
    if own and own not in running:
        found.append(f"{own}: is not in the cluster")
    partitions = status.get("partitions") or {}
    found += [f"{node}: is cut off from {', '.join(others)}" for node, others in sorted(partitions.items())]
    for alarm in status.get("alarms") or ():
        named = alarm if isinstance(alarm, Mapping) else {"resource": alarm}
        found.append(f"{named.get('node', 'a node')}: alarm {named.get('resource') or named.get('type')}")
    for node, state in sorted((status.get("maintenance_status") or {}).items()):
        if node in running and state not in ("not under maintenance", "unknown"):
            found.append(f"{node}: is {state}")
    return found


def rabbitmq_lacks_others(status: Mapping[str, Any], own: str) -> bool:
    """Whether a node runs in its cluster with others, and some of the others do not run.

    status (dict): as for `rabbitmq`. own (str): the node.
    """
    members = {*status.get("disk_nodes", ()), *status.get("ram_nodes", ())}
    running = set(status.get("running_nodes", ()))
    return own in running and len(running) > 1 and bool(members - running) and not status.get("partitions")


def raft_lacks_others(found: Mapping[str, Any]) -> bool:
    """Whether a member does its work with others, and is only without a connection to some of them.

    found (dict): what `raft` returned for the member.
    """
    others = len(found["servers"]) - 1
    return 0 < len(found["away"]) < others and not raft_lacks({**found, "away": []})


def raft(text: str) -> dict[str, Any]:
    """What an ovsdb-server says of its cluster.

    text (str): what `ovs-appctl … cluster/status` prints.

    Returns {"status", "leader", "role", "servers": {id: address}, "self": id, "away": [addresses],
    "applied": bool, "behind": entries not yet applied}; of a server without a cluster, an empty dict.
    """
    servers = {match["id"]: match["address"] for match in _OVN_SERVER.finditer(text)}
    own = next((match["id"] for match in _OVN_SERVER.finditer(text) if match["self"]), None)
    if not servers:
        return {}
    fields = dict(
        re.findall(r"^(Status|Leader|Role|Connections|Entries not yet applied): ?(.*)$", text, re.M)
    )
    # Either direction counts: the connection through which a member once joined is shown without its name.
    linked = set(re.findall(r"(?<!\()(?:->|<-)([0-9a-f]{4})", fields.get("Connections", "")))
    return {
        "status": fields.get("Status", ""),
        "leader": fields.get("Leader", ""),
        "role": fields.get("Role", ""),
        "servers": servers,
        "self": own,
        "away": [address for name, address in servers.items() if name not in {own, *linked}],
        "applied": fields.get("Entries not yet applied", "0") == "0",
        "behind": int(fields.get("Entries not yet applied") or 0),
    }


def raft_lacks(found: Mapping[str, Any]) -> list[str]:
    """What a member, or its cluster, lacks; a few words each.

    found (dict): what `raft` returned for the member.
    """
    lacks = []
    if found["status"] != "cluster member":
        lacks.append(f"it is {found['status'] or 'no member'}")
    if found["leader"] in ("", "unknown"):
        lacks.append("the cluster has no leader")
    if found["away"]:
        lacks.append(f"no connection to {', '.join(found['away'])}")
    if not found["applied"]:
        lacks.append("it has not applied all that the cluster wrote")
    return lacks


def _joined(incoming: str) -> list[str]:
    found = [_host(part) for part in (incoming or "").split(",") if part.strip()]
    return [host for host in found if host != "AUTO"]  # a member that cannot tell its own address


def _host(address: str) -> str:
    address = address.strip()
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.rpartition(":")[0] if address.count(":") == 1 else address
