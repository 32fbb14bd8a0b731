"""The steps that the master takes itself, in threads of the engine's process: drain, minion, reboot,
heartbeat, restore. All others are passed on to the nodes.

The threads are daemons: an engine that is interrupted ends at once, as one that was killed, and what its
threads had written into the records is what the next one goes on from.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from openstack_rollout.drains.kinds import SEVERAL, Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.drain_record import DrainRecord, DrainState
from openstack_rollout.records.journal import Journal
from openstack_rollout.rollout.drain_steps import DrainSteps
from openstack_rollout.rollout.fleet import (
    Answers,
    Context,
    Fleet,
    Halted,
    NothingDue,
    StepResult,
    never,
)
from openstack_rollout.rollout.reboots import Reboots

#: A node, a stage (any of them when left out) → its roles.
RolesOf = Callable[..., Sequence[str]]
SYSTEM = "system"  # the stage that may reboot nodes
TOGETHER = 16  # threads that work at a time; more nodes than that wait for one
LOOK_EVERY = 0.5
_INTERRUPTED = {"drain": "DRAIN_FAILED", "restore": "RESTORE_FAILED", "heartbeat": "SERVICE_FAILED"}


class _AsItWas(RolloutError):
    """A step failed on its node, and nothing else explains it. result: how it ended."""

    def __init__(self, result: StepResult):
        super().__init__(result.reason or "NODE_ERROR", result.message)
        self.result = result


class MasterSteps:
    """Implements fleet.Fleet over another fleet. drains (Drains), reboots (Reboots), journal (Journal), clock
    (seconds), roles: those of a node, of those that go through a stage. idle: waits until a node may
    be rebooted for what works there beside its own services. live: the threads by node, of all that
    one process makes of these. agents: waits until agents of a node tell of themselves, for some seconds.
    """

    def __init__(  # noqa: PLR0917
        self,
        fleet: Fleet,
        drains: Drains,
        reboots: Reboots,
        journal: Journal,
        clock: Callable[[], float],
        roles: RolesOf,
        idle: Callable[[str], None] = lambda _: None,
        live: dict[str, threading.Thread] | None = None,
        agents: Callable[[str, Sequence[str], float], str] = lambda *_: "",
    ):
        self._live = {} if live is None else live
        self._fleet = fleet
        self._roles = roles
        self._idle = idle
        self._reboots = reboots
        self._here = {
            "drain": self._drain,
            "minion": self._minion,
            "reboot": self._reboot,
            "restore": self._restore,
            "heartbeat": self._wait_for_agents,
        }
        self._agents = agents
        self._restarted: dict[str, tuple[Sequence[str], float]] = {}  # node → its agents, seconds
        self._drains = drains
        self._journal = journal
        self._drain_steps = DrainSteps(journal, drains, clock)
        self._places = threading.Semaphore(TOGETHER)
        self._listeners = threading.Semaphore(TOGETHER)  # a heartbeat's time does not pass behind drains
        self._under_way = 0
        self._boots: dict[str, tuple[str, float]] = {}  # job → in which boot it began, its node's silence
        self._ended: queue.SimpleQueue[StepResult] = queue.SimpleQueue()

    def members(self, target: str) -> list[str]:
        """Ids of the accepted nodes that a compound target matches."""
        return self._fleet.members(target)

    def unread(self, target: str, nodes: Iterable[str]) -> list[str]:
        """Those of some nodes of which the master does not know what a compound target asks for."""
        return self._fleet.unread(target, nodes)

    def keys(self) -> Mapping[str, str]:
        """The keys that are not accepted."""
        return self._fleet.keys()

    def facts(self, silences: Mapping[str, float], refresh: bool = False, halted: Halted = never) -> Answers:
        """Measure nodes now."""
        return self._fleet.facts(silences, refresh, halted)

    def new_job(self) -> str:
        """An identifier for a job that is about to start."""
        return self._fleet.new_job()

    def start(self, node: str, step: str, stage: str, jid: str, silence: float, *, context: Context) -> None:
        """Start a step: those that wait for the node, or for the cloud, in a thread; others on the node."""
        if step not in self._here:
            if self._is_drained(node):
                context = replace(context, drained=True)
            self._boots[jid] = context.boot_id, silence
            self._fleet.start(node, step, stage, jid, silence, context=context)
            return
        record = self._journal.node(context.run, node)
        role = record.role if record else ""
        self._restarted[node] = context.agents, context.patience
        places = self._listeners if step == "heartbeat" else self._places
        self._in_thread(self._here[step], DrainRecord(node, role, "", context.run, stage), jid, places)

    def adopt(self, node: str, step: str, stage: str, jid: str, silence: float) -> None:
        """Wait for a job that a dead engine left; its threads died with it, what they waited for goes on."""
        if step not in self._here:
            self._fleet.adopt(node, step, stage, jid, silence)
        elif step in ("minion", "reboot"):
            waits = self._minion if step == "minion" else self._wait_for_boot
            self._in_thread(waits, DrainRecord(node, "", "", "", stage), jid)
        elif node in self._live:
            self._in_thread(_joined(self._live[node], step), DrainRecord(node, "", "", "", stage), jid)
        else:
            self._under_way += 1
            outcome = StepResult(node, jid, False, _INTERRUPTED[step], "interrupted: its process ended")
            self._ended.put(outcome)

    def end(self, node: str, step: str, jid: str) -> None:
        """End a step on its node. A thread cannot be ended: nobody waits for it any more."""
        if step not in self._here:
            self._fleet.end(node, step, jid)
            return
        self._under_way += 1
        self._ended.put(StepResult(node, jid, False, "STEP_TIMEOUT", "nobody waits for it any more"))

    def poll(self, seconds: float) -> list[StepResult]:
        """The steps that ended; waits up to that long for the first."""
        ended = self._taken()
        wait = 0 if ended else min(seconds, LOOK_EVERY) if self._under_way else seconds
        return [*ended, *self._looked_into(self._fleet.poll(wait)), *self._taken()]

    def announce(self, tag: str, data: dict[str, Any]) -> None:
        """Fire an event for watchers."""
        self._fleet.announce(tag, data)

    def _looked_into(self, ended: Iterable[StepResult]) -> Iterator[StepResult]:
        """The ends as they are; that of a node that may have been rebooted comes when that is known."""
        for result in ended:
            boot_id, silence = self._boots.pop(result.jid, ("", 0.0))
            if result.succeeded or not boot_id or result.reason == "NODE_SILENT":
                yield result
            else:
                place = DrainRecord(result.node, "", "", "", "")
                self._in_thread(self._cause(result, boot_id, silence), place, result.jid)

    def _cause(self, failed: StepResult, boot_id: str, silence: float) -> Callable[[DrainRecord], str]:
        def cause(place: DrainRecord) -> str:
            if not self._reboots.rebooted_since(place.node, boot_id, silence):
                raise _AsItWas(failed)
            was = f"{failed.reason}: {failed.message}"
            raise RolloutError("NODE_REBOOTED", f"somebody rebooted it in the middle of the step ({was})")

        return cause

    def _taken(self) -> list[StepResult]:
        ended = []
        while not self._ended.empty():
            ended.append(self._ended.get())
            self._under_way -= 1
        return ended

    def _in_thread(
        self,
        move: Callable[[DrainRecord], str],
        place: DrainRecord,
        jid: str,
        places: threading.Semaphore | None = None,
    ) -> None:
        self._under_way += 1
        name, work = f"{move.__name__} {place.node}", (move, place, jid, places or self._places)
        thread = threading.Thread(target=self._work, args=work, name=name, daemon=True)
        self._live[place.node] = thread
        thread.start()

    def _work(
        self,
        move: Callable[[DrainRecord], str],
        place: DrainRecord,
        jid: str,
        places: threading.Semaphore,
    ) -> None:
        try:
            with places:
                said = move(place)
                idle = isinstance(said, NothingDue)
                outcome = StepResult(place.node, jid, True, message=str(said), idle=idle)
        except _AsItWas as error:
            outcome = error.result
        except RolloutError as error:
            outcome = StepResult(place.node, jid, False, error.reason, error.message)
        except BaseException as error:  # a thread that dies without a word would leave its node in flight
            outcome = StepResult(place.node, jid, False, "NODE_ERROR", f"{type(error).__name__}: {error}")
        self._ended.put(outcome)

    def _drain(self, place: DrainRecord) -> str:
        # Nothing can be moved away from a node that died since its stage began, or be updated there.
        self._reboots.refuse_silent(place.node)
        if place.stage == SYSTEM and self._reboots.wanted != "never":
            self._reboots.refuse_unready(place.node)
        kind, role = self._drains.of_node(self._roles(place.node, place.stage), place.stage)
        return self._drain_steps.drain(replace(place, kind=kind, role=role))

    def _minion(self, place: DrainRecord) -> str:
        return self._reboots.minion(place.node)

    def _reboot(self, place: DrainRecord) -> str:
        record = self._journal.drained(place.node)
        drained = self._is_drained(place.node)
        taken = record.kind.split(SEVERAL) if record and drained else ()
        self._idle(place.node)
        return self._reboots.reboot(place.node, place.role, drained, taken)

    def _is_drained(self, node: str) -> bool:
        record = self._journal.drained(node)
        return (
            record is not None
            and record.state is DrainState.DRAINED
            and self._drains.covers(record.kind, self._roles(node))
        )

    def _wait_for_boot(self, place: DrainRecord) -> str:
        self._reboots.wait_for_boot(place.node)
        return "is there; what it needs is measured again"

    def _wait_for_agents(self, place: DrainRecord) -> str:
        return self._agents(place.node, *self._restarted[place.node])

    def _restore(self, place: DrainRecord) -> str:
        if self._drain_steps.is_by_hand(place.node):
            return "was drained by hand and stays so: salt-run workload.restore"
        return self._drain_steps.restore(place.node)


def _joined(thread: threading.Thread, step: str) -> Callable[[DrainRecord], str]:
    """Waits for a thread of this process that moves a node's workloads; how it ended is history."""

    def joined(_: DrainRecord) -> str:
        thread.join()
        raise RolloutError(_INTERRUPTED[step], "interrupted on request")

    return joined
