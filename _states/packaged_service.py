"""A service that is packages and units: at the release's versions, and running what is installed."""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import answers, container_change, kept_packages, packaged
from openstack_rollout.node.container_change import Container
from openstack_rollout.node.package_move import Move, Service

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
    listens=True,
    on_failure="restore",
    newest=None,
    http="",
    shares=(),
    moved_with="",
):
    """Have those packages of a service that the node has at these versions, and its units run them.

    name (str): of the service.
    packages (dict): {name: version} as the release has them: also >=version, or newest.
    own (list): globs of its packages. units (list): the names of its units, with `.service`.
    libraries (list): globs of packages that it runs and shares with others.
    exclude (list): globs of packages that must not move with its own.
    guard (str): the execution module that keeps the service going while it restarts (node/guards.py).
    turn (bool): whether this node has to have the controllers' turn while it restarts.
    timeout (int): seconds until its units are up, and as long again until they listen.
    listens (bool): whether the ports on which they listened have to be listened on again.
    on_failure (str): when they are not, `restore` brings the packages back to what they were; `leave` does
    not.
    newest (dict): how the newest of those libraries is found that no release names, which move too: {"depth",
    "kept"} as in system_packages.plan; without it they stay.
    http (str): the path at which they have to answer HTTP again, with any status below 500, "" for none.
    shares (list): the names of services that share a unit with it, and move as a part of it.
    moved_with (str): the name of the service of which it is such a part: what is due of it that one predicts.

    What is installed is kept on the node first, as files, until the new versions are proven. Then packages
    move while the service runs on (a member of a cluster whose clients leave it is out of service before), no
    script touches it; then all of its units restart once, those that run or are enabled. A service whose
    packages are newer than what its units run restarts alone. Units that are masked or disabled are left
    alone. Those that Pacemaker starts are refused.

    The reason of a failure is one of package_set.bring's, SERVICE_FAILED, DEFINITION_REFUSED, or one of the
    guard's.

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
        move = Move(__salt__, Service(name, restarting, due, list(exclude), listens, http), one)
        if not reasons:
            return _finished(name, move, one)
        if moved_with and __opts__["test"]:
            return answers.answer(name, True, f"{name} would be moved with {moved_with}, which shares a unit")
        called = ", ".join([name, *shares])
        __salt__["packaged_service.require_own"](list(units))
        changes = {"units": {"old": None, "new": restarting, "because": reasons}}
        if __opts__["test"]:
            coming, lost = _to_come(name, due, list(exclude))
            comment = f"{called} would be moved: {'; '.join(reasons)}{_no_way_back(lost)}"
            return answers.answer(name, None, comment, changes | coming)
        came_back = move.carry_out(restore=on_failure == "restore")
        changes |= move.moved
        changes["units"] |= {"said": came_back} if came_back else {}
        note = answers.held_off(__salt__["package_updaters.found"]()) if move.moved else ""
    except CommandExecutionError as error:
        return answers.failed(name, error)
    comment = f"{called} was moved: {'; '.join(reasons)}{_no_way_back(move.missing)}{note}"
    return answers.answer(name, True, comment, changes)


def kept(name, packages=None, exclude=()):
    """Have the versions that a service has on the node as files, before it moves: the way back needs no
    repository then. What can be kept nowhere is told as a warning; it is no failure.

    name (str): of the service. packages (dict): as for `at_release`, and what its libraries are brought to.
    exclude (list): as for `at_release`.

    The reason of a failure is DISK_FULL, NODE_ERROR or one of system_packages.offered's.

    .. code-block:: yaml

        nova-api:
          packaged_service.kept:
            - packages: {nova-api: '2:26.2.2-1~deb12u3'}
    """
    try:
        due = __salt__["package_set.changes"](packages or {})["install"]
        found = __salt__["kept_packages.due"](name, due, list(exclude))
        missing, keep = found["missing"], found["keep"]
        if keep and not __opts__["test"]:
            done = __salt__["kept_packages.keep"](name, due, list(exclude))
            missing, keep = done["missing"], done["kept"]
    except CommandExecutionError as error:
        return answers.failed(name, error)
    warned = {"warnings": [f"{name}{_no_way_back(missing)}"]} if missing else {}
    if not keep:
        return (
            answers.answer(name, True, f"nothing else of {name} is to be kept{_no_way_back(missing)}")
            | warned
        )
    result, verb = (None, "would be kept") if __opts__["test"] else (True, "was kept")
    comment = f"{answers.named(keep)} {verb}, as the way back of {name}{_no_way_back(missing)}"
    return answers.answer(name, result, comment, answers.to_come(keep)) | warned


def _finished(name, move, one):
    """The answer for a service that is as it must be, once what a run that died left is finished."""
    before = __salt__["kept_packages.status"](name)
    begun = before["begun"] or container_change.guarded(__salt__, one.guard, "pending", one.name)
    changes = {name: {"old": "its change was begun", "new": "finished"}} if begun else {}
    if begun and __opts__["test"]:
        return answers.answer(name, None, f"{name}: its change would be finished", changes)
    if not __opts__["test"]:
        if before["begun"] and one.running:
            move.prove_again(before)
        container_change.finish_guards_work(__salt__, one)
        __salt__["kept_packages.forget"](name)
    return answers.answer(name, True, f"{name} is at the release, and runs it", changes)


def _to_come(name, due, exclude):
    """The changes of packages when a service moves, with what comes along; and {name: why} of what has no way
    back.
    """
    if not due:
        return {}, {}
    along = __salt__["package_set.along"](due, exclude)
    return answers.to_come(due | along), __salt__["kept_packages.due"](name, due, exclude)["missing"]


def _no_way_back(lost):
    return f"; there is no way back for {kept_packages.told(lost)}" if lost else ""
