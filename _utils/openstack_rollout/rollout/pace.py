"""How fast nodes take their steps: remembered for the runs that follow, and told where one is slow.

Nothing is ended for being slow: limits do that (time_limits.py).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from openstack_rollout.errors import RolloutError
from openstack_rollout.records.durations import NEVER_SLOW, SLOW, Durations, Place
from openstack_rollout.records.run_record import NodeRecord, NodeState
from openstack_rollout.rollout.breakpoints import is_break
from openstack_rollout.rollout.node_log import NodeLog
from openstack_rollout.rollout.window import InFlight, Node

_LOOK_AGAIN = 1.0  # seconds, at a step of which it is not known what it takes
_TOGETHER = 5000  # nodes that left of which it is written together


class Pace:
    """Watches what the steps of a run take.

    durations (Durations), log: what the run did to its nodes.
    """

    def __init__(self, durations: Durations, log: NodeLog):
        self._durations = durations
        self._log = log
        self._due: list[tuple[float, str, str, float]] = []  # when a job may be slow; its node; when it began
        self._left: dict[str, str] = {}  # nodes that left, and their roles

    def begun(self, node: str, jid: str, now: float) -> None:
        """A step begins on a node (its id), as a job. now (seconds): by the clock of TimeLimits."""
        heapq.heappush(self._due, (now + NEVER_SLOW, jid, node, now))

    def look(self, in_flight: InFlight, records: Mapping[str, NodeRecord], now: float) -> None:
        """Tell of the steps that are slow now, each once; at others nobody looks.

        in_flight: node id → node. records: those of the run. now (seconds): as for `begun`. Raises
        RolloutError JOURNAL_FAILED.
        """
        while self._due and self._due[0][0] < now:
            _, jid, name, began = heapq.heappop(self._due)
            record = records[name]
            if name not in in_flight or record.jid != jid or record.state is not NodeState.IN_FLIGHT:
                continue
            usual, seconds = self._durations.usual(place(name, record)), now - began
            if usual is None:
                heapq.heappush(self._due, (now + _LOOK_AGAIN, jid, name, began))
            elif seconds > SLOW * usual:
                node = in_flight[name]
                message = f"{record.step} takes {seconds:.0f} s by now, and {usual:.0f} s as a rule"
                self._log.note(node, None, slow=usual)
                self._log.tell(node, record, record.step, "slow", "SLOW", message, in_flight)
            else:
                heapq.heappush(self._due, (began + SLOW * usual, jid, name, began))

    def ended(self, node: str, record: NodeRecord, seconds: float, idle: bool) -> None:
        """Remember what a step took that succeeded. idle: it had nothing to do, which tells nothing."""
        if not idle:
            self._durations.took(place(node, record), seconds)

    def usual(self, one: Place) -> float | None:
        """Seconds that a step takes as a rule, by what was seen until now; None if unknown."""
        return self._durations.usual(one)

    def at_most(self, node: Node, stage: str, round_: str, steps: Iterable[str]) -> float:
        """Seconds in which steps of a node are expected to end, one after the other."""
        places = (Place(node.id, node.role, stage, round_, step) for step in steps if not is_break(step))
        return sum(map(self._durations.at_most, places))

    def left(self, node: Node) -> None:
        """A node left: what is known of it is written, with what is known of others that leave.

        Raises RolloutError JOURNAL_FAILED.
        """
        self._left[node.id] = node.role
        if len(self._left) >= _TOGETHER:
            self._write()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """What is known of the nodes that leave meanwhile is written in the end, also that by an error.

        Raises RolloutError JOURNAL_FAILED.
        """
        self._due.clear()
        try:
            yield
        except Exception:
            with suppress(RolloutError):  # of the journal: what ends the run says so
                self._write()
            raise
        self._write()

    def _write(self) -> None:
        left, self._left = self._left, {}
        self._durations.keep_all(left)


def place(node: str, record: NodeRecord) -> Place:
    """Where a node (its id) is, by its record."""
    return Place(node, record.role, record.stage, record.round, record.step)
