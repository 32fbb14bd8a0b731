"""Which process is which, whatever the clock does: by the boot of its host, and when the kernel started it.

Process ids are used again, and times of day move (proc(5)).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_STATE, _PARENT, _SESSION, _STARTED = 0, 1, 3, 19  # of what follows the name of a process in its stat
_ZOMBIE = "Z"


class Process(NamedTuple):
    """A process that runs.

    pid (int). parent (int): the process that started it, or took it over. session (int): the first process of
    its session. started (int): ticks since the boot.
    """

    pid: int
    parent: int
    session: int
    started: int


def process(pid: int) -> Process | None:
    """A process that runs; None where none of that id does."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    if fields[_STATE] == _ZOMBIE:
        return None
    return Process(pid, int(fields[_PARENT]), int(fields[_SESSION]), int(fields[_STARTED]))


def all_of_them() -> list[Process]:
    """Every process that runs on this host."""
    pids = (int(one.name) for one in _PROC.iterdir() if one.name.isdecimal())
    return [found for pid in pids if (found := process(pid))]


def boot() -> str:
    """The identifier of this boot of the host."""
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def started(pid: int) -> int | None:
    """When a process was started, in ticks since the boot; None where none of that id runs."""
    found = process(pid)
    return None if found is None else found.started


def table() -> str:
    """The identifier of the process table that this process sees: a container has one of its own."""
    return (_PROC / "self/ns/pid").readlink().name
