"""Backups of what an update cannot give back: databases, definitions of queues, configuration files.

Each part is written as one file, read again from its beginning to its end (that is the proof), and written
down with its sum. Encrypted where the operator gives a key. The master says which node keeps what
(rollout/backup.py).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from salt.exceptions import CommandExecutionError

from openstack_rollout.errors import some
from openstack_rollout.node import backup_proofs, backup_store, commands, share, storage
from openstack_rollout.node.backup_store import Part
from openstack_rollout.node.errors import NodeError

SCHEMA = 1
WITHIN = 4 * 3600.0  # seconds that a part may take
_CLIENT = ("mariadb", "--connect-timeout=5", "--batch", "--skip-column-names")
# It waits until all is here that was committed anywhere in the cluster.
_CURRENT = "SET SESSION wsrep_sync_wait = 1; "
_SIZE = "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables"
_DATABASES = (
    "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN"
    " ('mysql', 'information_schema', 'performance_schema', 'sys') ORDER BY schema_name"
)
_DUMP = ("mariadb-dump", "--single-transaction", "--quick", "--skip-lock-tables", "--routines", "--events")
# Galera knows no locks of tables, and a dump that is read back should not ask for any. A table that was made
# since goes with its database: the migration that made it would find it there when it runs again.
_MORE = (
    "--skip-add-locks",
    "--triggers",
    "--hex-blob",
    "--insert-ignore",
    "--add-drop-database",
    "--databases",
)
# Apart from the rows: to grant anew what root has (PROXY), only MariaDB's root may.
_ACCOUNTS = ("mariadb-dump", "--system=users", "--insert-ignore")
_COPY = ("mariabackup", "--backup", "--stream=xbstream", "--galera-info", "--target-dir=/tmp")
_COPIED = "completed OK!"  # mariabackup's last word
_DEFINITIONS = ("rabbitmqctl", "--quiet", "export_definitions", "-", "--format=json")
# By a file in the container's memory: rabbitmqctl closes what it should read, and may work as another user.
_IMPORT = (
    'umask 077; at=$(mktemp -p /dev/shm); trap \'rm -f "$at"\' EXIT; cat > "$at";'
    ' chown rabbitmq "$at" 2>/dev/null; rabbitmqctl --quiet import_definitions "$at"'
)
# By a file that is removed before it is read: ovsdb-client goes to and fro in what it reads.
_BY_FILE = (
    'umask 077; at=$(mktemp) || exit; trap \'rm -f "$at"\' EXIT; cat > "$at" && exec < "$at" && rm -f "$at"'
    ' && exec "$@"'
)
_IMPORTED = 120.0  # seconds until what RabbitMQ imports by itself is there
# Open vSwitch's database changes while it is read, and is no configuration that anybody wrote.
_FILES = ("tar", "--create", "--gzip", "--file=-", "--one-file-system", "--directory=/")
_OF_ETC = ("--exclude=etc/openvswitch", "etc")
_CHANGED = 1  # tar's exit status where files changed while they were read: it has them as they were then
_GUARDS = {
    "galera": "galera",
    "galera_accounts": "galera",
    "rabbitmq": "rabbitmq_cluster",
    "ovn": "ovsdb_cluster",
}


class _Way(NamedTuple):
    """How a part is taken: the command that prints it, the kind of its proof, and its exit statuses that are
    no failure.
    """

    command: list[str]
    how: str
    fine: tuple[int, ...] = (0,)


def take(
    name: str, of: Sequence[str], keep: int = 3, key_file: str = "", dump_below: int = 20 * 2**30
) -> dict:
    """Take a backup, and prove it. What this backup has already stays: it is of before.

    name (str): the run's identifier, or that of a backup by hand. of (list): galera, ovn, rabbitmq, files;
    those that are not on this node are left out. keep (int): how many backups stay. key_file (str): a file of
    this node with a passphrase, which root alone may read; "" for none. dump_below (int): bytes of databases
    up to which they are dumped; larger ones are copied by mariabackup.

    Returns as `kept`, of this one. Raises NodeError BACKUP_FAILED, or DISK_FULL; what was taken by then
    stays.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' node_backup.take by-hand-1 '[galera, rabbitmq]'
    """
    backup_store.refuse_key(key_file)
    found = dict(backup_store.known().get(name, {}))
    begun = time.time()
    for part, way in _ways(of, dump_below):
        if part in found and (backup_store.place(name) / found[part].file).exists():
            continue
        storage.require_room(str(backup_store.place(name)), "a backup")
        found[part] = _taken(name, part, way, key_file)
        backup_store.record(name, begun, found)
    backup_store.keep(keep, name)
    return _told({name: found} if found else {})


def kept() -> dict:
    """The backups that this node keeps.

    Returns {"schema", "backups": {name: {part: {"file", "bytes", "sha256", "how", "proven", "encrypted"}}},
    "said": what was done}, the oldest first.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' node_backup.kept
    """
    return _told(backup_store.known())


def restore(name: str, part: str, key_file: str = "", paths: Sequence[str] = (), force: bool = False) -> dict:
    """Restore a part of a backup, after its sum and its content were proven again.

    name (str): of the backup. part (str): one that `kept` names. key_file (str): as for `take`. paths (list):
    of the files that come back; for the part files alone. force (bool): whether the part galera comes back
    although clients are connected to a member of its cluster: what they write is mixed with it.

    Databases are what they were then: what was written since is lost. Accounts that are there keep their
    passwords; those that are missing come back, and what all of them may do. Files come back with permissions
    and owners. Nothing is restarted. Returns as `kept`, and "clients": from where some were connected all the
    same. Raises NodeError BACKUP_NOT_RESTORED, which says whether anything was touched.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' node_backup.restore 20261130-010203-abcd galera
    """
    found = backup_store.known().get(name, {}).get(part)
    try:
        if found is None:
            raise NodeError("BACKUP_FAILED", f"this node keeps no part of a backup {name}")
        path, key = _proven(name, found, key_file, paths)
        command = _back(part, paths)
        clients, unknown = _connected(part, force)
    except (CommandExecutionError, OSError) as error:
        text = error.text if isinstance(error, NodeError) else str(error)
        raise NodeError("BACKUP_NOT_RESTORED", f"{part}: {text}; nothing was touched") from error
    try:
        said = backup_store.read(path, key, command, WITHIN)
        if part == "rabbitmq":
            _await_definitions(path, key)
    except NodeError as error:
        text = f"{part}: {error.text}; some of it may be back already"
        raise NodeError("BACKUP_NOT_RESTORED", text) from error
    return {
        **_told({name: {part: found}}),
        "said": "; ".join(filter(None, (said, unknown))),
        "clients": clients,
    }


def _proven(name: str, found: Part, key_file: str, paths: Sequence[str]) -> tuple[Path, str]:
    """The file of a part that is whole, and the key that it needs. Raises NodeError BACKUP_FAILED."""
    if found.how not in backup_proofs.PROOFS:
        raise NodeError(
            "BACKUP_FAILED",
            f"it is a copy by {found.how}: that is prepared and put in place by hand, with databases stopped",
        )
    if found.encrypted and not key_file:
        raise NodeError("BACKUP_FAILED", "it is encrypted, and there is no openstack:backup:key_file")
    key = key_file if found.encrypted else ""
    backup_store.refuse_key(key)
    path = backup_store.place(name) / found.file
    if backup_store.sum_of(path) != found.sha256:
        raise NodeError("BACKUP_FAILED", f"{path} is not what was written")
    try:
        with backup_store.opened(path, key) as stream:
            backup_proofs.PROOFS[found.how](stream)
    except NodeError as error:
        if not key:
            raise
        # It is what was written, and was proven then: what is decrypted makes no sense by another key.
        text = f"{path} was not encrypted with what is in openstack:backup:key_file now"
        raise NodeError("BACKUP_FAILED", text) from error
    if paths:
        with backup_store.opened(path, key) as stream:
            backup_proofs.refuse_missing(stream, paths)
    return path, key


def _connected(part: str, force: bool) -> tuple[list[str], str]:
    """From where clients are connected to the database that comes back, and why that is not known.

    Raises NodeError where there are some, or nobody can tell, but by force. Accounts are no rows: who is
    connected mixes nothing with them.
    """
    if part != "galera":
        return [], ""
    (container, *_) = _guarded(part)
    try:
        found: list[str] = __salt__["galera.clients"](container)
    except CommandExecutionError as error:
        if not force:
            raise
        return [], f"who is connected is not known: {error}"
    if found and not force:
        raise NodeError(
            "BACKUP_FAILED",
            f"clients are connected to the database, from {some(found)}: stop what writes to it first, or"
            " have it restored all the same (force=True)",
        )
    return found, ""


def _guarded(part: str) -> list[str]:
    """The containers, or units, of this node that a part is of."""
    guards: Mapping[str, Any] = share.of(__pillar__).get("guards") or {}
    wanted = _GUARDS.get(part, _GUARDS["ovn"])
    return sorted(name for name, guard in guards.items() if guard == wanted)


def _await_definitions(path: Path, key: str) -> None:
    """Wait until RabbitMQ has what it was told to import, which it does after it said that it would.

    Raises NodeError where it does not come.
    """
    until = time.monotonic() + _IMPORTED
    (container, *_) = _guarded("rabbitmq")
    with backup_store.opened(path, key) as stream:
        wanted = json.load(stream)
    while True:
        done = commands.in_container(__salt__, container, _DEFINITIONS)
        missing = [] if done.retcode else backup_proofs.missing_definitions(wanted, json.loads(done.stdout))
        if not done.retcode and not missing:
            return
        if time.monotonic() > until:
            raise NodeError("BACKUP_FAILED", f"{container}: not there: {some(missing) or done.complaint()}")
        time.sleep(1)


def _ways(of: Sequence[str], dump_below: int) -> Iterator[tuple[str, _Way]]:
    guards = share.of(__pillar__).get("guards") or {}
    for kind in of:
        here = sorted(name for name, guard in guards.items() if guard == _GUARDS.get(kind))
        if kind == "files":
            yield kind, _Way([*_FILES, *_OF_ETC], "tar", (0, _CHANGED))
        elif kind == "galera" and here:
            yield kind, _of_database(here[0], dump_below)
            yield "galera_accounts", _Way(commands.inside(__salt__, here[0], _ACCOUNTS), "mariadb-dump")
        elif kind == "rabbitmq" and here:
            yield kind, _Way(commands.inside(__salt__, here[0], _DEFINITIONS), "definitions")
        elif kind == "ovn":
            for name in here:
                if (server := __salt__["ovsdb_cluster.server"](name)) is None:
                    raise NodeError("BACKUP_FAILED", f"{name}: no server of OVN's databases answers there")
                asked = ["ovsdb-client", "--no-leader-only", "backup", server["address"], server["database"]]
                yield server["database"], _Way(commands.inside(__salt__, server["container"], asked), "ovsdb")


def _of_database(container: str, dump_below: int) -> _Way:
    status = __salt__["galera.status"](container)
    if status is not None and (status["state"], status["cluster"]) != ("Synced", "Primary"):
        raise NodeError(
            "BACKUP_FAILED",
            f"{container}: this member is {status['state']}, in a cluster that is {status['cluster']}",
        )
    size = int(_asked(container, _CURRENT + _SIZE).strip() or 0)
    if size > dump_below:
        return _Way(commands.inside(__salt__, container, _COPY), "mariabackup")
    databases = _asked(container, _DATABASES).split("\n")
    named = [name for name in databases if name]
    if not named:
        raise NodeError("BACKUP_FAILED", f"{container}: it has no databases")
    return _Way(commands.inside(__salt__, container, [*_DUMP, *_MORE, *named]), "mariadb-dump")


def _asked(container: str, query: str) -> str:
    done = commands.in_container(__salt__, container, [*_CLIENT, f"--execute={query}"])
    if done.retcode:
        raise NodeError("BACKUP_FAILED", f"{container}: the database does not answer: {done.complaint()}")
    return done.stdout


def _taken(name: str, part: str, way: _Way, key: str) -> Part:
    path = backup_store.place(name) / f"{part}.{way.how}{'.enc' if key else ''}"
    try:
        size, checksum, said = backup_store.write(way.command, path, key, WITHIN, way.fine)
        if way.how in backup_proofs.PROOFS:
            with backup_store.opened(path, key) as stream:
                proven = backup_proofs.PROOFS[way.how](stream)
            if said and _CHANGED in way.fine:
                proven += f" ({said})"
        elif _COPIED in said:
            proven = "it says that it completed"
        else:
            raise NodeError("BACKUP_FAILED", f"{way.how} does not say that it completed: {said}")
    except NodeError as error:
        path.unlink(missing_ok=True)
        raise NodeError(error.reason, f"{part}: {error.text}") from error
    except OSError as error:
        path.unlink(missing_ok=True)
        raise NodeError("BACKUP_FAILED", f"{part}: {error}") from error
    return Part(path.name, size, checksum, way.how, proven, bool(key))


def _back(part: str, paths: Sequence[str]) -> list[str]:
    """The command that reads a part and has it be there again. Raises NodeError BACKUP_FAILED."""
    if part == "files":
        named = [path.lstrip("/") for path in paths]
        if not named:
            raise NodeError("BACKUP_FAILED", "which files? give their paths")
        return ["tar", "--extract", "--gzip", "--file=-", "--directory=/", "--same-owner", "-p", "--", *named]
    here = _guarded(part)
    try:
        if _GUARDS.get(part) == _GUARDS["galera"] and here:
            return commands.inside(__salt__, here[0], ["mariadb", "--connect-timeout=5"])
        if part == "rabbitmq" and here:
            return commands.inside(__salt__, here[0], ["sh", "-c", _IMPORT])
        for server in filter(None, map(__salt__["ovsdb_cluster.server"], here)):
            if server["database"] == part:
                asked = ["ovsdb-client", "--no-leader-only", "restore", server["address"], part]
                return commands.inside(__salt__, server["container"], ["sh", "-c", _BY_FILE, "sh", *asked])
    except CommandExecutionError as error:
        raise NodeError("BACKUP_FAILED", str(error)) from error
    raise NodeError("BACKUP_FAILED", "nothing on this node takes it")


def _told(backups: Mapping[str, Mapping[str, Part]]) -> dict:
    plain = {name: {part: one._asdict() for part, one in parts.items()} for name, parts in backups.items()}
    return {"schema": SCHEMA, "backups": plain, "said": ""}
