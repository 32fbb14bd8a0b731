"""No service runs what an update has deleted, as far as a restart of it is safe."""

from __future__ import annotations

from salt.exceptions import CommandExecutionError


def restarted(name):
    """Have the services restarted that run deleted libraries or programs, and may be restarted.

    name (str): any text. The others are named; they are a reason for a reboot. The comment of a failure is
    led by NODE_ERROR.

    .. code-block:: yaml

        services with old libraries:
          stale_services.restarted
    """
    none = "no service runs deleted files"
    if __opts__["test"]:
        none += " now; those that would once packages have moved are restarted too"
    answer = {"name": name, "result": True, "comment": none, "changes": {}}
    try:
        stale = __salt__["stale_services.found"]()
        left = __salt__["stale_services.unsafe"]() if stale else []
        due = [unit for unit in stale if unit not in left]
        told = f"; not restarted: {', '.join(left)}" if left else ""
        if not due:
            return answer | {"comment": answer["comment"] if not left else told.removeprefix("; ")}
        changes = {unit: {"old": "runs deleted files", "new": "restarted"} for unit in due}
        if __opts__["test"]:
            comment = f"would be restarted: {', '.join(due)}{told}"
            return answer | {"result": None, "comment": comment, "changes": changes}
        __salt__["stale_services.restart"]()
    except CommandExecutionError as error:
        return answer | {"result": False, "comment": str(error)}
    return answer | {"comment": f"restarted: {', '.join(due)}{told}", "changes": changes}
