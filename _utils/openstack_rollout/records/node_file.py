"""What a run did to its nodes, in a file that grows by a line for what changed of one of them.

A line is written at once, and has a checksum: one that was cut off, by a death or a power cut, is as if it
had not been written, and goes when the next one is. The process that holds the lock alone writes; others may
read at any moment. The file is made small again when it is opened for writing.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import zlib
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from openstack_rollout.errors import RolloutError
from openstack_rollout.records.run_record import NodeRecord, Silenced, Step
from openstack_rollout.records.snapshot import Snapshot

#: Lines beyond two for each node from which on a file is made small when it is opened.
_SPARE = 1000
_FIELDS = tuple(one.name for one in fields(NodeRecord) if one.name != "history")
_STEP = tuple((one.name, one.default) for one in fields(Step))

_SNAPSHOT = TypeAdapter(Snapshot)

#: A node's record as plain data, the node's id → the record. Raises RolloutError.
Read = Callable[[Any, str], NodeRecord]


class _Line(NamedTuple):
    """What a line tells of a node: everything (whole), or what changed, and the steps that are new."""

    node: str
    whole: bool
    values: dict[str, Any]
    steps: list[dict[str, Any]]


@dataclass
class _Kept:
    """What lines tell of a node."""

    values: dict[str, Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def take(self, line: _Line) -> None:
        """Take in a line. Raises TypeError for a step that is none."""
        if line.whole:
            self.values, self.steps = line.values, []
        else:
            self.values.update(line.values)
        for one in line.steps:
            self.steps.append(Step(**one))


@dataclass
class _Known:
    """What the file has of a node. record: the one that was written last, or was read."""

    record: NodeRecord
    values: tuple[Any, ...]
    steps: int
    last: Step | None

    @classmethod
    def of(cls, record: NodeRecord) -> _Known:
        """What the file has once a record is written."""
        steps = record.history
        return cls(record, _values(record), len(steps), steps[-1] if steps else None)

    def again(self) -> NodeRecord:
        """The record as the file has it."""
        values = dict(zip(_FIELDS, self.values, strict=True))
        values["silences"] = [copy(one) for one in values["silences"]]
        return NodeRecord(**values, history=self.record.history[: self.steps])


class _Contents:
    """What a file has. bad: how many lines are none, before others. end: where what was cut off begins."""

    def __init__(self, path: Path, only: str | None = None):
        self.nodes: dict[str, _Kept] = {}
        self.lines = self.bad = self.end = 0
        at = maybe = 0
        try:
            with open(path, "rb") as file:
                for text in file:
                    at += len(text)
                    line = _parsed(text)
                    if line is None or not self._take(line, only):
                        maybe += 1
                        continue
                    self.lines += 1
                    self.bad, self.end = maybe, at
        except FileNotFoundError:
            pass
        except OSError as error:
            raise RolloutError("JOURNAL_DAMAGED", f"{path}: {error}") from error

    def _take(self, line: _Line, only: str | None) -> bool:
        """Take in a line; False for one that is none. Changes of a node that is not known are lost."""
        if only not in (None, line.node):
            return True
        if line.whole:
            self.nodes[line.node] = _Kept()
        try:
            if line.node in self.nodes:
                self.nodes[line.node].take(line)
        except TypeError:
            return False
        return True


class NodeFile:
    """The records of the nodes of one run.

    path: its file. read: makes a record of plain data.
    """

    def __init__(self, path: Path, read: Read):
        self._path = path
        self._read = read
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._file = -1
        self._end = -1  # of what is known of the file; -1 where it was not read
        self._lines = 0
        self._all_known = False
        self._read_at: tuple[int, int] = (0, 0)  # the file of which that is known: its number and size

    def __del__(self) -> None:
        self._close()

    def all(self) -> dict[str, NodeRecord]:
        """The records, by node id. Raises RolloutError JOURNAL_DAMAGED, JOURNAL_VERSION."""
        with self._lock:
            if self._all_known and self._stamp() == self._read_at:
                self._shrink()
                return {node: one.again() for node, one in self._known.items()}
            at = self._stamp()
            contents = self._sound(_Contents(self._path))
            found = {node: self._record(node, one) for node, one in contents.nodes.items()}
            if self._file < 0 or contents.end == self._end:
                self._known = {node: _Known.of(one) for node, one in found.items()}
                self._end, self._read_at, self._all_known = contents.end, at, True
            return found

    def one(self, node: str) -> NodeRecord | None:
        """The record of a node, None where there is none. Raises as `all`."""
        with self._lock:
            if node in self._known and self._stamp() == self._read_at:
                return self._known[node].again()
            found = self._sound(_Contents(self._path, only=node)).nodes.get(node)
            return None if found is None else self._record(node, found)

    def save(self, node: str, record: NodeRecord) -> None:
        """Write what changed of a record. Raises RolloutError JOURNAL_FAILED."""
        with self._lock:
            try:
                self._open()
                self._append(_text(_changes(node, record, self._known.get(node))))
            except OSError as error:
                raise RolloutError("JOURNAL_FAILED", f"{self._path}: {error}") from error
            self._known[node] = _Known.of(record)
            self._read_at = self._stamp()

    def repair(self) -> list[str]:
        """Drop what cannot be read. Returns what that was: node ids, "" for a line of nobody knows which."""
        with self._lock:
            contents, wrong = _Contents(self._path), []
            for node, one in contents.nodes.items():
                try:
                    self._record(node, one)
                except RolloutError as error:
                    if error.reason != "JOURNAL_DAMAGED":
                        raise
                    wrong.append(node)
            if contents.bad or wrong:
                self._rewrite(_whole(node, one) for node, one in contents.nodes.items() if node not in wrong)
            return [*wrong, *[""] * contents.bad]

    def _sound(self, contents: _Contents) -> _Contents:
        if contents.bad:
            raise RolloutError("JOURNAL_DAMAGED", f"{self._path}: {contents.bad} of its lines are damaged")
        return contents

    def _record(self, node: str, kept: _Kept) -> NodeRecord:
        record = self._read({**kept.values, "history": []}, node)
        record.history = kept.steps
        return record

    def _open(self) -> None:
        """Open the file for writing, where it is not, without what was cut off."""
        if self._file >= 0 and self._is_there():
            return
        self._close()
        contents = _Contents(self._path)
        end = contents.end
        if end != self._end:  # somebody else has written: everything is told anew
            self._known.clear()
            self._all_known = not end
        self._lines = contents.lines
        if self._lines > 2 * len(contents.nodes) + _SPARE and not contents.bad:
            self._rewrite(_whole(node, one) for node, one in contents.nodes.items())
            self._lines, end = len(contents.nodes), self._path.stat().st_size
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.ftruncate(self._file, end)
        self._end = end

    def _stamp(self) -> tuple[int, int]:
        try:
            found = os.stat(self._path)
        except OSError:
            return 0, 0
        return found.st_ino, found.st_size

    def _is_there(self) -> bool:
        """Whether the open file is still that of the path, as it was left."""
        found = os.fstat(self._file)
        return bool(found.st_nlink) and found.st_size == self._end

    def _append(self, line: bytes) -> None:
        try:
            room = os.fstatvfs(self._file)
            if room.f_blocks and not room.f_bfree:  # though the line may fit into the file's last block
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written = os.write(self._file, line)
            if written != len(line):
                raise OSError(f"{written} of {len(line)} bytes were written")
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._end)
            raise
        self._end += len(line)
        self._lines += 1

    def _shrink(self) -> None:
        """Make the file small that this process writes, and knows, where that is worth it; or leave it."""
        if self._file < 0 or self._lines <= 2 * len(self._known) + _SPARE:
            return
        with contextlib.suppress(OSError):
            self._rewrite(_changes(node, one.again(), None) for node, one in self._known.items())
            self._close()
            self._read_at = self._stamp()
            self._lines, self._end = len(self._known), self._read_at[1]

    def _rewrite(self, lines: Iterable[_Line]) -> None:
        """Replace the file by one with these lines, one for each node."""
        aside = self._path.with_name(f".{self._path.name}.new")
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.writelines(map(_text, lines))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._path)

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


def _values(record: NodeRecord) -> tuple[Any, ...]:
    """The fields but for the history; what is changed in place as copies."""
    found = vars(record)
    return tuple(
        [copy(one) for one in found[name]] if name == "silences" else found[name] for name in _FIELDS
    )


def _changes(node: str, record: NodeRecord, known: _Known | None) -> _Line:
    """What is to be written of a record."""
    values, steps = _values(record), record.history
    if known is None or (known.steps and steps[known.steps - 1 : known.steps] != [known.last]):
        return _Line(node, True, dict(zip(_FIELDS, map(_plain, values), strict=True)), _told(steps))
    changed = {
        name: _plain(value)
        for name, value, before in zip(_FIELDS, values, known.values, strict=True)
        if value is not before and value != before
    }
    return _Line(node, False, changed, _told(steps[known.steps :]))


def _whole(node: str, kept: _Kept) -> _Line:
    return _Line(node, True, kept.values, _told(kept.steps))


def _plain(value: Any) -> Any:
    if isinstance(value, Snapshot):
        return _SNAPSHOT.dump_python(value)
    if isinstance(value, list):
        return [asdict(one) if isinstance(one, Silenced) else one for one in value]
    return value


def _told(steps: list[Step]) -> list[dict[str, Any]]:
    """Steps as plain data, without what is as always."""
    return [
        {name: value for name, always in _STEP if (value := getattr(one, name)) != always} for one in steps
    ]


def _text(line: _Line) -> bytes:
    text = json.dumps(line, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _parsed(text: bytes) -> _Line | None:
    """A line; None for one that is none."""
    told = text[9:-1]
    try:
        if text[-1:] != b"\n" or int(text[:8], 16) != zlib.crc32(told):
            return None
        return _Line(*json.loads(told))
    except (ValueError, TypeError):
        return None
