"""A set of packages at the versions of a release; nothing beside it moves."""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import answers
from openstack_rollout.node.errors import NodeError

# Why packages of several stages may be no one transaction, which each of them is.
_NOT_AS_ONE = ("PACKAGE_DOWNLOAD_FAILED", "PACKAGE_REMOVAL")


def at_release(name, packages=None, exclude=(), stage="services"):
    """Have those of the packages that the node has at these versions.

    name (str): any text. packages (dict): {name: version, or >=version, or newest}.
    exclude (list): globs of packages that must not move, not even as a dependency of the others.
    stage (str): `system` leaves alone what the operator holds.

    The reason of a failure is PACKAGE_FAILED.

    .. code-block:: yaml

        packages of the system:
          package_set.at_release:
            - packages: {openstack-selinux: 0.8.41-1}
            - exclude: [kernel, kernel-core, 'openvswitch*']
    """
    try:
        due = __salt__["package_set.changes"](packages or {}, stage)["install"]
        if not due:
            return answers.answer(name, True, "every package is at its version")
        if __opts__["test"]:
            coming = {**__salt__["package_set.along"](due, list(exclude)), **due}
            comment = f"would be moved: {answers.named(coming)}"
            return answers.answer(name, None, comment, answers.to_come(coming))
        moved = __salt__["package_set.bring"](due, exclude=list(exclude))
        note = answers.held_off(__salt__["package_updaters.found"]())
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return answers.answer(name, True, f"moved: {answers.named(due)}{note}", moved)


def downloaded(name, packages=None, stage="system", sets=()):
    """Have the package files that `at_release` (or `ovs.updated`) will need in the package manager's cache.

    name (str): any text. packages (dict): as for `at_release`. stage (str): the stage that will move them.
    sets (list): further {"packages", "stage"}. All are fetched by one call of the package manager, as far as
    they go together: sets that want other versions of a package, or that it does not resolve as one, are
    fetched one by one.

    The reason of a failure is PACKAGE_DOWNLOAD_FAILED.

    .. code-block:: yaml

        packages of the system, downloaded:
          package_set.downloaded:
            - packages: {openstack-selinux: 0.8.41-1}
    """
    try:
        wanted = [*([{"packages": packages, "stage": stage}] if packages else []), *sets]
        found = [__salt__["package_set.changes"](one["packages"], one["stage"])["install"] for one in wanted]
        together = _going_together([needed for needed in found if needed])
        due = {}
        for some in together:
            due |= _missing(some)
        if not due:
            return answers.answer(name, True, "every package that the node needs is there")
        if __opts__["test"]:
            comment = f"would be downloaded: {answers.named(due)}"
            return answers.answer(name, None, comment, answers.to_come(due))
        fetched = {}
        for some in together:
            fetched |= _fetched(some)
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return answers.answer(name, True, f"downloaded: {answers.named(due)}", fetched)


def _going_together(sets):
    """The sets in groups, in none of which two want other versions of one package."""
    groups = []
    for one in sets:
        fitting = (some for some in groups if _merged([*some, one]) == _merged([one, *some]))
        if group := next(fitting, None):
            group.append(one)
        else:
            groups.append([one])
    return groups


def _merged(sets):
    return {name: version for one in sets for name, version in one.items()}


def _missing(sets):
    """What is to be fetched for sets, also for each by itself: so they move, and may need other files."""
    missing = __salt__["package_set.missing_downloads"](_merged(sets))
    for one in sets if len(sets) > 1 else ():
        missing |= __salt__["package_set.missing_downloads"](one)
    return missing


def _fetched(sets):
    """Fetch sets at once, and what each lacks by itself; where they are no one transaction, one by one."""
    fetched = {}
    try:
        fetched |= __salt__["package_set.download"](_merged(sets))
    except NodeError as error:
        if len(sets) == 1 or error.reason not in _NOT_AS_ONE:
            raise
    for one in sets if len(sets) > 1 else ():
        if __salt__["package_set.missing_downloads"](one):
            fetched |= __salt__["package_set.download"](one)
    return fetched
