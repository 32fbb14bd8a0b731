"""The guard of a member of OVN's northbound or southbound database: its container changes only while the
others are connected and have a leader.

The server is asked to exit and not killed, so that a leader hands over first. Its clusters follow Raft, as
ovsdb(7) of Open vSwitch describes. A new server serves the schema that the database has: where its image did
not convert it (ovn-ctl does), it is converted here, by the first server of the image as ovn-ctl would.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import clusters, commands, control_socket, ovsdb_schema
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.guarding import Look, Steps
from openstack_rollout.node.guards import PATIENCE

_STEPS = Steps()
_POLL = 0.5
_ENDS_IN = 15  # seconds for a server that was asked to exit
#: what a server says of clusters when its database is none
_ALONE = ("is not a valid command", "unknown cluster")
_CONTROL = re.compile(r"--unixctl=(\S+)")
_SOCKET = re.compile(r"--remote=punix:(\S+)")


def status(container: str) -> dict | None:
    """How this member and its cluster are.

    container (str): the name of the database's container.

    Returns None where the database is no cluster, else {"database", "status", "leader", "role", "servers",
    "self", "away", "applied", "lacks": [what is missing]}. Raises CommandExecutionError when it does not
    answer.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' ovsdb_cluster.status ovn_nb_db
    """
    control = _control(container)
    if control is None:
        raise NodeError("QUORUM_AT_RISK", f"{container}: no database server runs in it")
    try:
        found = _raft(container, control)
    except CommandExecutionError as error:
        raise NodeError("QUORUM_AT_RISK", f"{container}: {error}") from error
    return {**found, "lacks": clusters.raft_lacks(found)} if found else None


def may_stop(container: str, patience: float = PATIENCE) -> dict | None:
    """Make sure that the cluster can spare this member: every other one is connected, and there is a leader.

    container (str): its name. patience (float): seconds in which a cluster may become whole.

    Returns {"control", "self", "servers"}; None where the database is no cluster, or its server does not run.
    Raises NodeError QUORUM_AT_RISK that says what is missing.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' ovsdb_cluster.may_stop ovn_nb_db
    """

    def look() -> Look:
        control = _control(container)
        found = _raft(container, control) if control else None
        if not found:
            return Look()
        known = {"control": control, "self": found["self"], "servers": len(found["servers"])}
        lacks = [f"{found['database']}: {line}" for line in clusters.raft_lacks(found)]
        return Look(known, lacks, __grains__["id"])

    return _STEPS.spare(container, _answering(look), patience, every=_POLL)


def before_stop(container: str, hold: Callable[[], None] | None = None) -> dict:
    """As `may_stop`; then ask the server to exit.

    container (str): its name. hold (callable): keeps its unit from starting it again.

    Returns the token for `after_start`, {} without a cluster. Raises NodeError QUORUM_AT_RISK; nothing was
    touched.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' ovsdb_cluster.before_stop ovn_nb_db
    """
    token = may_stop(container) or {}
    if token:
        _STEPS.begin(container, token)
        if hold:
            hold()
        _appctl(container, token["control"], "exit")
        _STEPS.until(lambda: _control(container) is None, _ENDS_IN, 0.1)
    return token


def after_start(container: str, token: dict | None, timeout: float) -> str:
    """Wait until this member is connected to every other one and has what the cluster wrote meanwhile; then
    have the database converted to the schema of its image, where that is newer.

    container (str): its name. token (dict): of `before_stop`, None when no container ran before.
    timeout (float): seconds, from the last moment at which it applied more of that.

    Returns how it came back, one line. Raises NodeError QUORUM_NOT_RESTORED that says what is missing,
    MEMBERS_AWAY where only others are missing, SCHEMA_BEHIND where the schema could not be converted.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' ovsdb_cluster.after_start ovn_nb_db None 60
    """
    if not token:
        return _convert(container)

    def look() -> Look:
        control = _control(container)
        found = _raft(container, control) if control else None
        lacks = clusters.raft_lacks(found) if found else ["its server does not run, or is no member"]
        others = bool(found) and clusters.raft_lacks_others(found)
        return Look(found, lacks, __grains__["id"], others=others)

    found = _STEPS.back(
        container, _answering(look), timeout, every=_POLL, progress=lambda: progress(container)
    )
    said = f"{found['role']} again, one of {len(found['servers'])}"
    return "; ".join(filter(None, [said, _convert(container)]))


def schema(container: str) -> dict | None:
    """The schema that a database has, and that of its server's image.

    container (str): its name.

    Returns {"database", "has": version, "wants": version, None where the image has no schema of that name};
    None where no server runs. Raises CommandExecutionError when it does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' ovsdb_cluster.schema ovn_nb_db
    """
    server = _server(container)
    return ovsdb_schema.measure(__salt__, server) if server else None


def server(container: str) -> dict | None:
    """The server in a container: {"container", "database", "address"}, None where none could be asked.

    container (str): its name.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' ovsdb_cluster.server ovn_nb_db
    """
    found = _server(container)
    return found._asdict() if found else None


def undo(container: str, token: dict | None) -> None:
    """Forget a change; the guard itself has set nothing.

    container (str): its name. token (dict): of `before_stop`.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' ovsdb_cluster.undo ovn_nb_db None
    """
    _STEPS.end(container)


def progress(container: str) -> dict | None:
    """How far a member is that has not applied all that its cluster wrote.

    container (str): its name.

    Returns {"what": a few words, "mark": what is greater the less is left, "copies": False}; None where
    nothing is, and where it cannot be asked.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' ovsdb_cluster.progress ovn_nb_db
    """
    try:
        control = _control(container)
        found = _raft(container, control) if control else None
    except CommandExecutionError:
        return None
    if not found or not found["behind"]:
        return None
    return {"what": f"it has {found['behind']} entries to apply", "mark": [-found["behind"]], "copies": False}


def pending(container: str) -> dict | None:
    """The token of a change that was begun and not finished (a dict), None when there is none.

    container (str): its name.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' ovsdb_cluster.pending ovn_nb_db
    """
    return _STEPS.pending(container)


def _answering(look: Callable[[], Look]) -> Callable[[], Look]:
    """The same look; of a server that gives no answer, that is what is missing."""

    def tried() -> Look:
        try:
            return look()
        except CommandExecutionError as error:
            return Look(None, [str(error)], __grains__["id"])

    return tried


def _raft(container: str, control: str) -> dict | None:
    """This member's view of its cluster; None of a database without one. Raises CommandExecutionError when
    the server does not answer: whether there is a cluster is not known then.
    """
    listed = _appctl(container, control, "ovsdb-server/list-dbs")
    if listed.retcode:
        raise CommandExecutionError(f"its server does not answer ({listed.complaint()})")
    database = next((name for name in listed.stdout.split() if not name.startswith("_")), None)
    if database is None:
        return None
    answer = _appctl(container, control, "cluster/status", database)
    found = clusters.raft(answer.stdout)
    if found:
        return {"database": database, **found}
    if any(words in answer.stderr for words in _ALONE):
        return None
    raise CommandExecutionError(f"its server gives no status of {database} ({answer.complaint()})")


def _convert(container: str) -> str:
    """Have the database converted where its image has a newer schema; what was done, "" for nothing.

    Raises NodeError SCHEMA_BEHIND where that fails, and where it cannot be told.
    """
    server = _server(container)
    return ovsdb_schema.convert(__salt__, server) if server else ""


def _server(container: str) -> ovsdb_schema.Server | None:
    """The server in a container, None where none runs that could be asked."""
    lines = commands.processes(__salt__, container)
    control, socket = _CONTROL.search(lines), _SOCKET.search(lines)
    if not control or not socket:
        return None
    listed = _appctl(container, control[1], "ovsdb-server/list-dbs")
    database = next((name for name in listed.stdout.split() if not name.startswith("_")), "")
    return ovsdb_schema.Server(container, database, f"unix:{socket[1]}") if database else None


def _control(container: str) -> str | None:
    """The control socket of the server in a container, None when none runs."""
    found = _CONTROL.search(commands.processes(__salt__, container))
    return found.group(1) if found else None


def _appctl(container: str, control: str, *command: str) -> commands.Result:
    return control_socket.ask(__salt__, container, control, *command)
