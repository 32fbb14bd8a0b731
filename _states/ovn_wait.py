"""For how long a new ovn-controller leaves the flows alone that it finds, beyond the update that sets it."""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import answers, ovn_wait


def at_setting(name, wait, container="ovn_controller", back=None, again=False):
    """Have a chassis be set so that a controller which crashes costs no flows (ovn_wait.found).

    name (str): any text.
    wait (str or int): `auto`, by what this chassis' flows take; milliseconds; or `keep`, what there is.
    container (str): the name of the controller's container.
    back (str): what was set before the run that is undone, "" for nothing; it counts in place of `wait`.
    again (bool): whether this is after the controller may have changed: it is sized anew by what the new one
    took. That cannot be predicted.

    What somebody else has set is never shortened, and the comment says so.

    The reason of a failure is OVS_FAILED or NODE_ERROR.

    .. code-block:: yaml

        wait before clear:
          ovn_wait.at_setting:
            - wait: auto
    """
    if again and __opts__["test"]:
        return answers.answer(name, True, "it is looked at again when the controller has changed")
    asked = {"wait_before_clear": wait, "back": back}
    try:
        found = __salt__["ovn_wait.found"](container)
        due = ovn_wait.due(asked, found)
        if due is None:
            return answers.answer(name, True, _as_it_is(asked, found))
        changes = {ovn_wait.SETTING: {"old": found["have"] or None, "new": due or None}}
        if __opts__["test"]:
            return answers.answer(name, None, f"would be set: {_by(found, due)}", changes)
        __salt__["ovn_wait.bring"](due, container)
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return answers.answer(name, True, f"set: {_by(found, due)}", changes)


def _as_it_is(asked, found):
    if found is None:
        return "this node is no chassis"
    stays = ", somebody else's, which is not shortened" if ovn_wait.theirs_stays(asked, found) else ""
    ignored = "; this controller ignores it, and waits by itself" if found["by_itself"] else ""
    return f"{found['have'] or 'no'} ms{stays}{ignored}"


def _by(found, due):
    longest, flows = (found[key] if found[key] is not None else "not known" for key in ("longest", "flows"))
    return (
        f"{due or 'no'} ms, was {found['have'] or 'none'} (longest computation {longest} ms, {flows} flows)"
    )
