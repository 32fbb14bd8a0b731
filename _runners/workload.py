"""Workloads moved off a node and back by an operator, as an update does in its drain and restore steps.

A node that was drained by hand stays drained until it is restored by hand. No update restores it.
"""

from openstack_rollout.drains import risk_report
from openstack_rollout.on_salt import console, wiring
from openstack_rollout.on_salt.fleet import SaltFleet
from openstack_rollout.records import journal
from openstack_rollout.rollout import by_hand
from openstack_rollout.rollout.membership import Membership

console.hide_salts_own_messages()


@console.command(target=console.text)
def risks(target):
    """Every server or router of a host or a role, what may go wrong when it moves, and what the policy will
    do about it. Touches nothing.

    target
        A minion's id, or a role: compute, gateway.

    Returns a row for each of them. Refuses with one line under NO_NODES, INVALID_PILLAR or API_UNREACHABLE.

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


@console.command(node=console.text)
def drain(node):
    """Move the workloads off a node, by the drain policies of its roles.

    node
        The minion's id.

    Returns one line on what was done. A second call goes on where the first one stopped. Refuses with one
    line under RUN_IN_PROGRESS while an update runs, NO_SPARE when there is no healthy spare,
    INVALID_PILLAR when these policies are none, or DRAIN_FAILED.

    CLI Example:

    .. code-block:: bash

        salt-run workload.drain gtw1
    """
    opts = wiring.master_options(__opts__)
    with SaltFleet(opts) as fleet:
        return by_hand.drain(wiring.ports(opts, fleet), node)


@console.command(node=console.text)
def restore(node):
    """Bring back what was moved off a node, and only that, whoever drained it.

    node
        The minion's id.

    Returns one line on what was done. Refuses with one line under RUN_IN_PROGRESS while an update runs, or
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
    """Every node that was drained and not yet restored: by whom, when, how far, and what was moved.

    Returns {minion id: record}; nothing when there is none.

    CLI Example:

    .. code-block:: bash

        salt-run workload.drained
        salt-run workload.drained --out=json
    """
    records = wiring.journal(wiring.master_options(__opts__)).all_drained()
    return {node: journal.plain(record) for node, record in records.items()}
