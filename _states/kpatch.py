"""The running kernel live-patched, as far as its vendor has a patch."""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import answers


def patched(name, exclude=()):
    """Have the newest kpatch, and the patch of the running kernel where there is one.

    name (str): any text. exclude (list): globs of packages that must not move, kernels among them.

    The reason of a failure is PACKAGE_FAILED or another reason of the package manager's.

    .. code-block:: yaml

        live patches:
          kpatch.patched:
            - exclude: ['kernel', 'kernel-*']
    """
    try:
        due = __salt__["kpatch.due"]()
        if not due:
            return answers.answer(name, True, "nothing newer for the running kernel")
        named = answers.named(due)
        if __opts__["test"]:
            return answers.answer(name, None, f"would be installed: {named}", answers.to_come(due))
        moved = __salt__["package_set.bring"](due, exclude=list(exclude))
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return answers.answer(name, True, f"installed: {named}", moved)
