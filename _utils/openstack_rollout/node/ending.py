"""A process ended with all that it started, but for what must not be cut: a package manager at work, and what
has a control group of its own (proc(5), cgroups(7)).
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from openstack_rollout.records import processes

_PROC = Path("/proc")
_NEVER_CUT = ("apt-get", "apt", "dpkg", "dnf", "dnf5", "microdnf", "yum", "rpm", "bootc", "rpm-ostree")
_ENDS_IN = 10.0  # seconds from the request to end until a process is killed


def ancestors(pid: int) -> list[int]:
    """A process, and those that it comes from.

    pid (int): its id.
    """
    found: list[int] = []
    while pid and pid not in found:
        found.append(pid)
        one = processes.process(pid)
        pid = one.parent if one else 0
    return found


def end(pid: int) -> list[str]:
    """End a process with what it started. Returns what was left alone, one "name (process id)" each.

    pid (int): its id.
    """
    left: list[str] = []
    some = _tree(pid, _children(), _group(pid), left)
    # The process itself first, and at once: it would answer a request by ending all of its children.
    _signal(pid, signal.SIGKILL)
    for how in (signal.SIGTERM, signal.SIGKILL):
        for one in some:
            _signal(one, how)
        until = time.monotonic() + _ENDS_IN
        while any(processes.process(one) for one in (pid, *some)) and time.monotonic() < until:
            time.sleep(0.05)
    return left


def _tree(pid: int, children: dict[int, list[int]], group: str, left: list[str]) -> list[int]:
    """What a process has started and may be cut; the rest is named in `left`."""
    found: list[int] = []
    for child in children.get(pid, ()):
        name = _name(child)
        if name in _NEVER_CUT or _group(child) != group:
            left.append(f"{name} (process {child})")
        else:
            found += [child, *_tree(child, children, group, left)]
    return found


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for one in processes.all_of_them():
        found.setdefault(one.parent, []).append(one.pid)
    return found


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / "comm").read_text(encoding="utf-8", errors="replace").strip()
    return ""


def _group(pid: int) -> str:
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / "cgroup").read_text(encoding="utf-8", errors="replace")
    return ""


def _signal(pid: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, how)
