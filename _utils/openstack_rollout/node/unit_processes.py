"""The processes of a unit or a container, as the kernel tells them: by the control group in which they start.

The file system of processes is described in proc(5), control groups in cgroups(7).
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")
# The group of a container: podman's and docker's have its id, with something around it.
_CONTAINER = re.compile(r".*?/[^/]*[0-9a-f]{64}[^/]*")


def of(unit: str) -> list[Path]:
    """The processes of a unit, as folders of that file system, sorted by their number.

    unit (str): its name, with `.service`.
    """
    return [one for one in _all() if unit in _groups(one)]


def command_lines(unit: str) -> str:
    """The command lines of a unit's processes, one a line.

    unit (str): its name, with `.service`.
    """
    return _told(of(unit))


def of_container(process: str) -> str | None:
    """The command lines of all processes of a container, one a line.

    process (str): the id of one of them. None where the kernel does not tell them from others: their control
    group is not named after the container.
    """
    named = next((match for path in _paths(PROC / process) if (match := _CONTAINER.match(path))), None)
    if named is None:
        return None
    group = named[0]
    return _told(one for one in _all() if any(f"{path}/".startswith(f"{group}/") for path in _paths(one)))


def age(process: str) -> float | None:
    """Seconds since a process began, by the kernel's uptime, which no clock change moves; None without it.

    process (str): its id.
    """
    try:
        began = (PROC / process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
        uptime = (PROC / "uptime").read_text(encoding="utf-8").split()[0]
    except (OSError, IndexError):
        return None
    return float(uptime) - int(began) / os.sysconf("SC_CLK_TCK")


def _all() -> list[Path]:
    return sorted((one for one in PROC.iterdir() if one.name.isdecimal()), key=lambda one: int(one.name))


def _told(processes: Iterable[Path]) -> str:
    lines = []
    for one in processes:
        with contextlib.suppress(OSError):  # it ended meanwhile
            words = (one / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            lines.append(b" ".join(words).decode(errors="replace"))
    return "\n".join(filter(None, lines))


def _groups(process: Path) -> set[str]:
    """The parts of a process' control group, of either version."""
    return {part for path in _paths(process) for part in path.split("/")}


def _paths(process: Path) -> list[str]:
    """A process' control group: one path, of version 1 several."""
    try:
        text = (process / "cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [line.partition(":")[2].partition(":")[2] for line in text.splitlines()]
