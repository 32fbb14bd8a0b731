"""A node's share of what is declared: the pillar `openstack_node`, made on the master (ext_pillar).

`openstack` itself is compiled for the master alone (pillar/top.sls). So no node gets what belongs to another
role. The master's configuration needs this, which etc/master has:

.. code-block:: yaml

    ext_pillar:
      - openstack_rollout: {}

CLI Example:

.. code-block:: bash

    salt 'cmp1' pillar.get openstack_node unmask=True
"""

from openstack_rollout.on_salt import master_pillar, shares


def ext_pillar(minion_id, pillar, *_, **__):
    """The share of a minion, or why what is declared is refused.

    minion_id
        The minion's id.

    pillar
        What Salt compiled before it came here; not used.

    Returns {openstack_node: share}, with {refused: {reason, message}} as share where the pillar is refused.
    Returns nothing for the master itself.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' pillar.get openstack_node unmask=True
    """
    if minion_id == master_pillar.own_id(__opts__):
        return {}
    return shares.share_of(__opts__, minion_id)
