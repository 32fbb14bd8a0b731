"""The turn of controllers: one of them at a time may disturb its services.

Nodes ask for it themselves (peer_run in etc/master).
"""

import os

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import console, master_pillar, shares, wiring
from openstack_rollout.on_salt.ask import SaltAsk
from openstack_rollout.records.turn import Turn

console.hide_salts_own_messages()


@console.command()
def status():
    """Who has the turn.

    Returns {node, job, why, since, until}, the last two in seconds since the epoch; nothing when it is free.

    CLI Example:

    .. code-block:: bash

        salt-run controller_turn.status
    """
    return _turn().holder() or {}


@console.command()
def take(job, why):
    """Take the turn for the node that asks, or renew it.

    job
        A word that tells two jobs of a node apart.

    why
        What the node is about to do, in a few words.

    Returns who has the turn now, as `status` does. The job of another node is left empty: with it, a node
    could give back a turn that is not its own. A minion that is no controller by openstack:roles gets a line
    that says so. A turn can be renewed for six hours.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' publish.runner controller_turn.take '[by-hand, maintenance]'
    """
    node, turn = __opts__["id"], _turn()
    # A change that is under way is never cut off, whatever became of the pillar since it began.
    if not turn.is_of(node, str(job)) and (refused := _refusal(node)):
        return refused
    holder = turn.take(node, str(job), str(why))
    return holder if holder["job"] == str(job) else {**holder, "job": ""}


@console.command()
def give(job):
    """Give the turn back. An operator may give back that of a node that is known to be dead.

    job
        As `status` shows it.

    Returns True, also when that job did not have the turn.

    CLI Example:

    .. code-block:: bash

        salt-run controller_turn.give 20261121161409-7c1f
    """
    _turn().give(str(job))
    return True


def _refusal(node):
    """Why a minion may not have the turn; empty for controllers, and for the master's own operator."""
    opts = wiring.master_options(__opts__)
    if node in (opts["id"], master_pillar.own_id(opts)):
        return ""
    try:
        model = shares.declared(opts)
    except RolloutError as error:
        return str(error)
    targets = [target for role, target in model.targets.items() if model.is_control_plane([role])]
    if any(node in SaltAsk(opts).members(target) for target in targets):
        return ""
    return f"{node} is no controller by openstack:roles"


def _turn():
    return Turn(os.path.join(wiring.master_options(__opts__)["cachedir"], "openstack_rollout_turn"))
