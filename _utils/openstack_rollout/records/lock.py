"""One engine at a time: a lock that belongs to a process, so that a dead owner never blocks.

That of one master is in a file; several masters share another one (lease.py).

The owner is known by its process id, when the kernel started it, and the boot of its host: ids are used
again, and none of these moves with the clock (proc(5)). The same process enters again: the steps of an
orchestration all run in the process of salt-run.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any, Protocol

from openstack_rollout.errors import RolloutError
from openstack_rollout.records import processes
from openstack_rollout.records.state_file import StateFile

_FORM = {"pid": int, "started": int, "boot": str, "host": str, "since": Real, "run": str}


class Lock(Protocol):
    """Whose turn it is to drive a run. All of it raises RolloutError JOURNAL_FAILED where the lock cannot be
    reached.
    """

    def acquire(self) -> None:
        """Take the lock, also from a dead owner. Raises RolloutError RUN_IN_PROGRESS when another process has
        it that lives, as far as anybody knows.
        """

    def refuse_others(self) -> None:
        """Raise RolloutError RUN_IN_PROGRESS, naming the owner, when acquire would."""

    def refuse_lost(self) -> None:
        """Raise RolloutError LOCK_LOST when this process took the lock, and another may have it by now."""

    def assign(self, run_id: str) -> None:
        """Write down for which run this process holds the lock."""

    def release(self) -> None:
        """Give the lock back; nothing happens when another process has it."""

    def holder(self) -> dict[str, Any] | None:
        """The owner {"pid", "started", "boot", "host", "run", "since"}, None when the lock is free or its
        owner is known to be dead.
        """

    def mine(self) -> dict[str, Any] | None:
        """As holder, but only when this process is the owner."""


class FileLock:
    """A Lock in a file (path) of the master's cache directory.

    Reading it raises RolloutError JOURNAL_FAILED when that is refused.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self._file = StateFile(path, _FORM)

    def acquire(self) -> None:
        """Take the lock, also from a dead owner.

        Raises RolloutError RUN_IN_PROGRESS when a live process has it, JOURNAL_FAILED when it cannot be
        written.
        """
        with self._writing():
            self.refuse_others()
            owner = self._read()
            if not owner or not _is_me(owner):
                self._file.write({**me(), "since": time.time(), "run": ""})

    def refuse_others(self) -> None:
        """Raise RolloutError RUN_IN_PROGRESS, naming the owner, when a live process other than this one has
        the lock.
        """
        owner = self._read()
        if owner and _alive(owner) and not _is_me(owner):
            raise in_progress(owner)

    def refuse_lost(self) -> None:
        """Nothing: nobody takes it from a process that lives."""

    def assign(self, run_id: str) -> None:
        """Write down for which run this process holds the lock."""
        with self._writing():
            owner = self._read()
            if owner and _is_me(owner):
                self._file.write({**owner, "run": run_id})

    def release(self) -> None:
        """Give the lock back; nothing happens when another process has it."""
        with self._file.guarded():
            owner = self._read()
            if owner and _is_me(owner):
                self._file.forget()

    def holder(self) -> dict[str, Any] | None:
        """The live owner {"pid", "started", "boot", "host", "run", "since"}, None when the lock is free or
        its owner died.
        """
        owner = self._read()
        return owner if owner and _alive(owner) else None

    def mine(self) -> dict[str, Any] | None:
        """As holder, but only when this process is the owner."""
        owner = self._read()
        return owner if owner and _is_me(owner) else None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold off other processes, and name a disk that refuses."""
        try:
            with self._file.guarded():
                yield
        except OSError as error:
            raise self._failed(error) from error

    def _read(self) -> dict[str, Any] | None:
        """The owner as written, dead or alive. What is damaged is nobody's: it is written whole, so that only
        a power cut leaves it so, and no owner outlives that.
        """
        try:
            return self._file.read()
        except ValueError:
            return None
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> RolloutError:
        return RolloutError("JOURNAL_FAILED", f"the lock {self._file.path}: {error.strerror}")


def me() -> dict[str, Any]:
    """This process: {"pid", "started": in ticks since the boot, "boot": its id, "host"}."""
    pid = os.getpid()
    return {
        "pid": pid,
        "started": processes.started(pid),
        "boot": processes.boot(),
        "host": socket.gethostname(),
    }


def in_progress(owner: dict[str, Any], also: str = "") -> RolloutError:
    """The refusal that names an owner. also (str): what else is told of it."""
    text = f"run {owner['run'] or '(starting)'} holds the lock: {named(owner)}{also}"
    return RolloutError("RUN_IN_PROGRESS", text)


def named(owner: dict[str, Any]) -> str:
    """An owner for people: which process, and since when."""
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(owner["since"]))
    return f"process {owner['pid']} on {owner['host']} since {since}"


def _is_me(owner: dict[str, Any]) -> bool:
    return all(owner[key] == value for key, value in me().items())


def _alive(owner: dict[str, Any]) -> bool:
    """Whether the owner runs; on another host nobody here can tell, so it counts as alive."""
    if owner["host"] != socket.gethostname():
        return True
    return owner["boot"] == processes.boot() and owner["started"] == processes.started(owner["pid"])
