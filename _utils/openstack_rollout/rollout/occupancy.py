"""What serves data on nodes, and no drain takes: refused before anything moves, or one of a kind at a time.

A node is not empty because OpenStack knows nothing of it. A kind of workload that a drain takes is called as
that drain.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from openstack_rollout.declared import words
from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.model import Model
from openstack_rollout.drains.kinds import SEVERAL, Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout.membership import Membership

SYSTEM = "system"  # the stage that takes nodes down
UNKNOWN = "unknown"  # the kind of a storage node on which nothing was found that is known


def refuse(
    model: Model,
    members: Membership,
    measured: Mapping[str, Compared],
    stages: Iterable[str],
    drains: Drains,
) -> None:
    """Raise NODE_OCCUPIED for nodes that stages may reboot while they serve data that no drain takes.

    Nothing where reboots are off, or accepted for the role (`reboot_occupied`).
    """
    if SYSTEM not in stages or model.system.reboot == "never":
        return
    found = {
        node: left
        for node, one in measured.items()
        if one.stages.get(SYSTEM)
        and (roles := members.roles_of(node, SYSTEM))
        and not members.policies[roles[0]].reboot_occupied
        and (left := _left(one, members, drains))
    }
    if found:
        node, left = next(iter(found.items()))
        more = f" (and {len(found) - 1} more nodes)" if found.keys() - {node} else ""
        text = f"{node}: it may have to be rebooted, and no drain takes what serves data on it{more}"
        raise RolloutError("NODE_OCCUPIED", f"{text}: {'; '.join(words.serving(left))}", list(found))


def one_of_a_kind(
    members: Membership,
    measured: Mapping[str, Compared],
    stage: str,
    drains: Drains,
    nodes: Collection[str],
) -> list[set[str]]:
    """The sets of nodes of which one at a time may be away: those that serve the same kind of data.

    Storage nodes on which nothing is found that is known are of one kind, too.
    """
    if stage != SYSTEM:
        return []
    kinds: dict[str, set[str]] = {}
    for node in nodes:
        left = _left(measured[node], members, drains)
        roles = members.roles_of(node, stage)
        if not measured[node].stateful and any(members.base(role) == "storage" for role in roles):
            left = {UNKNOWN: []}
        for kind in left:
            kinds.setdefault(kind, set()).add(node)
    return list(kinds.values())


def _left(one: Compared, members: Membership, drains: Drains) -> dict[str, list[str]]:
    """What of a node's data no drain before the system stage takes: {kind: what was found of it}."""
    taken = drains.of_node(members.roles_of(one.id, SYSTEM), SYSTEM)[0].split(SEVERAL)
    return {kind: names for kind, names in one.stateful.items() if kind not in taken}
