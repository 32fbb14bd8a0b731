"""The data path as it was before a change: recorded before, verified after. Neither counts as a change."""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import answers


def recorded(name):
    """Have what works now written down, for `verified` after the changes that follow.

    name (str): any text. Tie it to the change by `prereq`, so that only a due change records. A module that
    changes something calls datapath.record itself.

    .. code-block:: yaml

        data path before:
          datapath.recorded:
            - prereq: [{container: ovn_controller}]
    """
    if __opts__["test"]:
        return answers.answer(name, True, "the data path would be recorded")
    there = __salt__["datapath.record"]()
    return answers.answer(
        name, True, "the data path is recorded" if there else "there is no data path to record"
    )


def verified(name, timeout=60, tolerance=10):
    """Have everything that was recorded work again, and drop the record; without one there is nothing to do.

    name (str): any text. timeout (int): seconds to wait. tolerance (int): per cent of a bridge's flows that
    may be missing.

    The reason of a failure is DATAPATH_BROKEN; the record stays, and the next run compares with it.

    .. code-block:: yaml

        data path after:
          datapath.verified:
            - timeout: 60
    """
    if __opts__["test"]:
        return answers.answer(name, True, "the data path would be compared with its record")
    try:
        found = __salt__["datapath.verify"](timeout, tolerance)
    except CommandExecutionError as error:
        return answers.failed(name, error)
    if not found["verified"]:
        return answers.answer(name, True, "nothing was recorded")
    return answers.answer(name, True, f"the data path is what it was, after {found['waited']} s")
