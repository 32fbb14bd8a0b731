"""Services of this node that run what an update has replaced, and restarting those.

A service is found by the libraries and programs it runs which were deleted, and by the package of its unit,
where that was installed since the service began: a program for an interpreter leaves no deleted file.

Restarting a service disturbs less than a reboot. Only those are restarted of which it is known that nothing
depends on them (node/harmless.py); all others, and those that refuse, are a reason for a reboot
(`reboot_needed`). Containers have libraries of their own and do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands, harmless, installed_files
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.packages import of_the_switch

# Only told: a restart would end the job that asks. Its own step restarts it when Salt's packages move.
_MINION = "salt-minion.service"
# An instance of a socket is a login: it ends by itself, and cannot be started.
_IGNORED = ("openstack-rollout-*.service", "sshd@*.service", "ssh@*.service")
# Of a container, only the monitor runs programs of the host.
_MONITOR = "conmon"
_PROC = Path("/proc")
_DELETED = re.compile(r"\s(/(?:usr|lib|lib64|opt|bin|sbin)/\S+) \(deleted\)$", re.M)
_UNIT = re.compile(r"([^/\n]+\.service)(?:/[^/\n]*)*$", re.M)


def found() -> dict[str, list[str]]:
    """The services that run what an update has replaced: {unit: [deleted files, or "package NAME"]}.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' stale_services.found
    """
    ours = _places("1")
    stale: dict[str, set[str]] = {}
    for process in _PROC.glob("[0-9]*"):
        try:
            # Services may have mounts of their own, or another root; only a container has both.
            alien = all(one != own for one, own in zip(_places(process.name), ours, strict=True))
            if alien or _read(process / "comm").strip() == _MONITOR:
                continue
            files = set(_DELETED.findall(_read(process / "maps")))
            unit = _UNIT.search(_read(process / "cgroup"))
        except OSError:
            continue  # it ended meanwhile
        if files and unit:
            stale.setdefault(unit[1], set()).update(files)
    for name, package in _older().items():
        stale.setdefault(name, set()).add(f"package {package}")
    return {
        unit: sorted(files)
        for unit, files in sorted(stale.items())
        if not any(fnmatchcase(unit, glob) for glob in _IGNORED)
    }


def unsafe() -> list[str]:
    """Those of `found` that need a reboot: nobody knows that a restart does no harm, or systemd refuses it.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' stale_services.unsafe
    """
    return _unsafe(found())


def due() -> list[str]:
    """Those of `found` that are safe to restart.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' stale_services.due
    """
    stale = found()
    left = {_MINION, *_unsafe(stale)}
    return [unit for unit in stale if unit not in left]


def restart() -> list[str]:
    """Restart those that are `due`.

    Returns their names (list). Raises NodeError NODE_ERROR that names those which are not active afterwards.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' stale_services.restart
    """
    units = due()
    failed = [unit for unit in units if not _restarted(unit)]
    if failed:
        raise NodeError("NODE_ERROR", f"not active after a restart: {', '.join(failed)}")
    return units


def _restarted(unit: str) -> bool:
    """Whether it runs again; a service whose package is gone is to end instead."""
    try:
        if _property(unit, "LoadState") == ["not-found"]:
            return bool(__salt__["service.stop"](unit))
        return bool(__salt__["service.restart"](unit) and __salt__["service.status"](unit))
    except CommandExecutionError:
        return False  # the others get their restart all the same


def _older() -> dict[str, str]:
    """The services that began before the package of their unit was installed: {unit: package}.

    Open vSwitch's do not count, whose own modules tell whether it is stale.
    """
    running = installed_files.running(__salt__)
    files = {unit.file for unit in running.values() if unit.file}
    oldest = min((unit.since for unit in running.values()), default=0.0)
    brought = installed_files.of_files(files, oldest, __salt__, __grains__.get("os_family") == "Debian")
    came = {name: brought[unit.file] for name, unit in running.items() if unit.file in brought}
    return {
        name: package
        for name, (package, when) in came.items()
        if not of_the_switch(package) and installed_files.older(running[name], {package: when})
    }


def _unsafe(units: Iterable[str]) -> list[str]:
    return [
        unit
        for unit in units
        if unit != _MINION and (not any(fnmatchcase(unit, glob) for glob in harmless.UNITS) or _refuses(unit))
    ]


def _refuses(unit: str) -> bool:
    """Whether systemd does not restart a unit by hand, such as auditd.service (systemd.unit(5))."""
    return "yes" in _property(unit, "RefuseManualStop,RefuseManualStart")


def _property(unit: str, names: str) -> list[str]:
    command = ["systemctl", "show", f"--property={names}", "--value", unit]
    return commands.run(__salt__, command).stdout.split()


def _places(pid: str) -> tuple[tuple[int, int], Path]:
    """The root folder of a process, and the mounts that it sees."""
    root = (_PROC / pid / "root").stat()
    return (root.st_dev, root.st_ino), (_PROC / pid / "ns/mnt").readlink()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
