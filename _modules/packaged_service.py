"""A service that is packages and units: whether it is here, what its units run, and restarting them.

Its packages are moved by `package_set`, whose transactions touch no service; who restarts, and when, is the
state's affair.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import (
    commands,
    container_change,
    guarding,
    guards,
    http_answers,
    installed_files,
    listening,
    pacemaker,
    pacemaker_tools,
    waiting,
)
from openstack_rollout.node import packages as comparing
from openstack_rollout.node.errors import NodeError

_SETTLES = 5.0  # seconds that a unit has to run on
_POLL = 0.5


def found(packages: Sequence[str], units: Sequence[str], libraries: Sequence[str] = ()) -> dict:
    """What this node has of a service.

    packages (list): globs of its packages. units (list): their names, with `.service`. libraries (list):
    globs of packages that it runs and shares with others.

    Returns {"here": whether a package of its own is installed, "units": {name: state}, "stale": [packages
    that are newer than what a unit runs]}, of units that the node has: `active`, `inactive` (and enabled),
    `disabled`, `masked`.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' packaged_service.found "['nova-api*']" '[nova-api.service]' "['python3-nova']"
    """
    installed = __salt__["package_set.installed"]()
    if not any(comparing.matches(name, packages) for name in installed):
        return {"here": False, "units": {}, "stale": []}
    parts = [name for name in installed if comparing.matches(name, [*packages, *libraries])]
    there = {name: unit for name, unit in _units(units).items() if unit.loaded or unit.masked}
    since = installed_files.of_packages(parts, __salt__, _is_debian())
    stale = {name for unit in there.values() for name in installed_files.older(unit, since)}
    states = {name: _state(unit) for name, unit in there.items()}
    return {"here": True, "units": states, "stale": sorted(stale)}


def newer(libraries: Sequence[str], depth: str, kept: Sequence[str]) -> dict[str, str]:
    """What is newer of libraries that no release names: {name: version}. Nothing where that cannot be told:
    the system stage says why.

    libraries (list): globs. depth (str), kept (list): as in system_packages.plan.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' packaged_service.newer "['python3-oslo*']" upgrade '[]'
    """
    if __salt__["bootc.status"]():
        return {}
    try:
        found = __salt__["system_packages.plan"](depth, list(kept))["upgrade"]
    except CommandExecutionError:
        return {}
    return {name: version for name, version in found.items() if comparing.matches(name, libraries)}


def require_own(units: Sequence[str]) -> None:
    """Make sure that units are systemd's alone to restart, and not Pacemaker's.

    units (list): their names. Raises NodeError DEFINITION_REFUSED that names the resource, QUORUM_AT_RISK
    when Pacemaker is enabled and does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' packaged_service.require_own '[mariadb.service]'
    """
    found = pacemaker_tools.cluster(__salt__, __grains__["id"])
    if found and (said := pacemaker.running_units(found, units)):
        raise NodeError(
            "DEFINITION_REFUSED",
            f"{'; '.join(said)}: Pacemaker would take a restart by systemd for a failure, so nothing was"
            " touched. Move its packages by hand, a node at a time (pcs resource ban, clear), or have the"
            " unit run it",
        )


def restart(units: Sequence[str]) -> None:
    """Restart units, all of them at once, and wait for nothing: `settled` does. Raises NodeError
    SERVICE_FAILED when systemd refuses.

    units (list): their names.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' packaged_service.restart '[nova-api.service]'
    """
    if not units:
        return
    # An earlier failure must not make systemd refuse this start by its rate limit.
    commands.run(__salt__, ["systemctl", "reset-failed", *units])
    try:
        # A database that is fed starts for hours: who waits has to see that it moves.
        commands.checked(__salt__, ["systemctl", "restart", "--no-block", *units])
    except CommandExecutionError as error:
        raise NodeError("SERVICE_FAILED", f"{error}{_log(units)}") from error


def settled(units: Sequence[str], timeout: float, since: float, guard: str = guards.NONE) -> None:
    """Wait until units run, and run on for a moment. Raises NodeError SERVICE_FAILED with their last lines,
    COPY_STALLED of one that copies and does not move.

    units (list): their names. timeout (float): seconds, from the last moment at which the guard saw the first
    of them move. since (float): when they were started, in seconds since the epoch: their log from then on is
    told. guard (str): the execution module of their guard.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' packaged_service.settled '[nova-api.service]' 60 1790000000
    """
    quiet_since: float | None = None
    starting: list[str] = []

    def progress() -> dict | None:
        return container_change.guarded(__salt__, guard, "progress", units[0])

    def run_on() -> bool:
        nonlocal quiet_since, starting
        now = _units(units)
        starting = [name for name, unit in now.items() if unit.starting]
        ended = [f"{name}: {one.said}" for name, one in now.items() if not (one.active or one.starting)]
        again = [
            f"{name}: restarted {unit.restarts} times"
            for name, unit in now.items()
            if unit.restarts and not unit.queued
        ]
        if ended or again:
            raise NodeError("SERVICE_FAILED", f"{'; '.join([*ended, *again])}{_log(units, since)}")
        if starting:
            quiet_since = None
            return False
        quiet_since = time.monotonic() if quiet_since is None else quiet_since
        return time.monotonic() - quiet_since >= _SETTLES

    if units and not waiting.until(run_on, timeout, _POLL, mark=lambda: (progress() or {}).get("mark")):
        guarding.require_no_copy(units[0], progress(), timeout)
        slow = ", ".join(starting or units)
        raise NodeError("SERVICE_FAILED", f"{slow}: not up within {timeout:.0f} s{_log(units, since)}")


def listens(units: Sequence[str]) -> list[int]:
    """The TCP ports on which units listen.

    units (list): their names.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' packaged_service.listens '[nova-api.service]'
    """
    return sorted({one.port for one in listening.of(units)})


def speaks(units: Sequence[str], http: str) -> list[int]:
    """The TCP ports on which units answer HTTP: with any status below 500, with TLS or without.

    units (list): their names. http (str): the path that is asked for.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' packaged_service.speaks '[nova-api.service]' /
    """
    return http_answers.ports(units, http)


def answers(  # noqa: PLR0917 - as the move calls it
    units: Sequence[str],
    ports: Sequence[int],
    timeout: float,
    since: float,
    http: str = "",
    spoke: Sequence[int] | None = None,
) -> None:
    """Wait until units listen on ports again, take connections there, and answer HTTP where they have to.
    Raises NodeError SERVICE_FAILED that names the ports on which they do not, with their last lines.

    units (list): their names. ports (list): as `listens` told before the restart. timeout (float): seconds.
    since (float): as for `settled`. http (str): the path that is asked for, "" for a service that does not
    speak HTTP. spoke (list): as `speaks` told before the restart, each of which has to answer; None where
    nobody could be asked then: one of those on which they listen has to.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' packaged_service.answers '[nova-api.service]' '[8774]' 60 1790000000 / '[8774]'
    """

    def lacking() -> list[str]:
        missing = listening.lacking(units, ports)
        return missing or (http_answers.lacking(units, http, spoke) if http else [])

    missing = waiting.until_whole(lacking, timeout)
    if missing:
        said = f"{', '.join(units)}: {'; '.join(missing)} after {timeout:.0f} s"
        raise NodeError("SERVICE_FAILED", f"{said}{_log(units, since)}")


def _state(unit: installed_files.Unit) -> str:
    if unit.masked:
        return "masked"
    if unit.active or unit.starting:
        return "active"
    return "inactive" if unit.enabled else "disabled"


def _units(names: Sequence[str]) -> dict[str, installed_files.Unit]:
    return installed_files.units(list(names), __salt__)


def _log(units: Sequence[str], since: float = 0.0) -> str:
    lines = [line for unit in units if (line := __salt__["quadlet.log"](unit, since or time.time() - 60))]
    return f"; last lines:\n{'; '.join(lines)}" if lines else ""


def _is_debian() -> bool:
    return __grains__.get("os_family") == "Debian"
