"""Salt's own packages, moved last and apart from the job that asks for it."""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import answers


def renewed(name, packages=None, depth="upgrade", exclude=(), others=True):
    """Have Salt's packages at the release's versions, or at the newest; they move when this job has ended.

    name (str): any text. packages (dict): of the release, {name: version}. depth (str), exclude
    (list), others (bool): as in minion_package.due.

    Nothing of Salt moves on a node with the master's packages. The reason of a failure is MINION_FAILED or a
    package manager's reason.

    .. code-block:: yaml

        salt-minion:
          minion_package.renewed:
            - packages: {salt-minion: 3008.4-1}
    """
    try:
        due = __salt__["minion_package.due"](packages or {}, depth, list(exclude), others)
        masters = __salt__["minion_package.masters"]()
        if masters:
            return answers.answer(
                name, True, f"left alone beside the master's packages: {', '.join(sorted(masters))}"
            )
        if not due and not __opts__["test"]:
            __salt__["minion_package.forget"]()
        if not due:
            return answers.answer(name, True, "Salt is at its version")
        named = answers.named(due)
        predicted = answers.to_come(due)
        if __opts__["test"]:
            return answers.answer(name, None, f"would be moved after this job: {named}", predicted)
        moving = __salt__["minion_package.renew"](due, list(exclude))
        note = answers.held_off(__salt__["package_updaters.found"]())
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return answers.answer(name, True, f"moves after this job: {named}{note}", moving or predicted)
