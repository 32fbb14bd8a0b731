"""Ironic's conductors, as an update needs them, through openstacksdk.

A conductor that is stopped fails the deployment, cleaning or inspection that it works on at that moment: it
has reserved the bare metal node then. A node that waits for its ramdisk is not reserved, and survives.
https://docs.openstack.org/ironic/latest/admin/upgrade-guide.html
"""

from __future__ import annotations

from collections.abc import Sequence

from openstack_rollout.cloud.api import Cloud, hosts_of

_FIELDS = ("uuid", "name", "reservation", "provision_state")


def in_hand(cloud: Cloud, node: str, nodes: Sequence[str]) -> list[str]:
    """The bare metal nodes that the conductor of a node works on now: `NAME (STATE)` each.

    node (str): minion id; its conductor has the same host name, or the only one with its short name, however
    it is written. nodes: the ids of all nodes; where none of the conductors is this one's, those that are no
    other node's may be. Raises RolloutError API_UNREACHABLE after the cloud's retry_timeout,
    INVALID_PILLAR as Cloud does.
    """

    def listed() -> list[tuple[str, str, str]]:
        return [
            (one.reservation, one.name or one.id, one.provision_state or "")
            for one in cloud.api.baremetal.nodes(fields=list(_FIELDS))
            if one.reservation
        ]

    reserved = cloud.allowed("bare metal API", listed)
    if not reserved:
        return []
    told = cloud.allowed("bare metal API", lambda: [one.hostname for one in cloud.api.baremetal.conductors()])
    mine = hosts_of(node, nodes, (*told, *(by for by, _, _ in reserved)))
    return sorted(f"{name} ({state})" for by, name, state in reserved if by in mine)
