"""A service that is packages and units: at the release's versions, and running what is installed."""

from __future__ import annotations

import time

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import answers, container_change, packaged
from openstack_rollout.node.container_change import Container, Steps

_DEFAULT_TIMEOUT = 60


def at_release(  # noqa: PLR0917 - a state's arguments are the keys of the SLS
    name,
    packages=None,
    own=(),
    units=(),
    libraries=(),
    exclude=(),
    guard="none",
    turn=False,
    timeout=_DEFAULT_TIMEOUT,
    on_failure="restore",
    newest=None,
):
    """Have those packages of a service that the node has at these versions, and its units run them.

    name (str): of the service.
    packages (dict): {name: version} as the release has them: also >=version, or newest.
    own (list): globs of its packages. units (list): the names of its units, with `.service`.
    libraries (list): globs of packages that it runs and shares with others.
    exclude (list): globs of packages that must not move with its own.
    guard (str): the execution module that keeps the service going while it restarts (node/guards.py).
    turn (bool): whether this node has to have the controllers' turn while it restarts.
    timeout (int): seconds until its units are up.
    newest (dict): how the newest of those libraries is found that no release names, which move too: {"depth",
    "kept"} as in system_packages.plan; without it they stay.
    on_failure (str): when they are not, `restore` brings the packages back to what they were; `leave` does
    not.

    Packages move while the service runs on, no script touches it; then all of its units restart once, those
    that run or are enabled. A service whose packages are newer than what its units run restarts alone. Units
    that are masked or disabled are left alone.

    The reason of a failure is one of package_set.bring's, SERVICE_FAILED, or one of the guard's.

    .. code-block:: yaml

        nova-api:
          packaged_service.at_release:
            - packages: {nova-api: '2:26.2.2-1~deb12u3', nova-common: '2:26.2.2-1~deb12u3'}
            - own: ['nova-api*', nova-common]
            - units: [nova-api.service]
            - libraries: [python3-nova, 'python3-oslo*']
    """
    try:
        now = __salt__["packaged_service.found"](list(own), list(units), list(libraries))
        if not now["here"]:
            return answers.answer(name, True, f"none of {name}'s packages is on this node")
        due = __salt__["packaged_service.newer"](list(libraries), **newest) if newest else {}
        due |= __salt__["package_set.changes"](packages or {})["install"]
        restarting = packaged.to_restart(now["units"])
        reasons = packaged.reasons(due, now)
        one = Container(
            name=next(iter(units), name),  # as guards know it
            unit=restarting[0] if restarting else "",
            guard=guard,
            timeout=timeout,
            checked=False,
            running="active" in now["units"].values(),
            turn=turn,
        )
        if not reasons:
            if not __opts__["test"] and container_change.finish_guards_work(__salt__, one):
                return answers.answer(name, True, "an earlier change was finished", {name: {"guard": guard}})
            return answers.answer(name, True, f"{name} is at the release, and runs it")
        changes = {"units": {"old": None, "new": restarting, "because": reasons}}
        if __opts__["test"]:
            along = __salt__["package_set.along"](due, list(exclude)) if due else {}
            changes |= answers.to_come(due | along)
            return answers.answer(name, None, f"{name} would be moved: {'; '.join(reasons)}", changes)
        moved = __salt__["package_set.bring"](due, exclude=list(exclude)) if due else {}
        changes |= moved
        note = answers.held_off(__salt__["package_updaters.found"]()) if moved else ""
        if restarting:
            steps = _steps(name, restarting, timeout, moved)
            came_back = container_change.carry_out(__salt__, one, steps, restore=on_failure == "restore")
            changes["units"] |= {"said": came_back} if came_back else {}
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return answers.answer(name, True, f"{name} was moved: {'; '.join(reasons)}{note}", changes)


def _steps(name, units, timeout, moved):
    """How it is restarted, proven, and put back."""
    since = time.time()

    def put_back():
        before = packaged.before(moved)
        if not before:
            __salt__["packaged_service.restart"](units)
            return f"{name} was started again."
        __salt__["package_set.bring"](before)
        __salt__["packaged_service.restart"](units)
        return f"{name} is back at {answers.named(before)}."

    return Steps(
        lambda: __salt__["packaged_service.restart"](units),
        lambda: __salt__["packaged_service.settled"](units, timeout, since),
        put_back,
        lambda: None,
    )
