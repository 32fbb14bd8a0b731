"""Running a package manager's transaction: it outlives a minion that is stopped, and leaves services alone.

No updater begins meanwhile (`updaters`), and its scripts start, stop and restart nothing. What runs replaced
files afterwards is found by `stale_services`, which restarts what does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openstack_rollout.node import commands, held_services, updaters

_INIT = Path("/usr/lib/systemd/systemd")


def run(salt: Mapping[str, Any], command: Sequence[str], *, debian: bool) -> commands.Result:
    """Run a transaction in a scope of its own, then have systemd read the units that came with it.

    salt (dict): the caller's `__salt__`. command (list): the package manager's. debian (bool): whether the
    node is of that family.

    Returns how it ended. Raises NodeError NODE_ERROR when systemd refuses to read its units, PACKAGE_LOCKED
    when an updater works for too long.
    """
    with updaters.held_off(salt):
        before = _init()
        with held_services.all_held(debian):
            result = in_scope(salt, command)
        # Running itself anew includes reading them.
        verb = "daemon-reload" if _init() == before else "daemon-reexec"
        commands.checked(salt, ["systemctl", verb], "NODE_ERROR")
    return result


def in_scope(salt: Mapping[str, Any], command: Sequence[str]) -> commands.Result:
    """Run a package manager that moves nothing; it outlives a minion that is stopped.

    salt (dict), command (list): as for `run`.
    """
    return commands.unattended(salt, ["systemd-run", "--scope", "--quiet", *command])


def _init() -> tuple[int, int] | None:
    """Which file systemd's program is: a transaction writes another."""
    try:
        found = _INIT.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
