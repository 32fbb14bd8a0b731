"""When packages were installed, and since when units run: what tells whether a service runs older files.

Programs in Python keep no file open, so a deleted file does not tell. A unit that was started before one of
its packages was installed runs what was there before.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from openstack_rollout.node import commands

_DPKG = Path("/var/lib/dpkg/info")
_QUERY = "%{NAME}\\t%{INSTALLTIME}\\n"
_PROPERTIES = (
    *("Id", "LoadState", "UnitFileState", "ActiveState", "SubState", "NRestarts", "Result"),
    *("ExecMainStatus", "ActiveEnterTimestampMonotonic"),
)
_MICRO = 1_000_000
_RUNNING = ("active", "reloading")


class Unit(NamedTuple):
    """A unit.

    loaded, enabled, masked, active, starting (bool). restarts (int): how often systemd started it again by
    itself. since (float): when it became active, in seconds since the epoch; 0.0 where it is not. said (str):
    how it ended, where it is not active.
    """

    loaded: bool
    enabled: bool
    masked: bool
    active: bool
    starting: bool
    restarts: int
    since: float
    said: str


def of_packages(names: Iterable[str], salt: Mapping[str, Any], debian: bool) -> dict[str, float]:
    """When each of these installed packages was installed last, in seconds since the epoch.

    salt (dict): the caller's `__salt__`. debian (bool): whether dpkg tells. Raises CommandExecutionError
    where rpm does not answer.
    """
    wanted = sorted(names)
    if not wanted:
        return {}
    if debian:
        return {
            name: max(one.stat().st_mtime for one in lists)
            for name in wanted
            if (lists := [*_DPKG.glob(f"{name}.list"), *_DPKG.glob(f"{name}:*.list")])
        }
    found: dict[str, float] = {}
    for line in commands.checked(salt, ["rpm", "-q", "--queryformat", _QUERY, *wanted]).splitlines():
        name, _, installed = line.partition("\t")
        if installed.isdigit():
            found[name] = max(found.get(name, 0.0), float(installed))
    return found


def units(names: Sequence[str], salt: Mapping[str, Any]) -> dict[str, Unit]:
    """What systemd says of units, by the names that were asked for.

    salt (dict): the caller's `__salt__`. Raises CommandExecutionError when systemd does not answer.
    """
    if not names:
        return {}
    text = commands.checked(salt, ["systemctl", "show", f"--property={','.join(_PROPERTIES)}", *names])
    blocks = [block for block in text.split("\n\n") if block.strip()]
    booted = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    return {name: _unit(block, booted) for name, block in zip(names, blocks, strict=True)}


def older(unit: Unit, installed: Mapping[str, float]) -> list[str]:
    """The packages that were installed since a unit was started, sorted. installed: of of_packages."""
    if not unit.active:
        return []
    return sorted(name for name, when in installed.items() if when > unit.since)


def _unit(block: str, booted: float) -> Unit:
    told = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    active = told.get("ActiveState") in _RUNNING
    starting = told.get("ActiveState") == "activating" and told.get("SubState") != "auto-restart"
    monotonic = int(told.get("ActiveEnterTimestampMonotonic") or 0) / _MICRO
    said = f"{told.get('SubState')}, {told.get('Result')}, status {told.get('ExecMainStatus')}"
    return Unit(
        loaded=told.get("LoadState") == "loaded",
        enabled=told.get("UnitFileState", "").startswith("enabled"),
        masked=told.get("LoadState") == "masked",
        active=active,
        starting=starting,
        restarts=int(told.get("NRestarts") or 0),
        since=booted + monotonic if active and monotonic else 0.0,
        said="" if active else said,
    )
