"""A service that is packages and units: whether it is here, what its units run, and restarting them.

Its packages are moved by `package_set`, whose transactions touch no service; who restarts, and when, is the
state's affair.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands, installed_files
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


def restart(units: Sequence[str]) -> None:
    """Restart units, all of them at once. Raises NodeError SERVICE_FAILED with how one ended.

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
        commands.checked(__salt__, ["systemctl", "restart", *units])
    except CommandExecutionError as error:
        raise NodeError("SERVICE_FAILED", f"{error}{_log(units)}") from error


def settled(units: Sequence[str], timeout: float, since: float) -> None:
    """Wait until units run, and run on for a moment. Raises NodeError SERVICE_FAILED with their last lines.

    units (list): their names. timeout (float): seconds. since (float): when they were started, in seconds
    since the epoch: their log from then on is told.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' packaged_service.settled '[nova-api.service]' 60 1790000000
    """
    deadline, quiet_since = time.monotonic() + timeout, None
    while units:
        now = _units(units)
        starting = [name for name, unit in now.items() if unit.starting]
        ended = [f"{name}: {one.said}" for name, one in now.items() if not (one.active or one.starting)]
        again = [f"{name}: restarted {unit.restarts} times" for name, unit in now.items() if unit.restarts]
        if starting:
            quiet_since = None
        elif quiet_since is None:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since >= _SETTLES:
            return
        if ended or again or time.monotonic() >= deadline:
            slow = f"{', '.join(starting)}: not up within {timeout:.0f} s"
            said = "; ".join([*ended, *again]) or slow
            raise NodeError("SERVICE_FAILED", f"{said}{_log(units, since)}")
        time.sleep(_POLL)


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
