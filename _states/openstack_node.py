"""What this node has to be, where that cannot be told: the line of the refusal, and nothing touched."""

from __future__ import annotations

from openstack_rollout.node.answers import failed
from openstack_rollout.node.errors import NodeError


def refused(name, reason, message):
    """Fail under the reason for which the master gives this node no share, or a run's is not for it.

    name (str): any text. reason (str): a word of errors.REASONS. message (str): what is wrong and where.

    .. code-block:: yaml

        what is declared:
          openstack_node.refused:
            - reason: INVALID_PILLAR
            - message: 'openstack:polices: unknown key, did you mean policies?'
    """
    return failed(name, NodeError(reason, message))
