"""A fleet whose drain and restore steps run here, in threads of the engine's process; all else is another's.

The threads are daemons: an engine that is interrupted ends at once, as one that was killed, and what its
threads had written into the records is what the next one goes on from.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from openstack_rollout.drain import Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.fleet import Answers, Fleet, Outcome
from openstack_rollout.journal import Journal
from openstack_rollout.moves import Moves

TOGETHER = 16  # threads that work at a time; more nodes than that wait for one
LOOK_EVERY = 0.5


class FleetWithDrains:
    """Implements fleet.Fleet over another fleet. drains (Drains), journal (Journal), clock (seconds)."""

    def __init__(self, fleet: Fleet, drains: Drains, journal: Journal, clock: Callable[[], float]):
        self._fleet = fleet
        self._drains = drains
        self._journal = journal
        self._moves = Moves(journal, drains, clock)
        self._places = threading.Semaphore(TOGETHER)
        self._under_way = 0
        self._ended: queue.SimpleQueue[Outcome] = queue.SimpleQueue()

    def members(self, target: str) -> list[str]:
        """Ids of the accepted nodes that a compound target matches."""
        return self._fleet.members(target)

    def facts(self, nodes: Iterable[str], silence: float) -> Answers:
        """Measure nodes now."""
        return self._fleet.facts(nodes, silence)

    def new_job(self) -> str:
        """An identifier for a job that is about to start."""
        return self._fleet.new_job()

    def start(
        self, node: str, step: str, stage: str, jid: str, silence: float, *, run: Mapping[str, Any]
    ) -> None:
        """Start a step: drain and restore in a thread, others on the node."""
        if step not in ("drain", "restore"):
            self._fleet.start(node, step, stage, jid, silence, run=run)
            return
        role = (self._journal.node(run["id"], node) or {})["role"]
        place = {"node": node, "role": role, "kind": self._drains.kind(role), "run": run["id"]}
        move = self._drain if step == "drain" else self._restore
        self._under_way += 1
        threading.Thread(
            target=self._work,
            args=(move, {**place, "stage": stage}, jid),
            name=f"{step} {node}",
            daemon=True,
        ).start()

    def adopt(self, node: str, step: str, stage: str, jid: str, silence: float) -> None:
        """Wait for a job that a dead engine left; its threads died with it."""
        if step not in ("drain", "restore"):
            self._fleet.adopt(node, step, stage, jid, silence)
            return
        self._under_way += 1
        reason = "DRAIN_FAILED" if step == "drain" else "RESTORE_FAILED"
        self._ended.put(Outcome(node, jid, False, reason, "interrupted: its process ended"))

    def poll(self, seconds: float) -> list[Outcome]:
        """The steps that ended; waits up to that long for the first."""
        ended = self._taken()
        if ended:
            return [*ended, *self._fleet.poll(0)]
        ended = self._fleet.poll(min(seconds, LOOK_EVERY) if self._under_way else seconds)
        return [*ended, *self._taken()]

    def announce(self, tag: str, data: dict[str, Any]) -> None:
        """Fire an event for watchers."""
        self._fleet.announce(tag, data)

    def _taken(self) -> list[Outcome]:
        ended = []
        while not self._ended.empty():
            ended.append(self._ended.get())
            self._under_way -= 1
        return ended

    def _work(self, move: Callable[[Mapping[str, str]], str], place: Mapping[str, str], jid: str) -> None:
        try:
            with self._places:
                outcome = Outcome(place["node"], jid, True, message=move(place))
        except RolloutError as error:
            outcome = Outcome(place["node"], jid, False, error.reason, error.message)
        except BaseException as error:  # a thread that dies without a word would leave its node in flight
            outcome = Outcome(place["node"], jid, False, "NODE_ERROR", f"{type(error).__name__}: {error}")
        self._ended.put(outcome)

    def _drain(self, place: Mapping[str, str]) -> str:
        return self._moves.take_away(place)

    def _restore(self, place: Mapping[str, str]) -> str:
        if self._moves.is_by_hand(place["node"]):
            return "was drained by hand and stays so: salt-run workload.restore"
        return self._moves.bring_back(place["node"])
