"""Packages that a killed transaction left half done, whole again before anything else moves."""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import answers


def mended(name, stage="system", packages=(), exclude=()):
    """Have packages installed once and whole, their scripts run, where a transaction died in its middle.

    name (str): any text. stage (str), packages (list), exclude (list): as in package_repair.due.

    The reason of a failure is PACKAGE_REMOVAL (nothing was touched), PACKAGE_FAILED, or another reason of the
    package manager's.

    .. code-block:: yaml

        packages whole:
          package_repair.mended:
            - stage: system
            - exclude: ['openvswitch*']
    """
    try:
        due = __salt__["package_repair.due"](stage, list(packages), list(exclude))
        if not due:
            return answers.answer(name, True, "every package is whole")
        if __opts__["test"]:
            changes = {package: {"old": half, "new": "whole"} for package, half in due.items()}
            return answers.answer(name, None, f"would be mended: {', '.join(due)}", changes)
        mended = __salt__["package_repair.mend"](sorted(due), exclude=list(exclude))
        note = answers.held_off(__salt__["package_updaters.found"]())
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return answers.answer(name, True, f"mended: {', '.join(due)}{note}", mended)
