"""Workloads, moved off a node and back by an operator: what an update does in its drain and restore steps.

A node that was drained by hand stays drained until it is restored by hand: no update restores it.
"""

from openstack_rollout.drains import risk_report
from openstack_rollout.on_salt import console, wiring
from openstack_rollout.on_salt.fleet import SaltFleet
from openstack_rollout.records import journal
from openstack_rollout.rollout import by_hand
from openstack_rollout.rollout.membership import Membership

console.hide_salts_own_messages()


@console.command()
def risks(target):
    """Every server or router of a host or a role, what may go wrong when it moves, and what the policy will
    do about it. Touches nothing.

    target
        A minion's id, or a role: compute, gateway.

    CLI Example:

    .. code-block:: bash

        salt-run workload.risks compute
        salt-run workload.risks cmp1 --out=json
    """
    opts = wiring.master_options(__opts__)
    with SaltFleet(opts) as fleet:
        model = wiring.model(opts)
        members = Membership.of(model, fleet)
        data = risk_report.report(model, members.roles, target)
    return {"data": data, "outputter": "rollout"}


@console.command()
def drain(node):
    """Move the workloads off a node, by the drain policy of its role.

    node
        The minion's id.

    Returns one line on what was done; again goes on where an earlier call stopped. Fails with one line while
    an update runs (RUN_IN_PROGRESS), when there is no healthy spare (NO_SPARE), or DRAIN_FAILED.

    CLI Example:

    .. code-block:: bash

        salt-run workload.drain gtw1
    """
    opts = wiring.master_options(__opts__)
    with SaltFleet(opts) as fleet:
        return by_hand.drain(wiring.ports(opts, fleet), node)


@console.command()
def restore(node):
    """Bring back what was moved off a node, and only that, whoever drained it.

    node
        The minion's id.

    Returns one line on what was done. Fails with one line while an update runs (RUN_IN_PROGRESS), or
    RESTORE_FAILED.

    CLI Example:

    .. code-block:: bash

        salt-run workload.restore gtw1
    """
    opts = wiring.master_options(__opts__)
    with SaltFleet(opts) as fleet:
        return by_hand.restore(wiring.ports(opts, fleet), node)


@console.command()
def drained():
    """Every node that something was taken away from: by whom, when, how far, and what.

    CLI Example:

    .. code-block:: bash

        salt-run workload.drained
        salt-run workload.drained --out=json
    """
    records = wiring.journal(wiring.master_options(__opts__)).all_drained()
    return {node: journal.plain(record) for node, record in records.items()}
