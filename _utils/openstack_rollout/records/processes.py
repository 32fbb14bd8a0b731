"""Which process is which, whatever the clock does: by the boot of its host, and when the kernel started it.

Process ids are used again, and times of day move (proc(5)).
"""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc")
_STATE, _STARTED = 0, 19  # of what follows the name of a process in its stat
_ZOMBIE = "Z"


def boot() -> str:
    """The identifier of this boot of the host."""
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def started(pid: int) -> int | None:
    """When a process was started, in ticks since the boot; None where none of that id runs."""
    try:
        fields = (
            (_PROC / str(pid) / "stat")
            .read_text(encoding="utf-8", errors="replace")
            .rpartition(")")[2]
            .split()
        )
    except OSError:
        return None
    return None if fields[_STATE] == _ZOMBIE else int(fields[_STARTED])
