"""Draining and restoring one node, with its record: what the engine's steps and the workload runner share."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from openstack_rollout.drains.contract import Drain
from openstack_rollout.drains.kinds import Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.drain_record import BY_HAND, NodeRecord
from openstack_rollout.records.journal import Journal

ASK_AGAIN = 10.0
# Agents are heard of again some time after their controller, or the message bus, is back.
PATIENCE = 120.0


class Moves:
    """Takes workloads away from nodes and brings them back.

    journal (Journal), drains (Drains), clock (seconds since the epoch).
    """

    def __init__(self, journal: Journal, drains: Drains, clock: Callable[[], float] = time.time):
        self._journal = journal
        self._drains = drains
        self._clock = clock

    def take_away(self, place: Mapping[str, str]) -> str:
        """Drain a node, or go on with it; returns one line.

        place (dict): node, role, kind, run, stage. When it fails, what it had moved so far is brought back at
        once, unless the node was drained before: then it may be the node that is broken. Raises RolloutError.
        """
        left = NodeRecord.of(self._journal, place["node"], self._clock)
        if left and left.entry["kind"] != place["kind"]:
            self.bring_back(place["node"])
            left = None
        was_drained = left is not None and left.entry["state"] != "draining"
        record = NodeRecord.begin(self._journal, place, self._clock)
        drain = self._drains.make(place["kind"], place["role"])
        try:
            line = _tried(drain.drain, record, "DRAIN_FAILED")
        except RolloutError as error:
            if was_drained:
                record.note("drained", str(error))
                raise
            raise RolloutError(error.reason, f"{error.message}; {self._undone(record)}") from error
        record.note("drained", line)
        return line

    def bring_back(self, node: str) -> str:
        """Restore a node and forget its record; returns one line. Raises RolloutError."""
        record = NodeRecord.of(self._journal, node, self._clock)
        if record is None:
            return "nothing had been taken away"
        record.note("restoring", "")
        drain = self._drains.make(record.entry["kind"], record.entry["role"])
        try:
            line = _tried(drain.restore, record, "RESTORE_FAILED")
        except RolloutError as error:
            record.note("restoring", str(error))
            raise
        record.close()
        return line

    def is_by_hand(self, node: str) -> bool:
        """Whether an operator drained the node: no run brings it back."""
        record = self._journal.drained(node)
        return record is not None and record["run"] == BY_HAND

    def _undone(self, record: NodeRecord) -> str:
        try:
            return f"what it had moved is back ({self.bring_back(record.entry['node'])})"
        except RolloutError as error:
            return f"and the way back failed too: {error}"


class Room:
    """How many nodes may be away together now, asked of a drain whenever the answer may have changed."""

    def __init__(self, drain: Drain, clock: Callable[[], float] = time.time):
        self._drain = drain
        self._clock = clock
        self._asked: tuple[list[str], float, int] = ([], float("-inf"), 0)
        self._none_since: float | None = None

    def __call__(self, away: Sequence[str], waiting: Sequence[str]) -> int:
        """away: the nodes in flight. waiting: the others, in their order.

        Raises RolloutError NO_SPARE when none is away and none may be, for PATIENCE seconds.
        """
        nodes = [*away, *waiting]
        before, at, room = self._asked
        if nodes != before or self._clock() - at >= ASK_AGAIN:
            room = self._drain.room(nodes)
            self._asked = (nodes, self._clock(), room)
        if room > 0 or away:
            self._none_since = None
            return room
        now = self._clock()
        self._none_since = now if self._none_since is None else self._none_since
        if now - self._none_since >= PATIENCE:
            raise RolloutError("NO_SPARE", f"there is no room to drain {waiting[0]} now", waiting[:1])
        return room


def _tried(step: Callable[[str, NodeRecord], str], record: NodeRecord, reason: str) -> str:
    """Call a kind's step; whatever it raises is a RolloutError, since a node must not stay in flight."""
    try:
        return step(record.entry["node"], record)
    except RolloutError:
        raise
    except Exception as error:
        raise RolloutError(reason, f"{type(error).__name__}: {error}", [record.entry["node"]]) from error
