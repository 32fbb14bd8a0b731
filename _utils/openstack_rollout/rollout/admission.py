"""Which nodes of a pass may start now: by its window, and by what the cloud can spare."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from openstack_rollout.declared.rounds import Round
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.run_record import NodeRecord
from openstack_rollout.rollout.window import Node, Queue, Window

#: Nodes waiting of which it is asked what keeps them apart: those after them are not due for long.
_AHEAD = 100

#: Nodes in flight, nodes waiting → how many may be in flight together now.
Capacity = Callable[[Sequence[str], Sequence[str]], int]
#: Nodes in flight, nodes waiting → node id → what no two nodes in flight may have in common.
Apart = Callable[[Sequence[str], Sequence[str]], Mapping[str, Collection[str]]]


@dataclass(frozen=True)
class Pass:
    """What nodes go through together.

    round_: the round of the stage. window: how many at once. capacity: what the cloud can spare at the
    moment, beside the window; None when no node is drained. apart: what no two nodes in flight may have in
    common; None for nothing.
    """

    round_: Round
    window: Window
    capacity: Capacity | None = None
    apart: Apart | None = None


def admitted(pass_: Pass, waiting: Queue, in_flight: Mapping[str, Node]) -> list[Node]:
    """The nodes that may start now. Raises RolloutError when nobody can tell how many the cloud can spare."""
    if not waiting or len(in_flight) >= pass_.window.size:
        return []
    there, apart = list(in_flight), None
    due: Iterable[Node] = waiting
    if pass_.apart and pass_.window.size > 1:
        due = list(islice(waiting, _AHEAD))
        apart = pass_.apart(there, [node.id for node in due])
    next_ = pass_.window.admit(due, in_flight, apart)
    if pass_.capacity and next_:
        # Of these nodes alone: others that wait leave other room.
        spare = pass_.capacity(there, [node.id for node in next_])
        next_ = next_[: max(0, spare - len(in_flight))]
    return next_


def due_now(
    nodes: Iterable[Node],
    step: str,
    records: Mapping[str, NodeRecord],
    why_closed: Callable[[Node], RolloutError | None],
) -> list[Node]:
    """Nodes that are to take a step before the stages, those that may start now first.

    Who took it in this run before, and may not now, is left out: where windows never overlap, nodes would
    wait for each other for ever. records: what the run did to its nodes. why_closed: why one may not start.
    """
    open_, closed = [], []
    for node in nodes:
        if why_closed(node) is None:
            open_.append(node)
        elif node.id not in records or not _has_taken(records[node.id], step):
            closed.append(node)
    return [*open_, *closed]


def _has_taken(record: NodeRecord, step: str) -> bool:
    return any(one.step == step and one.outcome == "done" for one in record.history)
