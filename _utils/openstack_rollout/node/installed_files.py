"""When packages were installed, and since when units run: what tells whether a service runs older files.

Programs in Python keep no file open, so a deleted file does not tell. A unit that was started before one of
its packages was installed runs what was there before, whoever installed it, and whatever became of who did.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from openstack_rollout.node import commands

_DPKG = Path("/var/lib/dpkg/info")
_QUERY = "%{NAME}\\t%{INSTALLTIME}\\n"
_FILES_QUERY = "[%{=NAME}\\t%{=INSTALLTIME}\\t%{FILENAMES}\\n]"
_USR = "/usr"  # dpkg has a path as its package has it, with that before it or not
_PROPERTIES = (
    *("Id", "LoadState", "UnitFileState", "ActiveState", "SubState", "NRestarts", "Result"),
    *("ExecMainStatus", "ActiveEnterTimestampMonotonic", "MainPID", "SourcePath", "FragmentPath", "Job"),
)
_MICRO = 1_000_000
_RUNNING = ("active", "reloading")


class Unit(NamedTuple):
    """A unit.

    loaded, enabled, masked, active, starting, queued (bool): starting also while it stops in order to start
    again; queued while systemd has not done yet what it was asked. restarts (int): how often systemd started
    it again by itself. since (float): when it became active, in seconds since the epoch; 0.0 where it is not.
    said (str): how it ended, where it is not active. process (bool): whether it has a main process. file
    (str): what defines it, "" for none.
    """

    loaded: bool
    enabled: bool
    masked: bool
    active: bool
    starting: bool
    restarts: int
    since: float
    said: str
    process: bool
    file: str
    queued: bool


def of_packages(names: Iterable[str], salt: Mapping[str, Any], debian: bool) -> dict[str, float]:
    """When each of these installed packages was installed last, in seconds since the epoch.

    salt (dict): the caller's `__salt__`. debian (bool): whether dpkg tells. Raises CommandExecutionError
    where rpm does not answer.
    """
    wanted = sorted(names)
    if not wanted:
        return {}
    if debian:
        lists = {name: [*_DPKG.glob(f"{name}.list"), *_DPKG.glob(f"{name}:*.list")] for name in wanted}
        told_by = {name: [when for one in some if (when := _written(one))] for name, some in lists.items()}
        return {name: max(some) for name, some in told_by.items() if some}
    found: dict[str, float] = {}
    for line in commands.checked(salt, ["rpm", "-q", "--queryformat", _QUERY, *wanted]).splitlines():
        name, _, installed = line.partition("\t")
        if installed.isdigit():
            found[name] = max(found.get(name, 0.0), float(installed))
    return found


def of_files(
    paths: Collection[str], after: float, salt: Mapping[str, Any], debian: bool
) -> dict[str, tuple[str, float]]:
    """Which package brought these files, and when, of those that came after a moment: {path: (name, when)}.

    after (float): in seconds since the epoch, as is when. salt (dict), debian (bool): as for of_packages.
    """
    found: dict[str, tuple[str, float]] = {}
    wanted = {_plain(path): path for path in paths}
    for name, when, path in _brought(after, salt, debian):
        if (asked := wanted.get(_plain(path))) and when > found.get(asked, ("", 0.0))[1]:
            found[asked] = (name, when)
    return found


def running(salt: Mapping[str, Any]) -> dict[str, Unit]:
    """The services that have a main process: {name: Unit}.

    salt (dict): the caller's `__salt__`. Raises CommandExecutionError when systemd does not answer.
    """
    return {name: unit for name, unit in _shown(["*.service"], salt) if unit.process and unit.active}


def units(names: Sequence[str], salt: Mapping[str, Any]) -> dict[str, Unit]:
    """What systemd says of units, by the names that were asked for.

    salt (dict): the caller's `__salt__`. Raises CommandExecutionError when systemd does not answer.
    """
    if not names:
        return {}
    return {name: unit for name, (_, unit) in zip(names, _shown(names, salt), strict=True)}


def older(unit: Unit, installed: Mapping[str, float]) -> list[str]:
    """The packages that were installed since a unit was started, sorted. installed: of of_packages.

    One that was installed in the future does not count: the clock has been set back since, and no start
    would ever be later.
    """
    if not unit.active:
        return []
    now = time.time()
    return sorted(name for name, when in installed.items() if unit.since < when <= now)


def _brought(after: float, salt: Mapping[str, Any], debian: bool) -> Iterator[tuple[str, float, str]]:
    """Each file of the packages that were installed after a moment: its package, when, and its path."""
    if debian:
        for listed in _DPKG.glob("*.list"):
            if (when := _written(listed)) > after:
                name = listed.stem.partition(":")[0]
                for path in _lines(listed):
                    yield name, when, path
        return
    rows = commands.checked(salt, ["rpm", "-qa", "--queryformat", _QUERY]).splitlines()
    told = [line.partition("\t") for line in rows]
    names = sorted({name for name, _, when in told if when.isdigit() and float(when) > after})
    if not names:
        return
    for line in commands.checked(salt, ["rpm", "-q", "--queryformat", _FILES_QUERY, *names]).splitlines():
        name, _, rest = line.partition("\t")
        installed, _, path = rest.partition("\t")
        if installed.isdigit():
            yield name, float(installed), path


def _written(listed: Path) -> float:
    """When a list of dpkg's was written; 0.0 of one that a removal has just taken away."""
    try:
        return listed.stat().st_mtime
    except OSError:
        return 0.0


def _lines(listed: Path) -> list[str]:
    try:
        return listed.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _plain(path: str) -> str:
    return path.removeprefix(_USR)


def _shown(names: Sequence[str], salt: Mapping[str, Any]) -> list[tuple[str, Unit]]:
    """What systemd says of units, or of the loaded ones of a pattern, in its order."""
    text = commands.checked(salt, ["systemctl", "show", f"--property={','.join(_PROPERTIES)}", *names])
    booted = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    blocks = [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in text.split("\n\n")
        if block.strip()
    ]
    return [(told.get("Id", ""), _unit(told, booted)) for told in blocks]


def _unit(told: Mapping[str, str], booted: float) -> Unit:
    queued = told.get("Job", "0") not in ("", "0")
    active = told.get("ActiveState") in _RUNNING
    starting = told.get("ActiveState") == "activating" and told.get("SubState") != "auto-restart"
    monotonic = int(told.get("ActiveEnterTimestampMonotonic") or 0) / _MICRO
    said = f"{told.get('SubState')}, {told.get('Result')}, status {told.get('ExecMainStatus')}"
    return Unit(
        loaded=told.get("LoadState") == "loaded",
        enabled=told.get("UnitFileState", "").startswith("enabled"),
        masked=told.get("LoadState") == "masked",
        active=active,
        starting=starting or queued,
        restarts=int(told.get("NRestarts") or 0),
        since=booted + monotonic if active and monotonic else 0.0,
        said="" if active else said,
        process=told.get("MainPID", "0") != "0",
        file=told.get("SourcePath") or told.get("FragmentPath", ""),
        queued=queued,
    )
