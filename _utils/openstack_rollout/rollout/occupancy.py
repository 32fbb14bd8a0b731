"""What serves data on nodes, and no drain takes: refused before anything moves, or one of a kind at a time.

A node is not empty because OpenStack knows nothing of it. A kind of workload that a drain takes is called as
that drain. Services whose kind nobody knows are of one kind, as are storage nodes on which nothing is found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from openstack_rollout.declared import words
from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.model import Model
from openstack_rollout.drains.kinds import SEVERAL, Drains
from openstack_rollout.errors import RolloutError, some
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.vocabulary import UNKNOWN_SERVICE, in_order

SYSTEM = "system"  # the stage that takes nodes down


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


def serves(members: Membership, one: Compared) -> bool:
    """Whether a node serves data, as far as anybody knows: storage nodes on which nothing is found may."""
    roles = members.roles_of(one.id, SYSTEM)
    return bool(one.stateful) or any(members.base(role) == "storage" for role in roles)


def one_of_a_kind(
    members: Membership,
    measured: Mapping[str, Compared],
    stage: str,
    drains: Drains,
    nodes: Collection[str],
) -> dict[str, tuple[str, ...]]:
    """The nodes of which one at a time may be away in a stage, by the kind of data that all of them serve.

    nodes: the ids of those that go; of a kind that one of them alone serves nothing is told.
    """
    if stage != SYSTEM:
        return {}
    kinds: dict[str, list[str]] = {}
    for node in in_order(nodes):
        left = set(_left(measured[node], members, drains))
        roles = members.roles_of(node, stage)
        if not measured[node].stateful and any(members.base(role) == "storage" for role in roles):
            left = {UNKNOWN_SERVICE}
        for kind in left:
            kinds.setdefault(kind, []).append(node)
    return {kind: tuple(some) for kind, some in sorted(kinds.items()) if some[1:]}


class OneOfAKind:
    """Keeps nodes apart that serve the same kind of data. A KeepsApart.

    kinds: as one_of_a_kind returns them.
    """

    def __init__(self, kinds: Mapping[str, Collection[str]]):
        self._kinds: dict[str, set[str]] = {}
        for kind, serving in kinds.items():
            for node in serving:
                self._kinds.setdefault(node, set()).add(f"serves {kind}")

    def apart(self, nodes: Sequence[str]) -> dict[str, frozenset[str]]:
        """The kinds of data that each of some nodes (their ids) serves."""
        return {node: frozenset(self._kinds.get(node, ())) for node in nodes}


def why_apart(kinds: Mapping[str, Sequence[str]], measured: Mapping[str, Compared]) -> list[RolloutError]:
    """Why nodes go one at a time that could go together by their batch: one for each kind of data.

    kinds: as one_of_a_kind returns them. measured: node id → what it is.
    """
    found = {kind: _example(kind, nodes, measured) for kind, nodes in kinds.items()}
    return [
        RolloutError("NODE_OCCUPIED", f"{some(nodes)} go one at a time: {found[kind]}", nodes)
        for kind, nodes in kinds.items()
    ]


def _example(kind: str, nodes: Sequence[str], measured: Mapping[str, Compared]) -> str:
    for node in nodes:
        if found := measured[node].stateful.get(kind):
            return f"{node} has {'; '.join(words.serving({kind: found}))}"
    return "nothing is found of what these storage nodes serve"


def _left(one: Compared, members: Membership, drains: Drains) -> dict[str, list[str]]:
    """What of a node's data no drain before the system stage takes: {kind: what was found of it}."""
    taken = drains.of_node(members.roles_of(one.id, SYSTEM), SYSTEM)[0].split(SEVERAL)
    return {kind: names for kind, names in one.stateful.items() if kind not in taken}
