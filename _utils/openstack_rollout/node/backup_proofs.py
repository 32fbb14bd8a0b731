"""Whether what is in a backup's file is whole: read from its beginning to its end, as for a restore."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import IO, Any

from openstack_rollout.node.errors import NodeError

#: A record of an OVSDB file (ovsdb(5)): its length and its sum stand before it.
_OVSDB = re.compile(rb"OVSDB (?:JSON|CLUSTER) (\d+) ([0-9a-f]{40})\n")
_BLOCK = 2**20
#: By what an entry of RabbitMQ's definitions is told from others of its kind.
_NAMES = ("vhost", "component", "user", "name", "source", "destination_type", "destination", "routing_key")
_DUMP_ENDS = b"-- Dump completed"


def of_dump(stream: IO[bytes]) -> str:
    """A dump by mariadb-dump, whose last line says that it is complete. Raises NodeError BACKUP_FAILED."""
    size, end = 0, b""
    while block := stream.read(_BLOCK):
        size, end = size + len(block), (end + block)[-200:]
    if _DUMP_ENDS not in end:
        raise NodeError("BACKUP_FAILED", "the dump has no end: it was cut off")
    return f"{size} bytes of SQL, to their end"


def of_files(stream: IO[bytes]) -> str:
    """An archive by tar, each of whose files is read. Raises NodeError BACKUP_FAILED."""
    try:
        with tarfile.open(fileobj=stream, mode="r|gz") as archive:
            count = sum(one.isfile() for one in archive)
        while stream.read(_BLOCK):
            pass
    except (tarfile.TarError, EOFError, OSError) as error:
        raise NodeError("BACKUP_FAILED", f"the archive cannot be read: {error}") from error
    return f"{count} files"


def refuse_missing(stream: IO[bytes], paths: Iterable[str]) -> None:
    """Raise NodeError BACKUP_FAILED for paths (of files, or of folders) that an archive of files has not."""
    wanted = {path: path.strip("/") for path in paths}
    found: set[str] = set()
    with tarfile.open(fileobj=stream, mode="r|gz") as archive:
        for one in archive:
            found |= {one.name, *map(str, PurePosixPath(one.name).parents)}
    while stream.read(_BLOCK):
        pass
    if missing := [path for path, name in wanted.items() if name not in found]:
        raise NodeError("BACKUP_FAILED", f"it has no {', '.join(missing)}")


def of_definitions(stream: IO[bytes]) -> str:
    """RabbitMQ's definitions, as JSON. Raises NodeError BACKUP_FAILED."""
    try:
        found = json.load(stream)
        counts = {kind: len(found[kind]) for kind in ("vhosts", "users", "queues")}
    except (ValueError, KeyError, TypeError) as error:
        raise NodeError("BACKUP_FAILED", "these are no definitions of RabbitMQ") from error
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def missing_definitions(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """What RabbitMQ lacks of definitions: the kind and the names of each. wanted, there: as exported."""
    return [
        f"{kind} {' '.join(map(str, one))}"
        for kind, entries in wanted.items()
        if isinstance(entries, list)
        for one in sorted({*map(_named, entries)} - {*map(_named, there.get(kind) or ())})
    ]


def _named(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(entry[key]) for key in _NAMES if key in entry)


def of_ovsdb(stream: IO[bytes]) -> str:
    """A database of OVN, each of whose records has its sum. Raises NodeError BACKUP_FAILED."""
    count = 0
    while line := stream.readline(200):
        found = _OVSDB.fullmatch(line)
        body = stream.read(int(found[1])) if found else b""
        if not found or hashlib.sha1(body, usedforsecurity=False).hexdigest() != found[2].decode():
            raise NodeError("BACKUP_FAILED", f"record {count + 1} of the database is damaged")
        count += 1
    if count < 2:  # a schema, and what is in it
        raise NodeError("BACKUP_FAILED", "the database is not all there")
    return f"{count} records, each with its sum"


PROOFS: dict[str, Callable[[IO[bytes]], str]] = {
    "mariadb-dump": of_dump,
    "tar": of_files,
    "definitions": of_definitions,
    "ovsdb": of_ovsdb,
}
