"""The guard of a Galera member: its container changes only while the others carry the database, and counts as
changed only when it is a member again.

The database is asked inside its container, as root there reaches it (its own option files). The other members
are asked over the network, since a member does not know whether another one is synced. The wsrep_ variables
are Galera's own: https://mariadb.com/kb/en/galera-cluster-status-variables/.

A member that joins may be fed the whole database, for hours. It answers no question meanwhile; that it moves
is seen in its files.
"""

from __future__ import annotations

import time
from pathlib import Path

from salt.exceptions import CommandExecutionError

from openstack_rollout.errors import some
from openstack_rollout.node import carriers, clusters, commands, database_copy
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.guarding import Look, Steps
from openstack_rollout.node.guards import PATIENCE

_STEPS = Steps()
_LEAVE = 15  # seconds for clients to go to another member
_CLIENT = ("mariadb", "--connect-timeout=5", "--batch", "--skip-column-names")
_PROC = Path("/proc")
_NO_CONTAINER = 125  # the engine's own exit code, as for a container that does not run
_QUESTION = (
    "SELECT LOWER(VARIABLE_NAME), VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS"
    " WHERE VARIABLE_NAME LIKE 'wsrep\\_%' UNION SELECT LOWER(VARIABLE_NAME), VARIABLE_VALUE"
    " FROM information_schema.GLOBAL_VARIABLES"
    " WHERE VARIABLE_NAME IN ('wsrep_on', 'wsrep_cluster_address', 'wsrep_node_name', 'wsrep_desync',"
    " 'wsrep_reject_queries', 'wsrep_provider_pc_ignore_quorum', 'wsrep_provider_pc_ignore_sb',"
    " 'datadir', 'port')"
    # That view cuts a value off after 2048 characters, and there are more options.
    " UNION SELECT 'wsrep_provider_options', @@GLOBAL.wsrep_provider_options"
)
_CLIENTS = (
    "SELECT HOST FROM information_schema.PROCESSLIST WHERE ID != CONNECTION_ID()"
    " AND USER NOT IN ('system user', 'unauthenticated user')"
    " AND HOST != 'localhost' AND HOST NOT LIKE '127.0.0.1:%'"
)
# The server's own threads, which it shows to those alone whom it shows all others' too.
_THREADS = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'system user'"
_HERE = {"localhost", "127.0.0.1", "::1"}


def status(container: str = "mariadb") -> dict | None:
    """How this member and its cluster are.

    container (str): the name of the database's container.

    Returns None where the database is no member of a cluster, else {"name", "state", "cluster", "size",
    "expected": [hosts], "members": {host: state, or why it does not answer}, "lacks": [what the cluster
    lacks]}. Raises CommandExecutionError when the database does not answer, or cannot tell its members.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' galera.status
    """
    own = _ask(container)
    members = _members(container, own)
    if members is None:
        return None
    return {
        "name": own.get("wsrep_node_name"),
        "state": own.get("wsrep_local_state_comment"),
        "cluster": own.get("wsrep_cluster_status"),
        "size": int(own.get("wsrep_cluster_size") or 0),
        "expected": list(members),
        "members": {
            host: str(row) if isinstance(row, Exception) else row.get("wsrep_local_state_comment")
            for host, row in members.items()
        },
        "lacks": clusters.galera(members, len(members)),
    }


def clients(container: str = "mariadb") -> list[str]:
    """From where clients are connected to members of this cluster, but for each member's own machine.

    container (str): its name.

    Returns the hosts. Raises NodeError CLIENT_FAILED, or LIMIT_REACHED, where a member does not tell.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' galera.clients
    """
    own = _ask(container)
    others = _members(container, own) or {}
    for answer in others.values():
        if isinstance(answer, NodeError):  # its server is there; where none is, nobody is connected
            raise answer
    asked = ["", *(host for host, row in others.items() if isinstance(row, dict))]
    return sorted({one for host in asked for one in _connected(container, host, own)} - _HERE)


def may_stop(container: str = "mariadb", patience: float = PATIENCE) -> dict | None:
    """Make sure that the cluster can spare this member: every member is synced, in one primary component.

    container (str): its name. patience (float): seconds in which a cluster may become whole.

    Returns this member's own variables, None without a cluster or without a database that answers here.
    Raises NodeError that names the members and what they lack: QUORUM_AT_RISK; COPY_UNDER_WAY where one is
    only being fed, SET_BY_OPERATOR where a setting is all, also one by which not all members can be told,
    CLIENT_FAILED where one cannot be asked, LIMIT_REACHED where one lets nobody else
    in.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' galera.may_stop
    """

    def look() -> Look:
        try:
            own = _ask(container, absent=True)
        except NodeError as error:
            return Look(None, [error.text], _member({}, None), error.reason)
        if own is None and (copy := _copy(container)) and copy["copies"]:
            return Look(None, [copy["what"]], _member({}, own), "COPY_UNDER_WAY")
        members = own and _members(container, own)
        if not members:
            return Look()
        reason = clusters.galera_reason(members, len(members))
        return Look(own, clusters.galera(members, len(members)), _member({}, own), reason)

    return _STEPS.spare(container, look, patience)


