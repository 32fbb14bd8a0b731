"""No service runs what an update has replaced, as far as a restart of it is safe."""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import answers


def restarted(name):
    """Have the services restarted that run what an update has replaced, and may be restarted.

    name (str): any text.

    The comment names those that are not restarted: they are a reason for a reboot, but for the minion, which
    is restarted when Salt's packages move. The reason of a failure is NODE_ERROR.

    .. code-block:: yaml

        services with old libraries:
          stale_services.restarted
    """
    none = "no service runs what an update replaced"
    if __opts__["test"]:
        none += " now; those that would once packages have moved are restarted too"
    try:
        stale = __salt__["stale_services.found"]()
        due = __salt__["stale_services.due"]() if stale else []
        left = [unit for unit in stale if unit not in due]
        note = f"; not restarted: {', '.join(left)}" if left else ""
        if not due:
            return answers.answer(name, True, note.removeprefix("; ") or none)
        changes = {unit: {"old": "runs what an update replaced", "new": "restarted"} for unit in due}
        if __opts__["test"]:
            return answers.answer(name, None, f"would be restarted: {', '.join(due)}{note}", changes)
        __salt__["stale_services.restart"]()
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return answers.answer(name, True, f"restarted: {', '.join(due)}{note}", changes)
