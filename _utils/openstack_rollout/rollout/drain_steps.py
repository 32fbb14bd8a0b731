"""Draining and restoring one node, with its record: what the engine's steps and the workload runner share."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from openstack_rollout.drains.contract import Drain, KeepsApart, shared
from openstack_rollout.drains.kinds import SEVERAL, Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.drain_record import BY_HAND, DrainRecord, DrainState, OpenDrain
from openstack_rollout.records.journal import Journal
from openstack_rollout.rollout.admission import Capacity
from openstack_rollout.rollout.membership import Membership

ASK_AGAIN = 10.0
ASKED_AHEAD = 32  # waiting nodes; those behind them wait
# Agents are heard of again some time after their controller, or the message bus, is back.
PATIENCE = 120.0


class DrainSteps:
    """Takes workloads away from nodes and brings them back.

    journal (Journal), drains (Drains), clock (seconds since the epoch).
    """

    def __init__(self, journal: Journal, drains: Drains, clock: Callable[[], float] = time.time):
        self._journal = journal
        self._drains = drains
        self._clock = clock

    def drain(self, place: DrainRecord) -> str:
        """Drain a node, or go on with it; returns one line.

        place: which node, role, kind, run and stage. When it fails, what it had moved so far is brought back
        at once, unless the node was drained before: then it may be the node that is broken. Raises
        RolloutError.
        """
        earlier = OpenDrain.of(self._journal, place.node, self._clock)
        if earlier and not set(place.kind.split(SEVERAL)) <= set(earlier.record.kind.split(SEVERAL)):
            self.restore(place.node)
            earlier = None
        was_drained = earlier is not None and earlier.record.state is not DrainState.DRAINING
        opened = OpenDrain.begin(self._journal, place, self._clock)
        kind = self._drains.make(opened.record.kind, opened.record.role)
        try:
            line = _tried(kind.drain, opened, "DRAIN_FAILED")
        except RolloutError as error:
            if was_drained:
                opened.note(DrainState.DRAINED, str(error))
                raise
            raise RolloutError(error.reason, f"{error.message}; {self._undone(opened)}") from error
        opened.note(DrainState.DRAINED, line)
        return line

    def restore(self, node: str) -> str:
        """Restore a node and forget its record; returns one line. Raises RolloutError."""
        opened = OpenDrain.of(self._journal, node, self._clock)
        if opened is None:
            return "nothing had been taken away"
        opened.note(DrainState.RESTORING, "")
        kind = self._drains.make(opened.record.kind, opened.record.role)
        try:
            line = _tried(kind.restore, opened, "RESTORE_FAILED")
        except RolloutError as error:
            opened.note(DrainState.RESTORING, str(error))
            raise
        opened.close()
        return line

    def is_by_hand(self, node: str) -> bool:
        """Whether an operator drained the node: no run brings it back."""
        record = self._journal.drained(node)
        return record is not None and record.run == BY_HAND

    def _undone(self, opened: OpenDrain) -> str:
        try:
            return f"what it had moved is back ({self.restore(opened.record.node)})"
        except RolloutError as error:
            return f"rollback also failed: {error}"


class LiveCapacity:
    """How many nodes may be away together now, asked of a drain whenever the answer may have changed."""

    def __init__(self, drain: Drain, monotonic: Callable[[], float] = time.monotonic):
        self._drain = drain
        self._monotonic = monotonic
        self._asked: tuple[list[str], float, int] = ([], float("-inf"), 0)
        self._none_since: float | None = None

    def __call__(self, away: Sequence[str], waiting: Sequence[str]) -> int:
        """away: the nodes in flight. waiting: the others, in their order.

        Raises RolloutError NO_SPARE when none is away and none may be, for PATIENCE seconds.
        """
        nodes = [*away, *waiting]
        before, at, spare = self._asked
        if nodes != before or self._monotonic() - at >= ASK_AGAIN:
            spare = self._drain.capacity(nodes)
            self._asked = (nodes, self._monotonic(), spare)
        if spare > 0 or away:
            self._none_since = None
            return spare
        now = self._monotonic()
        self._none_since = now if self._none_since is None else self._none_since
        if now - self._none_since >= PATIENCE:
            raise RolloutError(
                "NO_SPARE", f"no other node can take the workloads of {waiting[0]} now", waiting[:1]
            )
        return spare


class SharedCapacity:
    """How many nodes may be away together now, where several drains each are of some of them.

    parts: the capacity of a drain, and the nodes that it drains.
    """

    def __init__(self, parts: Sequence[tuple[Capacity, Collection[str]]]):
        self._parts = parts

    def __call__(self, away: Sequence[str], waiting: Sequence[str]) -> int:
        """As LiveCapacity; the next nodes that start may all be those of the drain that can spare least."""
        most = len(away) + len(waiting)
        for capacity, drained in self._parts:
            out = [node for node in away if node in drained]
            due = [node for node in waiting if node in drained]
            spare = capacity(out, due) if due else len(out)
            if spare < len(out) + len(due):
                most = min(most, len(away) + max(0, spare - len(out)))
        return most


def shared_capacity(  # noqa: PLR0917
    members: Membership,
    drains: Drains,
    stage: str,
    nodes: Iterable[str],
    monotonic: Callable[[], float],
    gates: Iterable[tuple[Capacity, Collection[str]]] = (),
) -> SharedCapacity | None:
    """How many of these nodes may be away together in a stage, by the drains of all their roles; None where
    nothing limits that.

    gates: further capacities, as SharedCapacity has them.
    """
    roles = dict.fromkeys(role for node in nodes for role in members.roles_of(node, stage))
    found = {role: drain for role in roles if (drain := drains.before(stage, role))}
    parts: list[tuple[Capacity, Collection[str]]] = [
        (LiveCapacity(drain, monotonic), set(members.roles[role])) for role, drain in found.items()
    ]
    parts += gates
    return SharedCapacity(parts) if parts else None


class LiveApart:
    """What no two nodes in flight may have in common, asked of drains whenever the answer may have changed.

    A node in flight keeps what it had when it started: its workloads are elsewhere, and may come back.
    """

    def __init__(self, drains: Sequence[KeepsApart], monotonic: Callable[[], float] = time.monotonic):
        self._drains = drains
        self._monotonic = monotonic
        self._asked: tuple[list[str], float] = ([], float("-inf"))
        self._found: dict[str, frozenset[str]] = {}

    def __call__(self, away: Sequence[str], waiting: Sequence[str]) -> Mapping[str, frozenset[str]]:
        """away: the nodes in flight. waiting: the others. Raises RolloutError when it cannot be found out."""
        nodes = [*away, *waiting[:ASKED_AHEAD]]
        before, at = self._asked
        if nodes != before or self._monotonic() - at >= ASK_AGAIN:
            had = {node: self._found.get(node, frozenset()) for node in away}
            now = shared(self._drains, nodes)
            self._found = {**now, **{node: had[node] | now.get(node, frozenset()) for node in away}}
            self._asked = (nodes, self._monotonic())
        return self._found


def _tried(step: Callable[[str, OpenDrain], str], opened: OpenDrain, reason: str) -> str:
    """Call a kind's step; whatever it raises is a RolloutError, since a node must not stay in flight."""
    try:
        return step(opened.record.node, opened)
    except RolloutError:
        raise
    except Exception as error:
        raise RolloutError(reason, f"{type(error).__name__}: {error}", [opened.record.node]) from error