def before_stop(container: str) -> dict:
    """As `may_stop`; then have its clients go to other members.

    The member declares itself out of step (`wsrep_desync`) while it still serves. A proxy that checks for
    that sends clients elsewhere before the member stops, so they see no errors. Where no proxy checks, or
    clients stay, this waits for a few seconds and goes on.

    container (str): its name.

    Returns the token for `after_start`, {} without a cluster. Raises NodeError QUORUM_AT_RISK; the member
    serves on.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' galera.before_stop mariadb
    """
    own = may_stop(container)
    if not own:
        return {}
    token = {
        "member": own.get("wsrep_node_name"),
        "size": int(own["wsrep_cluster_size"]),
        "data": own.get("datadir"),
        "begun": time.time(),
    }
    _STEPS.begin(container, token)
    _desync(container, "ON")
    _STEPS.until(lambda: not _clients(container), _LEAVE)
    return token


def after_start(container: str, token: dict | None, timeout: float) -> str:
    """Wait until this member is back: synced, in the primary component, and that as large as before.

    container (str): its name. token (dict): of `before_stop`, None when no container ran before.
    timeout (float): seconds, from the last moment at which a copy, or what it applies, moved.

    Returns how it came back, one line. Raises NodeError QUORUM_NOT_RESTORED that names the member and what is
    missing; MEMBERS_AWAY where only others are missing, COPY_STALLED where a copy does not go on,
    CLIENT_FAILED where the member cannot be asked.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' galera.after_start mariadb None 600
    """
    token = token or {}

    def look() -> Look:
        try:
            own = _ask(container, absent=True)
        except NodeError as error:
            return Look(None, [error.text], _member(token, None), error.reason)
        if not own:
            return Look(None, ["its database does not answer"], _member(token, own))
        if own.get("wsrep_on") != "ON":
            return Look(own)
        if token and own.get("wsrep_desync") == "ON":
            _desync(container, "OFF")  # it was never stopped
        # A cluster that is being founded has no size yet.
        lacks = clusters.galera_member(own, int(token.get("size") or 1))
        return Look(own, lacks, _member(token, own), others=not clusters.galera_member(own, 2))

    own = _STEPS.back(container, look, timeout, progress=lambda: progress(container))
    return _how_it_came_back(container, token, own)


def undo(container: str, token: dict | None) -> None:
    """Have a member that was not stopped keep in step again. A second time changes nothing.

    container (str): its name. token (dict): of `before_stop`; None: that of a run that died.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' galera.undo mariadb None
    """
    if _STEPS.token(container, token):
        try:
            own = _ask(container, absent=True)
        except CommandExecutionError:
            return  # the record stays, for the next run
        if own is None and (copy := _copy(container)) and copy["copies"]:
            return
        if own and own.get("wsrep_desync") == "ON":
            _desync(container, "OFF")
    _STEPS.end(container)


def progress(container: str) -> dict | None:
    """How far a member is that joins its cluster: fed the whole database, or applying what it missed.

    container (str): its name.

    Returns {"what": a few words, "mark": what is greater the further it is, "copies": whether another start
    would have it begin again}; None of a member that is synced, and where no server runs.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' galera.progress mariadb
    """
    try:
        own = _ask(container, absent=True)
    except CommandExecutionError:
        return None  # whether it moves is not known
    if own is None:
        return _copy(container)
    if own.get("wsrep_on") != "ON" or own.get("wsrep_local_state") not in clusters.FED:
        return None
    at, queue = (int(own.get(f"wsrep_{key}") or 0) for key in ("last_committed", "local_recv_queue"))
    mark = [1, at, -queue]  # further than any that is fed still
    return {"what": f"it applies what it missed (it is at {at})", "mark": mark, "copies": True}


def pending(container: str) -> dict | None:
    """The token of a change that was begun and not finished (a dict), None when there is none.

    container (str): its name.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' galera.pending mariadb
    """
    return _STEPS.pending(container)


def _member(token: dict, own: dict | None) -> str:
    return token.get("member") or (own or {}).get("wsrep_node_name") or __grains__["id"]


def _how_it_came_back(container: str, token: dict, own: dict) -> str:
    if not token:
        return ""
    how = clusters.transfer(_log(container, int(token["begun"])))
    by = {"SST": "by SST: the whole database was copied", "IST": "by IST"}.get(how, "")
    return f"{token['member']} is synced again, one of {own['wsrep_cluster_size']} {by}".strip()


def _copy(container: str) -> dict | None:
    """As `progress`, of a member whose server answers no question: it is fed, or only starting."""
    runs = database_copy.running(commands.processes(__salt__, container))
    pid = commands.main_process(__salt__, container)
    if not pid or not (runs.server or runs.method):
        return None
    place = runs.data or (pending(container) or {}).get("data") or database_copy.DATA
    found = database_copy.files(_PROC / pid / "root" / place.lstrip("/"))
    if found is None:
        return None
    # Copied over what was there, files need not grow, nor be more.
    mark = [0, found.changed, found.size, found.number]
    if not (runs.method or found.marked):
        return {"what": "its server starts", "mark": mark, "copies": False}
    by = f" by {runs.method}" if runs.method else ""
    what = f"it receives the whole database (SST{by}, {found.size // 2**20} MiB in {place})"
    return {"what": what, "mark": mark, "copies": True}


