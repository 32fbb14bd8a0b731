"""The processes of a unit, as the kernel tells them: by the control group in which systemd starts them.

What a unit's processes do is asked here for services that are packages; those of a container its engine
tells. The file system of processes is described in proc(5), control groups in cgroups(7).
"""

from __future__ import annotations

import contextlib
from pathlib import Path

PROC = Path("/proc")


def of(unit: str) -> list[Path]:
    """The processes of a unit, as folders of that file system, sorted by their number.

    unit (str): its name, with `.service`.
    """
    found = [one for one in PROC.iterdir() if one.name.isdecimal() and unit in _groups(one)]
    return sorted(found, key=lambda one: int(one.name))


def command_lines(unit: str) -> str:
    """The command lines of a unit's processes, one a line.

    unit (str): its name, with `.service`.
    """
    lines = []
    for one in of(unit):
        with contextlib.suppress(OSError):  # it ended meanwhile
            words = (one / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            lines.append(b" ".join(words).decode(errors="replace"))
    return "\n".join(filter(None, lines))


def _groups(process: Path) -> set[str]:
    """The parts of a process' control group, of either version."""
    try:
        text = (process / "cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    return {
        part for line in text.splitlines() for part in line.partition(":")[2].partition(":")[2].split("/")
    }
