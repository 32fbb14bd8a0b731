"""What stays on a node although it should have left: addresses on its links, and keepaliveds that have
outlived the agent that started them and go on holding its addresses.
"""

from __future__ import annotations

import re
from pathlib import Path

PROC = Path("/proc")
_UNIT = re.compile(r"/([^/]+\.service)(?:/|$)", re.M)
#: whose children stay with it when one of its resources ends
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
    """Every keepalived that runs though the unit that started it is over: its process, its unit, and the
    addresses where it runs.

    Agents leave theirs running when they stop (`KillMode=process`), so that the data path stays up; one that
    stays for good answers for addresses that another node has taken. One in Pacemaker's own unit belongs to a
    resource of this node.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' left_behind.keepaliveds
    """
    found = []
    for name in _run(["pgrep", "--exact", "keepalived"])["stdout"].split():
        unit = _UNIT.findall(_read(PROC / name / "cgroup"))
        if not unit or _parent(name) == "keepalived":
            continue
        state = "of a resource that has left"
        if unit[-1] != _PACEMAKER:
            state = _run(["systemctl", "is-active", unit[-1]])["stdout"].strip()
        if state not in ("active", "activating", "reloading", "deactivating"):
            inside = ["nsenter", f"--target={name}", "--net"]
            held = sorted(_shown(*inside, "ip", "-oneline", "address", "show", "scope", "global"))
            where = ", ".join(held) or "no address"
            found.append(f"keepalived (process {name} of {unit[-1]}, {state}) runs on, beside {where}")
    return found


def _shown(*command: str) -> set[str]:
    """The addresses that `ip` shows."""
    return {word.partition("/")[0] for word in _run([*command])["stdout"].split() if "/" in word}


def _parent(process: str) -> str:
    """The name of the program that started a process: keepalived's own children are not looked at."""
    found = re.search(r"^PPid:\s*(\d+)", _read(PROC / process / "status"), re.M)
    return _read(PROC / found[1] / "comm").strip() if found else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has just ended
        return ""


def _run(command: list[str]) -> dict:
    return __salt__["cmd.run_all"](command, python_shell=False, ignore_retcode=True)