def _log(container: str, since: int) -> str:
    """What the server wrote: in the journal of its unit, or where its engine keeps it."""
    record = carriers.carried(__salt__).get(container, {})
    if record and not record["journal"]:
        done = commands.run(__salt__, ["podman", "logs", f"--since={since}", container])
        return f"{done.stdout}\n{done.stderr}"
    options = ["--no-pager", "--output=cat", "--grep=[IS]ST|saved state"]
    unit = record.get("unit") or (container if commands.is_unit(container) else f"{container}.service")
    return commands.run(__salt__, ["journalctl", f"--unit={unit}", f"--since=@{since}", *options]).stdout


def _members(container: str, own: dict) -> dict | None:
    """Every member: host → its wsrep_ variables, or why it does not answer. None without a cluster.

    Raises NodeError SET_BY_OPERATOR where the cluster is larger than what this member can name.
    """
    if own.get("wsrep_on") != "ON":
        return None
    group, incoming = own.get("wsrep_cluster_address", ""), own.get("wsrep_incoming_addresses", "")
    members = _each(container, clusters.hosts(group, incoming), own)
    if not clusters.named(group):
        # This one founded the cluster. Those that joined it name them all, also one that is away.
        rows = [row for row in members.values() if isinstance(row, dict)]
        told = [clusters.named(row.get("wsrep_cluster_address", "")) for row in rows]
        named = max(told, key=len, default=[])
        members = _each(container, named, own) if len(named) > len(members) else members
    size = int(own.get("wsrep_cluster_size") or 0)
    if len(members) < 2 and size < 2:
        return None
    if len(members) + clusters.arbitrators(group, incoming) < size:
        raise NodeError(
            "SET_BY_OPERATOR",
            f"{container} cannot tell the members of its cluster: they are {size}, it knows of"
            f" {some(list(members)) or 'none'}. Set wsrep_cluster_address to all members with data"
            " (gcomm://HOST,HOST,…), or wsrep_node_address on each of them",
        )
    return members


def _each(container: str, hosts: list[str], own: dict) -> dict:
    members = {}
    for host in hosts:
        try:
            members[host] = _ask(container, host, own.get("port", "3306"))
        except CommandExecutionError as error:
            members[host] = error
    return members


def _desync(container: str, state: str) -> None:
    result = _query(container, f"SET GLOBAL wsrep_desync = {state}")
    if result.retcode:
        raise NodeError("QUORUM_AT_RISK", f"{container}: wsrep_desync = {state}: {result.complaint()}")


def _clients(container: str) -> list[str]:
    """Where clients are connected from, beside this machine."""
    return _query(container, _CLIENTS).stdout.split()


def _connected(container: str, host: str, own: dict) -> list[str]:
    """The hosts that are connected to a member ("": the own one). Raises NodeError where it does not tell."""
    where = [f"--host={host}", f"--port={own.get('port', '3306')}"] if host else []
    result = _query(container, f"{_THREADS}; {_CLIENTS}", *where)
    if result.retcode:
        reason = clusters.unasked(result.stderr)
        raise NodeError(reason, f"{container} cannot ask {host or 'its database'}: {result.complaint()}")
    threads, *found = result.stdout.split() or [""]
    if not threads.isdigit() or (host and not int(threads)):
        raise NodeError("CLIENT_FAILED", f"{container}: {host or 'it'} does not tell who is connected")
    return [one.rpartition(":")[0] or one for one in found]


def _ask(container: str, host: str = "", port: str = "", absent: bool = False) -> dict | None:
    """The wsrep_ variables of a member; None, where `absent` allows it, when no server is there.

    Raises CommandExecutionError of a host where no server is, NodeError CLIENT_FAILED where the client could
    not ask: that says nothing of the server; LIMIT_REACHED where the server lets nobody else in.
    """
    where = [f"--host={host}", f"--port={port}"] if host else []
    result = _query(container, _QUESTION, *where)
    if not result.retcode:
        return dict(line.split("\t", 1) for line in result.stdout.splitlines() if "\t" in line)
    away = result.retcode == _NO_CONTAINER or clusters.no_server(result.stderr)
    if away and not host and (pid := commands.main_process(__salt__, container)):
        away = not database_copy.listens(_PROC, pid)
    if absent and away:
        return None
    if host and away:
        raise CommandExecutionError(result.complaint())
    reason = "QUORUM_AT_RISK" if away else clusters.unasked(result.stderr)
    raise NodeError(reason, f"{container} cannot ask {host or 'its database'}: {result.complaint()}")


def _query(container: str, question: str, *options: str) -> commands.Result:
    return commands.in_container(__salt__, container, [*_CLIENT, *options, f"--execute={question}"])
