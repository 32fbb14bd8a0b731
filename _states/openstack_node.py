"""The state of a node for which the master has no share: it fails, says why, and touches nothing."""

from __future__ import annotations

from openstack_rollout.node.answers import failed
from openstack_rollout.node.errors import NodeError


def refused(name, reason, message):
    """Fail under the reason for which the master gives this node no share, or a run is for another target.

    name (str): any text. reason (str): a word of errors.REASONS. message (str): what is wrong and where.

    .. code-block:: yaml

        what is declared:
          openstack_node.refused:
            - reason: INVALID_PILLAR
            - message: 'openstack:polices: unknown key, did you mean policies?'
    """
    return failed(name, NodeError(reason, message))
