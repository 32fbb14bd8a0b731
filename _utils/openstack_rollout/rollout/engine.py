"""Takes nodes through the steps of a phase, some at a time, and stops starting new ones when too many failed.

The engine knows of nodes, steps and limits; what a step does on a node is the fleet's affair. Every
transition is in the journal before it happens on a node, so that another engine can go on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from openstack_rollout.declared import words
from openstack_rollout.declared.differences import Compared, Difference
from openstack_rollout.declared.policies import Policy, batch_size
from openstack_rollout.declared.rounds import Round
from openstack_rollout.errors import RolloutError, one_line
from openstack_rollout.records.journal import Journal
from openstack_rollout.rollout.fleet import Fleet, Outcome
from openstack_rollout.rollout.window import Node, Window

POLL = 1.0
DEFAULT_SILENCE = 60.0
# Left out by policy, before anything was done to the node: named at the end, no failure on the way.
LEFT_OUT = ("SERVERS_UNMOVABLE",)

# Nodes in flight, nodes waiting -> how many may be in flight together now.
Room = Callable[[Sequence[str], Sequence[str]], int]
# A node's id, what it told → what it is.
Compare = Callable[[str, Any], Compared]


@dataclass(frozen=True)
class Flight:
    """What the nodes of one pass go through: stage (its name), steps (their names, in order), window.

    room: what the cloud can spare at the moment, beside the window; None when no node is drained.
    round: the part of the stage that this pass is, None when it is all of it.
    """

    stage: str
    steps: Sequence[str]
    window: Window
    room: Room | None = None
    round: Round | None = None


class Engine:
    """Runs passes over nodes for one run.

    fleet (Fleet), journal (Journal), run (the run's record), policies (role -> Policy), compare: what a node
    is, by its id and what it told (raises RolloutError), clock (seconds).
    """

    def __init__(  # noqa: PLR0917
        self,
        fleet: Fleet,
        journal: Journal,
        run: dict[str, Any],
        policies: Mapping[str, Policy],
        compare: Compare,
        clock: Callable[[], float] = time.time,
    ):
        self._fleet = fleet
        self._journal = journal
        self._run = run
        self._policies = policies
        self._compare = compare
        self._clock = clock
        self._records = journal.nodes(run["id"])

    @property
    def records(self) -> Mapping[str, dict[str, Any]]:
        """What the run did to its nodes so far, by node id."""
        return self._records

    def role(  # noqa: PLR0917
        self,
        stage: str,
        steps: Sequence[str],
        members: Sequence[Node],
        needing: Sequence[Node],
        room: Room | None = None,
        part: Round | None = None,
    ) -> None:
        """Take one role through a stage, or a round of it: canaries one by one, a soak, then the rest by
        batch.

        members: all nodes of the role in their order, of which `batch` may be a part. needing: those to be
        taken. room, part (the round): as in Flight. Raises RolloutError when the run must pause or end;
        nodes in flight have finished by then.
        """
        if not needing:
            return
        policy = self._policies[needing[0].role]
        tried: set[str] = set()
        while True:
            trial = self._trial(stage, members, needing, policy)
            first = [node for node in needing if node.id in trial["canaries"] and node.id not in tried]
            if not first:
                break
            # A canary that is left out has proven nothing: another takes its place.
            self.fly(Flight(stage, steps, Window(1), room, part), first, tolerated=0)
            tried |= {node.id for node in first}
        if policy.soak and not trial["soaked"]:
            self._soak(stage, [node for node in members if node.id in trial["canaries"]], policy.soak)
        trial["soaked"] = True
        self._journal.save(self._run)
        window = Window(batch_size(policy.batch, len(members)), policy.per_zone)
        rest = [node for node in needing if node.id not in tried | set(trial["canaries"])]
        self.fly(Flight(stage, steps, window, room, part), rest)

    def fly(self, flight: Flight, nodes: Iterable[Node], tolerated: int | None = None) -> None:
        """Take nodes through the steps of a flight in a sliding window.

        tolerated (int): failures that this flight may have; the budget of each node's role when None.
        """
        waiting = list(nodes)
        flying: dict[str, Node] = {}
        halt: RolloutError | None = None
        for node in waiting:
            part = flight.round.name if flight.round else ""
            self._note(
                node, stage=flight.stage, part=part, step="", jid="", state="waiting", reason="", message=""
            )
        while True:
            halt = halt or self.requested()
            if halt is None:
                try:
                    admitted = _admitted(flight, waiting, flying)
                except RolloutError as error:
                    halt, admitted = error, []
                for node in admitted:
                    waiting.remove(node)
                    flying[node.id] = node
                    self._begin(flight, node, flight.steps[0], flying)
            if not flying:
                if halt:
                    raise halt
                if not waiting:
                    return
            for outcome in self._fleet.poll(POLL):
                if outcome.node not in flying:
                    continue
                node = flying[outcome.node]
                if not self._settle(flight, node, outcome, flying):
                    halt = self._over_budget(flight, node, tolerated) or halt

    def leave_out(self, node: Node, stage: str, reason: str, message: str) -> None:
        """Note a node as failed without having touched it: it did not answer, or could not be measured."""
        self._fail(node, (stage, "measure"), reason, message, {})

    def skip(self, node: Node, stage: str) -> None:
        """Note that a node is measured to be done with a stage."""
        entry = self._entry(stage, "measure", self._clock(), "skipped")
        record = self._note(
            node, stage=stage, step="", jid="", state="skipped", reason="", message="", entry=entry
        )
        self._tell(node, record, "measure", "skipped", {})

    def failures(self, role: str | None = None) -> dict[str, dict[str, Any]]:
        """The nodes (of a role) that failed in this run and were left out since."""
        return {
            node: record
            for node, record in self._records.items()
            if record["state"] == "failed" and role in (None, record["role"])
        }

    def budget_error(self, stage: str, role: str) -> RolloutError | None:
        """The reason to pause when more nodes of a role failed than its policy allows."""
        failed = _counted(self.failures(role))
        if len(failed) <= self._policies[role].max_failures:
            return None
        return _because(stage, failed, max(failed, key=lambda node: failed[node]["history"][-1]["finished"]))

    def requested(self) -> RolloutError | None:
        """What an operator asked of this run, as the error that ends it."""
        action = self._journal.requested(self._run["id"])
        if action == "pause":
            return RolloutError("PAUSED_BY_OPERATOR", f"run {self._run['id']} is paused")
        if action == "abort":
            return RolloutError("ABORTED", f"run {self._run['id']} has ended")
        return None

    def adopt(self) -> list[str]:
        """Wait for the jobs that a dead engine of this run left on nodes; returns the nodes that had one.

        How they ended is history: the nodes are measured afterwards.
        """
        flying = {name: record for name, record in self._records.items() if record["state"] == "in_flight"}
        adopted = list(flying)
        for name, record in flying.items():
            self._fleet.adopt(
                name, record["step"], record["stage"], record["jid"], self._silence(record["role"])
            )
        while flying:
            for outcome in self._fleet.poll(POLL):
                if outcome.node in flying:
                    record = flying.pop(outcome.node)
                    ended = "done" if outcome.succeeded else f"{outcome.reason}: {one_line(outcome.message)}"
                    entry = self._entry(record["stage"], record["step"], record["started"], ended)
                    self._note(_node(outcome.node, record), jid="", state="waiting", entry=entry)
        return adopted

    def retry(self) -> None:
        """Give the nodes that failed earlier in this run another chance."""
        for name, record in self.failures().items():
            self._note(_node(name, record), state="waiting", reason="", message="")

    def _begin(self, flight: Flight, node: Node, step: str, flying: Mapping[str, Node]) -> None:
        jid = self._fleet.new_job()
        record = self._note(
            node,
            stage=flight.stage,
            step=step,
            jid=jid,
            state="in_flight",
            started=self._clock(),
            reason="",
            message="",
        )
        self._tell(node, record, step, "started", flying)
        told = {**self._run, "services": flight.round.services} if flight.round else self._run
        self._fleet.start(node.id, step, flight.stage, jid, self._silence(node.role), run=told)

    def _settle(self, flight: Flight, node: Node, outcome: Outcome, flying: dict[str, Node]) -> bool:
        """Take in the end of a step and go on with the next; False when the node failed."""
        record = self._records[node.id]
        step = record["step"]
        reason, message = outcome.reason, outcome.message
        if outcome.succeeded and step == "verify":
            reason, message = self._proven(flight, node, outcome)
        if reason or not outcome.succeeded:
            del flying[node.id]
            self._fail(node, (flight.stage, step), reason or "NODE_ERROR", message, flying)
            return False
        following = flight.steps.index(step) + 1
        said = one_line(message)
        entry = {**self._entry(flight.stage, step, record["started"], "done"), "said": said}
        if following < len(flight.steps):
            record = self._note(node, entry=entry)
            self._tell(node, {**record, "message": said}, step, "succeeded", flying)
            self._begin(flight, node, flight.steps[following], flying)
        else:
            del flying[node.id]
            record = self._note(node, jid="", state="done", entry=entry)
            self._tell(node, {**record, "message": said}, step, "succeeded", flying)
        return True

    def _proven(self, flight: Flight, node: Node, outcome: Outcome) -> tuple[str, str]:
        """Why a measured node did not pass (reason, message); ("", "") when it did."""
        try:
            compared = self._compare(node.id, outcome.data)
        except RolloutError as error:
            return error.reason, error.message
        return verdict(compared, (flight.round or Round(flight.stage)).open(compared), self._run["target"])

    def _fail(
        self, node: Node, place: tuple[str, str], reason: str, message: str, flying: Mapping[str, Node]
    ) -> None:
        stage, step = place
        message = one_line(message, reason)
        began = self._clock() if step == "measure" else self._records[node.id]["started"]
        entry = self._entry(stage, step, began, f"{reason}: {message}")
        record = self._note(
            node, stage=stage, step=step, jid="", state="failed", reason=reason, message=message, entry=entry
        )
        self._tell(node, record, step, "failed", flying)

    def _over_budget(self, flight: Flight, node: Node, tolerated: int | None) -> RolloutError | None:
        if self._records[node.id]["reason"] in LEFT_OUT:
            return None
        if tolerated is None:
            return self.budget_error(flight.stage, node.role)
        failed = _counted(self.failures(node.role))
        return _because(flight.stage, failed, node.id) if len(failed) > tolerated else None

    def _trial(
        self, stage: str, members: Sequence[Node], needing: Sequence[Node], policy: Policy
    ) -> dict[str, Any]:
        """The nodes of a role that have to prove a stage before the rest may follow, and whether they soaked.

        They are chosen once a run, so that a run that goes on neither repeats nor forgets them; one that was
        left out since has a successor.
        """
        trials = self._run["stage"].setdefault(stage, {}).setdefault("trials", {})
        trial = trials.setdefault(needing[0].role, {"canaries": [], "soaked": False})
        if not trial["soaked"]:
            left_out = self.failures(needing[0].role)
            chosen = [node.id for node in members if node.id in trial["canaries"]]
            chosen += [node.id for node in needing if node.id not in chosen]
            chosen = [node for node in chosen if node not in left_out]
            trial["canaries"] = chosen[: policy.canary]
            trial["soaked"] = not trial["canaries"]
            self._journal.save(self._run)
        return trial

    def _soak(self, stage: str, canaries: Sequence[Node], seconds: float) -> None:
        """Let the canaries run for a while, then measure them once more."""
        until = self._clock() + seconds
        while self._clock() < until:
            halt = self.requested()
            if halt:
                raise halt
            self._fleet.poll(min(POLL, max(0.0, until - self._clock())))
        self.fly(Flight(stage, ("verify",), Window(len(canaries))), canaries, tolerated=0)

    def _note(self, node: Node, entry: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        record = self._records.setdefault(
            node.id,
            {
                "stage": "",
                "step": "",
                "jid": "",
                "state": "waiting",
                "reason": "",
                "message": "",
                "history": [],
            },
        )
        record.update(changes, role=node.role, zone=node.zone)
        if entry:
            record["history"].append(entry)
        self._journal.save_node(self._run["id"], node.id, record)
        return record

    def _entry(self, stage: str, step: str, started: float, outcome: str) -> dict[str, Any]:
        return {
            "stage": stage,
            "step": step,
            "started": started,
            "finished": self._clock(),
            "outcome": outcome,
        }

    def _tell(
        self, node: Node, record: Mapping[str, Any], step: str, status: str, flying: Mapping[str, Node]
    ) -> None:
        self._fleet.announce(
            f"openstack/rollout/{self._run['id']}/{record['stage']}/{node.id}/{step}",
            {
                "run": self._run["id"],
                "stage": record["stage"],
                "part": record.get("part", ""),
                "node": node.id,
                "role": node.role,
                "zone": node.zone,
                "step": step,
                "status": status,
                "reason": record["reason"],
                "message": record["message"],
                "in_flight": [other.id for other in flying.values() if other.role == node.role],
            },
        )

    def _silence(self, role: str) -> float:
        policy = self._policies.get(role)
        return policy.silence if policy else DEFAULT_SILENCE


def verdict(compared: Compared, left: Sequence[Difference], target: str) -> tuple[str, str]:
    """Why a measured node did not pass (reason, message); ("", "") when it did.

    left: what still differs of what it went through.
    """
    if compared.target != target:
        return "TARGET_CHANGED", f"the node's share wants {compared.target!r}, this run is for {target!r}"
    wrong = [*left, *compared.health]
    return ("NOT_AT_RELEASE", "; ".join(words.differences(wrong, compared))) if wrong else ("", "")


def _admitted(flight: Flight, waiting: Sequence[Node], flying: Mapping[str, Node]) -> list[Node]:
    """The nodes that may start now. Raises RolloutError when nobody can tell how many the cloud can spare."""
    window = flight.window
    if flight.room and waiting and len(flying) < window.size:
        room = flight.room(list(flying), [node.id for node in waiting])
        window = replace(window, size=min(window.size, room))
    return window.admit(waiting, flying)


def _counted(failed: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The nodes that count against a budget."""
    return {node: record for node, record in failed.items() if record["reason"] not in LEFT_OUT}


def _node(name: str, record: Mapping[str, Any]) -> Node:
    return Node(name, record["role"], record["zone"])


def _because(stage: str, failed: Mapping[str, Mapping[str, Any]], node: str) -> RolloutError:
    """The error that pauses a run after a node failed, naming the others that had failed before it."""
    record = failed[node]
    others = sorted(set(failed) - {node})
    also = f" (failed before: {', '.join(others)})" if others else ""
    message = f"{node} failed at {stage}/{record['step']}: {record['message']}{also}"
    return RolloutError(record["reason"], message, [node, *others])
