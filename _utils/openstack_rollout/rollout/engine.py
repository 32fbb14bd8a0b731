"""Takes nodes through the steps that a plan names, some at a time, and stops starting new ones when too many
failed.

The engine knows of nodes, steps and limits; what a step does on a node is the fleet's affair. Every
transition is in the journal before it happens on a node, so that another engine can go on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.rounds import Round
from openstack_rollout.errors import RolloutError, one_line
from openstack_rollout.records.durations import Durations, Place
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.planned import PlannedNode
from openstack_rollout.records.run_record import NodeRecord, NodeState, Run
from openstack_rollout.rollout import adoption, breakpoints, halting, judging
from openstack_rollout.rollout.admission import Pass, admitted
from openstack_rollout.rollout.breakpoints import Resting
from openstack_rollout.rollout.budgets import Budgets
from openstack_rollout.rollout.consent import Consents
from openstack_rollout.rollout.fleet import Context, Fleet, StepResult
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.node_log import NodeLog
from openstack_rollout.rollout.openings import ANY_TIME, Closes
from openstack_rollout.rollout.pace import Pace
from openstack_rollout.rollout.questions import unhindered
from openstack_rollout.rollout.retries import Retries, forgotten
from openstack_rollout.rollout.silencing import NoSilencing, Silencer
from openstack_rollout.rollout.time_limits import TimeLimits, patience, silence
from openstack_rollout.rollout.window import InFlight, Node, Queue, Window
from openstack_rollout.rollout.witness import Witness

_DEAF = 5.0  # seconds in which nodes are started before ends of steps, and requests, are heard again
_AFRESH = {"state": NodeState.IN_FLIGHT, "slow": 0.0, "again": 0.0}


class Engine:
    """Executes plans for one run.

    fleet (Fleet), journal (Journal), run (its record), members: its nodes, and their policies, clock,
    monotonic: as of Ports, unedited: raises RolloutError when the run is for something else than what is
    declared now; asked before each node. interrupted: as of Ports. consents: whom it asks. closed: why a node
    may not start now that takes so many seconds at a stage, None when it may. refuse_lost: raises
    RolloutError when another engine may go on. silencing: silences alerts that nodes in flight are expected
    to cause. Its `budgets` tell when too many nodes failed.
    """

    def __init__(  # noqa: PLR0917
        self,
        fleet: Fleet,
        journal: Journal,
        run: Run,
        members: Membership,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        unedited: Callable[[], None],
        interrupted: Callable[[], bool],
        consents: Consents,
        closed: Closes,
        refuse_lost: Callable[[], None],
        silencing: Silencer | None = None,
    ):
        self._fleet = fleet
        self._journal = journal
        self._run = run
        self._policies = members.policies
        self._compare = members.compare
        self._clock = clock
        self._monotonic = monotonic
        self._unedited = unedited
        self._interrupted = interrupted
        self.consents = consents
        self._resting = Resting(consents)
        self._left_out: set[str] = set()
        self._closed = closed
        self._refuse_lost = refuse_lost
        self._silencing = silencing or NoSilencing()
        witness = Witness.of(run.id, monotonic)
        self._log = NodeLog(fleet, journal, run, clock, self._silencing.noted, witness)
        self.budgets = Budgets(members, self._log)
        self._pace = Pace(Durations(journal), self._log)
        self._limits = TimeLimits(fleet, members.policies, monotonic)  # of the pass
        self._retries = Retries(members.policies, self._log, clock, monotonic)
        self._boots: dict[str, str] = {}
        self._agents: dict[str, Mapping[str, Mapping[str, str]]] = {}

    @property
    def records(self) -> Mapping[str, NodeRecord]:
        """What the run did to its nodes so far, by node id."""
        return self._log.records

    def through(
        self, pass_: Pass, role: str, nodes: Iterable[PlannedNode], tolerated: int | None = None
    ) -> None:
        """Take nodes of a role through the steps that are planned for each.

        pass_: what they go through together. tolerated (int): how many of the role may fail; as its policy
        says when None. Raises RolloutError when the run must pause or end; nodes in flight have finished by
        then.
        """
        self._go(pass_, [(Node(node.id, role, node.zone), node.steps) for node in nodes], tolerated)

    def know(self, measured: Mapping[str, Compared]) -> None:
        """Remember what nodes are, and their boots: a step that fails in another one was cut off."""
        self._log.know(measured)
        self._boots.update({node: one.boot_id for node, one in measured.items()})
        self._agents.update({node: one.agents for node, one in measured.items()})

    def conclude(self, measured: Mapping[str, Compared]) -> None:
        """Write down what nodes are at the end of the run. Raises RolloutError JOURNAL_FAILED."""
        self._log.know(measured)
        self._log.conclude()

    def take(self, stage: str, step: str, nodes: Iterable[Node], together: int, failures: int | None) -> None:
        """Take nodes through one step, outside of the plan of a stage: prefetch, or restore.

        together (int): how many at once. failures (int): how many of them may fail; the budget of each
        node's role when None. Raises RolloutError as through.
        """
        self._go(Pass(Round(stage), Window(together)), [(node, (step,)) for node in nodes], failures)

    def leave_out(self, node: Node, stage: str, reason: str, message: str) -> None:
        """Note a node as failed without having touched it: it did not answer, or could not be measured."""
        self._log.fail(node, Round(stage), "measure", reason, message, InFlight())

    def skip(self, node: Node, stage: str) -> None:
        """Note that a node is measured to be done with a stage."""
        self._log.skip(node, stage)

    def idle(self, seconds: float) -> None:
        """Let some time pass, in which nothing is under way."""
        self._fleet.poll(seconds)

    def requested(self) -> RolloutError | None:
        """What an operator asked of this run, as the error that ends it. Raises RolloutError LOCK_LOST."""
        self._refuse_lost()
        halt = halting.requested(self._journal, self._run)
        return halt or (halting.interrupted(self._run) if self._interrupted() else None)

    def usual(self, place: Place) -> float | None:
        """Seconds that a step takes as a rule, by what was seen until now; None if unknown."""
        return self._pace.usual(place)

    def why_closed(self, round_: Round, node: Node, steps: Sequence[str]) -> RolloutError | None:
        """Why a node may not start: it would not end before its window closes, as far as is known."""
        if ANY_TIME.issuperset(steps):
            return None
        seconds = partial(self._pace.at_most, node, round_.stage, round_.name, steps)
        return self._closed(node, round_.stage, seconds)

    def is_in_flight(self, node: str) -> bool:
        """Whether a step of this run is under way on a node, as far as anybody knows."""
        return bool(adoption.under_way({node: self._log.records[node]} if node in self._log.records else {}))

    def adopt(self, leaving: bool = False) -> list[str]:
        """Wait for the jobs that an engine of this run left on nodes; returns the nodes that had one.

        leaving: not to wait long for what runs on a node. How they ended is history: the nodes are measured
        afterwards. Raises RolloutError when an operator asks the run to stop meanwhile.
        """
        limits = TimeLimits(self._fleet, self._policies, self._monotonic)
        with self._silencing.resumed(self._log):
            return adoption.adopt(self._fleet, self._log, limits, self._policies, self.requested, leaving)

    def _go(
        self, pass_: Pass, nodes: Sequence[tuple[Node, tuple[str, ...]]], tolerated: int | None = None
    ) -> None:
        """Take nodes through their steps in a sliding window.

        tolerated (int): failures that this pass may have; the budget of each node's role when None.
        """
        with self._silencing.kept(self._log), self._pace.kept():
            self._slide(pass_, nodes, tolerated)

    def _slide(
        self, pass_: Pass, nodes: Sequence[tuple[Node, tuple[str, ...]]], tolerated: int | None
    ) -> None:
        steps = {node.id: some for node, some in nodes}
        waiting = Queue(node for node, _ in nodes)
        in_flight = InFlight()
        halt: RolloutError | None = None
        for node in waiting:
            where = {"stage": pass_.round_.stage, "round": pass_.round_.name}
            self._log.note(node, None, **where, step="", jid="", state=NodeState.WAITING)
        limits = self._limits = TimeLimits(self._fleet, self._policies, self._monotonic)
        while True:
            self._silencing.look(self._log)
            asked = self._asked()
            if halting.is_lost(asked):
                raise halting.left(asked, in_flight)
            halt = halt or asked
            try:
                if halting.is_request(asked):
                    self._retries.leave(in_flight)
                self._go_on(pass_, waiting, in_flight, steps, halt)
                self._pace.look(in_flight, self._log.records, limits.now)
            except RolloutError as error:
                halt = halt or error
            if not in_flight:
                if halt:
                    raise halt
                if not waiting:
                    return
            if halt and all(breakpoints.rests(self._log.records[name]) for name in in_flight):
                raise halting.left(halt, in_flight, "resting at a breakpoint")
            limits.look()
            if halting.is_request(asked) and limits.stop():
                raise halting.left(asked, in_flight)
            for result in limits.taken(in_flight, self._log.records):
                halt = self._ended(pass_, steps[result.node], result, in_flight, tolerated, halt)

    def _go_on(
        self,
        pass_: Pass,
        waiting: Queue,
        in_flight: InFlight,
        steps: dict[str, tuple[str, ...]],
        halt: RolloutError | None,
    ) -> None:
        """Take steps again that are due, and have nodes go on and begin where nothing halts the run."""
        for node in self._retries.due():
            self._begin(pass_, node, steps[node.id], self._log.records[node.id].step, in_flight)
        if halt is None:
            self._release(pass_, waiting, in_flight, steps)
            self._admit(pass_, waiting, in_flight, steps)

    def _ended(  # noqa: PLR0917
        self,
        pass_: Pass,
        steps: Sequence[str],
        result: StepResult,
        in_flight: InFlight,
        tolerated: int | None,
        halt: RolloutError | None,
    ) -> RolloutError | None:
        """Take in the end of a step; returns why no other node starts, halt where that did not change."""
        node = in_flight[result.node]
        try:
            if self._limits.was_stopped(result):
                del in_flight[node.id]
                self._log.note(node, jid="", state=NodeState.WAITING)
                return halt
            if result.succeeded:
                took = self._limits.took(result.jid)
                self._pace.ended(node.id, self._log.records[node.id], took, result.idle)
            if self._take_in(pass_, node, steps, result, in_flight):
                return halt
            return self.budgets.after(pass_.round_.stage, node.id, tolerated) or halt
        except RolloutError as error:  # of the journal: its other steps are not begun any more
            in_flight.pop(node.id, None)
            return halt or error

    def _release(
        self,
        pass_: Pass,
        waiting: Queue,
        in_flight: InFlight,
        steps: dict[str, tuple[str, ...]],
    ) -> None:
        """Let nodes go on that rest no more, and leave those out that an operator does not want to go."""
        skipped = self._journal.skipped(self._run.id)
        for node in waiting.of(skipped):
            if steps[node.id] == ("restore",):
                self._left_out.add(node.id)  # once its workloads are back
            else:
                waiting.remove(node)
                self._leave_out(pass_, node, in_flight)
        for node in self._resting.released(in_flight, pass_.round_, self.records, skipped):
            if node.id in skipped:
                self._left_out.add(node.id)
                steps[node.id] = breakpoints.cut(steps[node.id], self.records[node.id].step)
            self._take_in(pass_, node, steps[node.id], StepResult(node.id, "", True), in_flight)

    def _leave_out(self, pass_: Pass, node: Node, in_flight: InFlight) -> None:
        why = f"an operator left it out of run {self._run.id}"
        self._log.fail(node, pass_.round_, "measure", judging.BY_OPERATOR, why, in_flight)

    def _asked(self) -> RolloutError | None:
        """What an operator asked; why that cannot be read, without a request."""
        try:
            return self.requested()
        except RolloutError as error:
            return error

    def _admit(
        self,
        pass_: Pass,
        waiting: Queue,
        in_flight: InFlight,
        steps: Mapping[str, tuple[str, ...]],
    ) -> None:
        """Start the nodes that may start now. Raises RolloutError: those that were started stay in flight."""
        if not waiting or len(in_flight) >= pass_.window.size:
            return
        if pass_.capacity or pass_.apart:
            there = dict(in_flight)  # once it is asked for no more, nobody starts: what waits stays as it is
            next_ = unhindered(lambda: admitted(pass_, waiting, there), self._asked)
        else:
            next_ = admitted(pass_, waiting, in_flight)
        began = self._monotonic()
        for node in next_:
            if why := self.why_closed(pass_.round_, node, steps[node.id]):
                raise why
            if steps[node.id] != ("restore",):
                self._unedited()  # before its workloads leave, not only when it is to change
            waiting.remove(node)
            in_flight[node.id] = node
            self._begin(pass_, node, steps[node.id], steps[node.id][0], in_flight)
            if self._monotonic() - began > _DEAF:
                return

    def _begin(self, pass_: Pass, node: Node, steps: Sequence[str], step: str, in_flight: InFlight) -> None:
        jid, run, round_ = self._fleet.new_job(), self._run, pass_.round_
        where: dict[str, Any] = {"stage": round_.stage, "round": round_.name, "step": step, "jid": jid}
        try:
            record = self._log.note(node, None, **where, **_AFRESH, started=self._clock())
        except RolloutError:
            in_flight.pop(node.id)  # what the journal does not have is not started
            raise
        self._log.announce(node, record, step, "started", in_flight)
        if breakpoints.is_break(step):
            self._resting.rest(node, round_, steps, step)
            return
        self._limits.begun(node.id, record)
        self._pace.begun(node.id, jid, self._limits.now)
        services = round_.services if round_.name else None
        boot = self._boots.get(node.id, "")
        told = self._agents.get(node.id, {}).get(round_.stage, {})
        agents = [agent for name, agent in told.items() if services is None or name in services]
        context = Context(
            *(run.id, run.target, tuple(run.stages), services, False, run.content, boot),
            agents=tuple(sorted(set(agents))),
            patience=patience(self._policies, node.role, step),
            rollback=run.rollback,
            moved=record.was_moved,
        )
        self._fleet.start(
            node.id, step, round_.stage, jid, silence(self._policies, node.role), context=context
        )

    def _take_in(
        self,
        pass_: Pass,
        node: Node,
        steps: Sequence[str],
        result: StepResult,
        in_flight: InFlight,
    ) -> bool:
        """Take in the end of a step and go on with the next; False when the node failed."""
        record = self._log.records[node.id]
        step, round_ = record.step, pass_.round_
        reason, message = result.reason, result.message
        if result.succeeded and step == "verify":
            reason, message = self._proven(round_, node, result)
        if not result.succeeded:
            why = reason or "NODE_ERROR"
            failed = f"{why}: {one_line(message, reason)}"
            ended = self._log.ended(round_.stage, round_.name, step, record.started, failed, why)
            if self._retries.takes(node, result, ended, in_flight):
                return True
        if reason or not result.succeeded:
            del in_flight[node.id]
            self._log.fail(node, round_, step, reason or "NODE_ERROR", message, in_flight)
            return False
        if step == "reboot":
            self._boots.pop(node.id, None)
        ended = self._log.ended(round_.stage, round_.name, step, record.started, "done")
        ended.said = one_line(message)
        tries = forgotten(record)
        following = steps.index(step) + 1
        if following < len(steps):
            record = self._log.note(node, ended, tries=tries)
            self._log.tell(node, record, step, "succeeded", record.reason, ended.said, in_flight)
            self._begin(pass_, node, steps, steps[following], in_flight)
        else:
            del in_flight[node.id]
            record = self._log.note(node, ended, jid="", tries=tries, state=NodeState.DONE)
            self._log.tell(node, record, step, "succeeded", record.reason, ended.said, in_flight)
            if node.id in self._left_out:
                self._leave_out(pass_, node, in_flight)
            self._pace.left(node)
        return True

    def _proven(self, round_: Round, node: Node, result: StepResult) -> tuple[str, str]:
        """Why a measured node did not pass (reason, message); ("", "") when it did."""
        try:
            compared = self._compare(node.id, result.data)
            self._boots[node.id] = compared.boot_id
            self._log.know({node.id: compared})
            asked = self._monotonic() - self._limits.took(result.jid)
            self._log.witness.told(node.id, compared, asked)
        except RolloutError as error:
            return error.reason, error.message
        return judging.verdict(compared, round_.open(compared), self._run.target)
