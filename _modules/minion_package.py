"""Salt's own packages on this node: which are due, renewing them after the job that asks, and how that went.

On a node with the packages of Salt's master nothing of Salt is touched: the operator updates it, and
`masters` names the packages.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import salt.version

from openstack_rollout.node import commands, held_services, renew_minion, updaters
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.packages import MINION_PACKAGES, matches
from openstack_rollout.records.state_file import StateFile

UNIT = "openstack-rollout-minion"
_RECORD = Path("/var/lib/openstack-rollout/minion.json")
_MASTERS = ("salt-master", "salt-syndic", "salt-api")
_SERVICE = "salt-minion.service"
# No updater begins while the unit runs.
_SYSTEMD_RUN = ("systemd-run", "--quiet", "--collect", f"--unit={UNIT}", updaters.belongs("minion"))


def due(
    packages: Mapping[str, str], depth: str = "upgrade", exclude: Sequence[str] = (), others: bool = True
) -> dict:
    """Salt's packages that have to move, or that a killed transaction left half done: {name: version}.

    packages (dict): of the release, {name: version}. depth (str), exclude (list): as in system_packages.plan.
    others (bool): whether a newer version than installed is due where the release names none.

    Returns {} on a node with the master's packages (`masters`).

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' minion_package.due '{salt-minion: 3008.4-1}'
    """
    if masters():
        return {}
    pinned = {name: version for name, version in packages.items() if name in MINION_PACKAGES}
    found = __salt__["package_set.changes"](pinned, "system")["install"]
    if others:
        plan = __salt__["system_packages.plan"](depth, list(exclude))["upgrade"]
        found |= {name: plan[name] for name in MINION_PACKAGES if name in plan}
    return {**_half(), **found}


def masters() -> dict[str, list[str]]:
    """The master's packages on this node, with their versions.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' minion_package.masters
    """
    installed = __salt__["package_set.installed"]()
    return {name: installed[name] for name in _MASTERS if name in installed}


def renew(packages: Mapping[str, str], exclude: Sequence[str] = ()) -> dict:
    """Begin to move Salt's packages: after this job's end, in a unit of systemd's own, which restarts the
    minion. The packages' scripts restart nothing.

    packages (dict): {name: version}. exclude (list): globs of packages that must not move; one that names a
    package of these does not count.

    Returns {name: {"old", "new"}} of what will move. Raises NodeError MINION_FAILED; PACKAGE_REMOVAL or
    PACKAGE_FAILED when the transaction, which is resolved before, would do what it may not;
    PACKAGE_DOWNLOAD_FAILED, …, for the files are fetched before.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' minion_package.renew '{salt-minion: 3008.4-1}'
    """
    if state()["state"] == "waiting":
        return {}
    if __salt__["package_set.missing_downloads"](packages):
        __salt__["package_set.download"](packages)
    left_alone = [glob for glob in exclude if not any(matches(name, [glob]) for name in packages)]
    moving, others = _commands(packages, left_alone), _updaters()
    task = {
        "state": "waiting",
        "message": "",
        # Where jobs are threads of the minion, there is no process of a job to wait for.
        "job": os.getpid() if __opts__.get("multiprocessing", True) else 0,
        "commands": moving,
        "environment": {**commands.UNATTENDED, **held_services.stand(_is_debian())},
        "afterwards": [["systemctl", "daemon-reload"], ["systemctl", "restart", _SERVICE]],
        "held": True,
        **others,
    }
    StateFile(_RECORD).write(task)
    program = [sys.executable, renew_minion.__file__, str(_RECORD)]
    result = commands.run(__salt__, [*_SYSTEMD_RUN, *program])
    if result.retcode:
        forget()
        raise NodeError("MINION_FAILED", f"systemd-run: {result.complaint()}")
    installed = __salt__["package_set.installed"]()
    return {name: {"old": ",".join(installed.get(name, ())), "new": new} for name, new in packages.items()}


def forget() -> None:
    """Drop the record of the last renewal, where no package is due any more.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' minion_package.forget
    """
    state()  # takes back what held the services meanwhile
    StateFile(_RECORD).forget()


def state() -> dict:
    """How far the last renewal is, and which version of Salt answers.

    Returns {"state": none, waiting, done or failed, "message", "running": the version of Salt that answers,
    "installed": that of the package salt-minion, or None}.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' minion_package.state
    """
    task = StateFile(_RECORD).read_or_none() or {"state": "none", "message": ""}
    if task["state"] == "waiting" and not _is_under_way():
        task.update(state="failed", message=f"{UNIT}.service ended in the middle of it")
    if task["state"] != "waiting" and task.get("held") and held_services.tidy():
        # Once: later it would take away what another transaction has put there.
        StateFile(_RECORD).write(task | {"held": False})
    versions = __salt__["package_set.installed"]().get("salt-minion")
    return {
        "state": task["state"],
        "message": task["message"],
        "running": salt.version.__version__,
        "installed": versions[-1] if versions else None,
    }


def _updaters() -> dict:
    """What the renewal has to wait for: the updaters of this node that work, and how one is asked to end."""
    some = updaters.conditioned(__salt__)
    return {
        "ask": [list(updaters.ASK_TO_END)] if updaters.PACKAGEKIT in some else [],
        "updaters": updaters.movers(some),
        "patience": __salt__["package_lock.patience"](),
    }


def _is_under_way() -> bool:
    command = ["systemctl", "show", "--property=ActiveState", "--value", f"{UNIT}.service"]
    return commands.run(__salt__, command).stdout.strip() in ("active", "activating", "deactivating")


def _half() -> dict[str, str]:
    """Those of Salt's packages that a killed transaction left half done, with their newest version."""
    state = __salt__["package_repair.found"]()
    versions = {name: some[-1] for name, some in state["doubles"].items()} | state["half"]
    return {name: version for name, version in versions.items() if name in MINION_PACKAGES}


def _commands(packages: Mapping[str, str], exclude: Sequence[str]) -> list[list[str]]:
    """What the renewal runs, in order: apt does nothing while a package is half installed."""
    mending = __salt__["package_repair.commands_to_mend"](list(MINION_PACKAGES), exclude)
    moving = [__salt__["package_set.command_to_bring"](packages, exclude)]
    if not _is_debian():
        return [*moving, *mending]
    # Nobody else waits for apt's lock there.
    patience = f"DPkg::Lock::Timeout={__salt__['package_lock.patience']():.0f}"
    return [*mending, *([first, "-o", patience, *rest] for first, *rest in moving)]


def _is_debian() -> bool:
    return __grains__.get("os_family") == "Debian"
