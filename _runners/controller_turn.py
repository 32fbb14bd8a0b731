"""The turn of controllers: who may disturb its services now. Nodes ask for it themselves (peer_run in
etc/master)."""

import os

from openstack_rollout import salt_parts
from openstack_rollout.turn import Turn


def status():
    """Who has the turn: node, job, why, since and until (seconds since the epoch); nothing when it is free.

    CLI Example:

    .. code-block:: bash

        salt-run controller_turn.status
    """
    return _turn().holder() or {}


def take(job, why):
    """Take the turn for the node that asks, or renew it.

    job
        What tells two jobs of a node apart.
    why
        What the node is about to do.

    Returns who has it now. The job of another is not told: with it, a node could give that turn back.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' publish.runner controller_turn.take '[by-hand, maintenance]'
    """
    holder = _turn().take(__opts__["id"], str(job), str(why))
    return holder if holder["job"] == str(job) else {**holder, "job": ""}


def give(job):
    """Give the turn back, also that of another node that an operator knows to be dead.

    job
        As `status` shows it.

    CLI Example:

    .. code-block:: bash

        salt-run controller_turn.give 20261121161409-7c1f
    """
    _turn().give(str(job))
    return True


def _turn():
    return Turn(os.path.join(salt_parts.master_options(__opts__)["cachedir"], "openstack_rollout_turn"))
