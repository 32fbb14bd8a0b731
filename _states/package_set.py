"""A set of packages at the versions of a release; nothing beside it moves."""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import answers


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


def downloaded(name, packages=None, stage="system"):
    """Have the package files that `at_release` (or `ovs.updated`) will need in the package manager's cache.

    name (str): any text. packages (dict): as for `at_release`. stage (str): the stage that will move them.

    The reason of a failure is PACKAGE_DOWNLOAD_FAILED.

    .. code-block:: yaml

        packages of the system, downloaded:
          package_set.downloaded:
            - packages: {openstack-selinux: 0.8.41-1}
    """
    try:
        needed = __salt__["package_set.changes"](packages or {}, stage)["install"]
        due = __salt__["package_set.missing_downloads"](needed)
        if not due:
            return answers.answer(name, True, "every package that the node needs is there")
        if __opts__["test"]:
            comment = f"would be downloaded: {answers.named(due)}"
            return answers.answer(name, None, comment, answers.to_come(due))
        fetched = __salt__["package_set.download"](needed)
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return answers.answer(name, True, f"downloaded: {answers.named(due)}", fetched)
