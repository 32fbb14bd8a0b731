"""The limit of a run: the nodes that it may touch.

The others are measured, and stand where they are for the order, the drains and the addresses of the cloud;
none of them is planned, counted, or missed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from openstack_rollout.declared import targets
from openstack_rollout.declared.comparison import Compared
from openstack_rollout.errors import RolloutError, some
from openstack_rollout.records.asked import Asked
from openstack_rollout.rollout.fleet import Measurable
from openstack_rollout.rollout.membership import Measured, Membership
from openstack_rollout.rollout.procedure import DONE_ELSEWHERE, FIRST_ROLES, MUST_BE_DONE
from openstack_rollout.vocabulary import in_order

EVERYBODY = "*"
CONTROL_PLANE = "control_plane"
CONTROLLER = "controller"


@dataclass(frozen=True)
class Limit:
    """target: as the operator wrote it, "" for none. nodes: the ids that it means; None: all."""

    target: str = ""
    nodes: frozenset[str] | None = None

    def has(self, node: str) -> bool:
        """Whether the run may touch a node."""
        return self.nodes is None or node in self.nodes

    def of(self, nodes: Iterable[str]) -> list[str]:
        """Those of some nodes that the run may touch, in their order."""
        return [node for node in nodes if self.has(node)]

    def inside(self, measured: Measured) -> Measured:
        """What was measured of the nodes that the run may touch."""
        return Measured(
            {node: one for node, one in measured.nodes.items() if self.has(node)},
            {node: why for node, why in measured.failures.items() if self.has(node)},
        )

    def whole(self, inside: Measured, measured: Measured) -> Measured:
        """The whole cloud again, with what became of the nodes inside of the limit."""
        rest = {node: one for node, one in measured.nodes.items() if not self.has(node)}
        silent = {node: why for node, why in measured.failures.items() if not self.has(node)}
        return Measured({**rest, **inside.nodes}, {**silent, **inside.failures})

    def closed(self, measured: Measured) -> Measured:
        """The whole cloud, where the nodes that the run may not touch need nothing."""
        if self.nodes is None:
            return measured
        nodes = {node: one if self.has(node) else _closed(one) for node, one in measured.nodes.items()}
        return Measured(nodes, measured.failures)

    def noted(self, asked: Asked) -> Asked:
        """What a run is asked, with the nodes that its limit means: those it keeps."""
        return replace(asked, nodes=None if self.nodes is None else in_order(self.nodes))


def _closed(one: Compared) -> Compared:
    return replace(one, stages={stage: [] for stage in one.stages}, checks={}, settings={})


NO_LIMIT = Limit()


def of(asked: Asked, members: Membership, fleet: Measurable) -> Limit:
    """The limit that a run was asked for.

    The nodes that it meant when the run began stay those. Raises RolloutError WRONG_ARGUMENT for what is no
    compound target, NO_NODES for one that means no node, names one that is none of the cloud's, or asks for
    what nobody knows of a node.
    """
    if asked.nodes is not None:  # those of a rollback, too
        return Limit(asked.limit, frozenset(asked.nodes))
    if asked.limit in ("", EVERYBODY):
        return NO_LIMIT
    if wrong := targets.problem(asked.limit, by_master=True):
        raise RolloutError("WRONG_ARGUMENT", f"limit: {wrong}")
    ids = frozenset(members.ids)
    nodes = ids.intersection(fleet.members(asked.limit))
    if strange := [one for one in targets.named(asked.limit) if one not in ids]:
        why = (
            "is no accepted minion"
            if strange[0] not in members.accepted
            else "has no role in openstack:roles"
        )
        raise RolloutError("NO_NODES", f"limit: {some(strange)} is named there, and {why}")
    if not nodes:
        raise RolloutError("NO_NODES", f"limit: {asked.limit!r} matches no node of openstack:roles")
    if unread := fleet.unread(asked.limit, nodes):
        what = f"limit: {asked.limit!r} asks for what the master does not know of {some(unread)}"
        raise RolloutError("NO_NODES", f"{what}: salt {unread[0]} saltutil.refresh_pillar", unread)
    return Limit(asked.limit, nodes)


def refuse_out_of_order(members: Membership, limit: Limit, measured: Measured, stages: Sequence[str]) -> None:
    """Raise STAGE_OUT_OF_ORDER while something outside of a limit, which must go before, is not done.

    measured: the whole cloud as it is. stages: those that are to come, in order. Of what the nodes themselves
    must have done before, these stages do the rest.
    """
    if limit.nodes is None:
        return
    waits: dict[str, list[str]] = {}
    nodes: dict[str, None] = {}
    for number, stage in enumerate(stages):
        due = [node for node, one in limit.inside(measured).nodes.items() if one.stages.get(stage)]
        for first, some_nodes in _first(members, limit, measured, stage, due, stages[:number]):
            waits.setdefault(f"{stage} on {some(in_order(due))}", []).append(f"{first} on {some(some_nodes)}")
            nodes |= dict.fromkeys(some_nodes)
    if waits:
        text = "; ".join(f"{late} has to wait for {', '.join(first)}" for late, first in waits.items())
        raise RolloutError("STAGE_OUT_OF_ORDER", f"limit {limit.target!r}: {text}", nodes)


def goes_as(members: Membership, stage: str, node: str) -> str:
    """The known role as which a node goes through a stage, "" where it does not."""
    return next((members.base(role) for role in members.roles_of(node, stage)), "")


def _first(  # noqa: PLR0917
    members: Membership,
    limit: Limit,
    measured: Measured,
    stage: str,
    due: Sequence[str],
    before: Sequence[str],
) -> Iterator[tuple[str, list[str]]]:
    """What must go before a stage of the nodes that are due, and where: stage, nodes.

    before: the stages that the run goes through itself.
    """
    if not due:
        return
    outside = _outside(limit, measured)
    found = [(earlier, _open(outside, earlier)) for earlier in DONE_ELSEWHERE[stage]]
    own = {node: measured.nodes[node] for node in due}
    found += [(earlier, _open(own, earlier)) for earlier in MUST_BE_DONE[stage] if earlier not in before]
    found.append((stage, _roles_before(members, stage, due, outside)))
    follows = DONE_ELSEWHERE[stage][-1:] or ((stage,) if _follows_controllers(members, stage, due) else ())
    found += [(earlier, _unknown(members, limit, measured, earlier)) for earlier in follows]
    yield from ((earlier, nodes) for earlier, nodes in found if nodes)


def _outside(limit: Limit, measured: Measured) -> dict[str, Compared]:
    return {node: one for node, one in measured.nodes.items() if not limit.has(node)}


def _open(nodes: Mapping[str, Compared], stage: str) -> list[str]:
    return in_order(node for node, one in nodes.items() if one.stages.get(stage))


def _roles_before(
    members: Membership, stage: str, due: Collection[str], outside: Mapping[str, Compared]
) -> list[str]:
    """The nodes outside whose role goes through a stage before those of the nodes that are due."""
    earlier = FIRST_ROLES.get(stage)
    if earlier is None or all(goes_as(members, stage, node) == earlier for node in due):
        return []
    return [node for node in _open(outside, stage) if goes_as(members, stage, node) == earlier]


def _follows_controllers(members: Membership, stage: str, due: Iterable[str]) -> bool:
    """Whether controllers go through a stage before some of the nodes that are due."""
    first = FIRST_ROLES.get(stage) == CONTROLLER
    return first and any(goes_as(members, stage, node) != CONTROLLER for node in due)


def _unknown(members: Membership, limit: Limit, measured: Measured, stage: str) -> list[str]:
    """The nodes of the control plane outside of which nobody can tell whether they have done a stage, where
    they are more than may fail.
    """
    silent = [
        node
        for node in measured.failures
        if not limit.has(node) and members.roles_of(node, CONTROL_PLANE) and members.roles_of(node, stage)
    ]
    return [f"{node} ({measured.failures[node][0]})" for node in members.over_budget(silent)]
