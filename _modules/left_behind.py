"""Addresses that are still on a node after they were moved to another one, and keepalived processes that
outlived the agent that started them and go on holding its addresses.
"""

from __future__ import annotations

import re
from pathlib import Path

from openstack_rollout.node import commands

PROC = Path("/proc")
_UNIT = re.compile(r"/([^/]+\.service)(?:/|$)", re.M)
#: A keepalived that Pacemaker started stays in this unit when its resource ends, and the unit stays active.
_PACEMAKER = "pacemaker.service"


def addresses(wanted: list[str]) -> list[str]:
    """Those of some addresses that are on this machine's links.

    wanted (list): without a prefix length.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' left_behind.addresses '[10.0.0.10]'
    """
    here = _shown("ip", "-oneline", "address", "show")
    return [address for address in wanted if address in here]


def keepaliveds() -> list[str]:
    """Every keepalived that still runs though the unit that started it has ended; one line each, with its
    process, its unit, and the addresses in its network namespace.

    Neutron's agents leave their keepalived running when they stop (`KillMode=process`), so that the data path
    stays up. One that is never taken over answers for addresses that another node has by now. One in
    Pacemaker's own unit belongs to a resource that was moved away from this node.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' left_behind.keepaliveds
    """
    found = []
    for name in commands.run(__salt__, ["pgrep", "--exact", "keepalived"]).stdout.split():
        unit = _UNIT.findall(_read(PROC / name / "cgroup"))
        if not unit or _parent(name) == "keepalived":
            continue
        state = "of a resource that was moved away"
        if unit[-1] != _PACEMAKER:
            state = commands.run(__salt__, ["systemctl", "is-active", unit[-1]]).stdout.strip()
        if state not in ("active", "activating", "reloading", "deactivating"):
            inside = ["nsenter", f"--target={name}", "--net"]
            held = sorted(_shown(*inside, "ip", "-oneline", "address", "show", "scope", "global"))
            where = ", ".join(held) or "no address"
            found.append(f"keepalived (process {name} of {unit[-1]}, {state}) still runs, with {where}")
    return found


def _shown(*command: str) -> set[str]:
    """The addresses that `ip` shows."""
    words = commands.run(__salt__, command).stdout.split()
    return {word.partition("/")[0] for word in words if "/" in word}


def _parent(process: str) -> str:
    """The name of the program that started a process."""
    found = re.search(r"^PPid:\s*(\d+)", _read(PROC / process / "status"), re.M)
    return _read(PROC / found[1] / "comm").strip() if found else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has just ended
        return ""
