"""A node's share of what is declared: the pillar `openstack_node`, made on the master (ext_pillar).

`openstack` itself is compiled for the master alone (pillar/top.sls), so that no node gets what belongs to
another role. The master's configuration needs (etc/master has it):

.. code-block:: yaml

    ext_pillar:
      - openstack_rollout: {}

CLI Example:

.. code-block:: bash

    salt 'cmp1' pillar.get openstack_node unmask=True
"""

from openstack_rollout.on_salt import master_pillar, shares


def ext_pillar(minion_id, pillar, *_, **__):
    """The share of a minion, or the line under which what is declared is refused.

    minion_id
        The minion.

    pillar
        What was compiled before; not used.
    """
    if minion_id == master_pillar.own_id(__opts__):
        return {}
    return shares.of(__opts__, minion_id)
