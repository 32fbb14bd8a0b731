"""The life of a run: begin, its stages, finish. Decides what is touched at all; the engine decides when.

Every part measures before it acts and refuses in one clear line. What it raises has been written down as the
run's state before, so that the next begin goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from openstack_rollout.declared import releases, words
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.rounds import Round
from openstack_rollout.errors import RolloutError, one_line
from openstack_rollout.records.lock import me
from openstack_rollout.records.run_record import Called, Run, RunState, StageRecord, StageState
from openstack_rollout.rollout import (
    addresses,
    asking,
    backup,
    control,
    former,
    gone,
    halting,
    heartbeats,
    history,
    in_force,
    occupancy,
    plan,
    preconditions,
    preflight,
    procedure,
    quarantine,
    restoration,
    run_log,
    tags,
)
from openstack_rollout.rollout import limit as limits
from openstack_rollout.rollout.admission import due_now
from openstack_rollout.rollout.asking import Given
from openstack_rollout.rollout.ending import Ending
from openstack_rollout.rollout.engine import Engine
from openstack_rollout.rollout.engines import Engines
from openstack_rollout.rollout.fleet import Halted
from openstack_rollout.rollout.limit import NO_LIMIT, Limit
from openstack_rollout.rollout.membership import Measured, Membership
from openstack_rollout.rollout.plan import Planner
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.rollout.questions import unhindered
from openstack_rollout.rollout.run_log import RunLog
from openstack_rollout.rollout.situation import Situation
from openstack_rollout.rollout.stage_walk import StageWalk
from openstack_rollout.rollout.stops import Stops
from openstack_rollout.rollout.trying_out import is_updated, try_out
from openstack_rollout.rollout.witness import Witness
from openstack_rollout.vocabulary import PREFETCH, STAGES, in_order

UPDATE = "orch.update"
SYSTEM = "system"


class Rollout:
    """Begins, goes through and finishes runs."""

    def __init__(self, ports: Ports):
        self._ports = ports
        self._fleet = ports.fleet
        self._journal = ports.journal
        self._lock = ports.lock
        self._pillar = partial(tags.declared, ports)
        self._clock = ports.clock
        self._monotonic = ports.monotonic
        self._log = RunLog(ports.journal, ports.fleet, ports.clock)
        self._engines = Engines(ports)
        self._ending = Ending(ports, self._engines, self._log)

    def begin(  # noqa: PLR0915
        self, orchestration: str = UPDATE, stages: Iterable[str] = STAGES, given: Given = asking.NOTHING
    ) -> Run:
        """Check everything, open a run (or go on with the unfinished one), prefetch on every node.

        given: what an operator gave with the command. Returns the run's record. Raises RolloutError; a
        refusal opens no run and touches nothing.
        """
        stages = list(stages)
        accepted = dict.fromkeys(given.accept or (), called := Called(self._ports.caller(), self._clock()))
        self._lock.acquire()
        try:
            unfinished = self._journal.unfinished()
            preconditions.refuse_beside(unfinished, orchestration, stages)
            asked = asking.of_run(given, asking.going_on(unfinished, orchestration))
            if unfinished:  # what an operator asks from now on is meant for this engine
                self._lock.assign(unfinished.id)
                self._journal.clear_request(unfinished.id)
        except BaseException:
            self._lock.release()
            raise
        taken: Run | None = None  # what is refused before that is no end of the run that would go on
        try:
            in_force.settle(self._journal)  # where an engine died between that and its last word
            model, digests = tags.for_run(self._ports, unfinished, orchestration, stages)
            preconditions.refuse_rolled_back(model, unfinished, orchestration)
            preconditions.refuse_changed_target(unfinished, target := releases.wanted(model, stages))
            members = Membership.of(model, self._fleet)
            limit = asking.meant(asked, members, self._fleet, stages)
            missing = gone.for_run(self._journal, unfinished, members, self._fleet)
            if unfinished is not None:  # also while it waits for what a dead engine left on nodes
                self._ports.audit.begin(unfinished, model.audit)
            taken = unfinished
            taken = unfinished = self._take_over(unfinished, orchestration, model, members)
            halted = self._halted(unfinished)
            follows = SYSTEM in stages or releases.wants_newest(model, target)
            witness = Witness(self._monotonic)
            measured = witness.measure(members, self._fleet, members.ids, halted, refresh=follows)
            if unfinished is not None:
                accepted = unfinished.accepted = {**accepted, **unfinished.accepted}
            drains = self._engines.drains(model)
            of = model, members, measured, stages, self._ports, drains, unfinished, halted
            now = Situation(*of, touch=True, limit=limit)
            found, measured = preflight.require(now, accepted), now.measured
        except RolloutError as error:
            self._ending.end(taken, error)
        except BaseException:
            self._lock.release()
            raise
        asked = limit.noted(asked)
        # Before the run is there: what is not recorded yet is taken anew by whoever begins one.
        self._journal.record_tags(digests)
        run = unfinished or self._journal.create(target, orchestration, stages, me(), asked, accepted)
        in_force.lapse(model, self._journal)
        with self._ending.of(run):
            history.prune(self._journal, model, self._clock())
            run.begin(called)
            witness.becomes(run.id)
            run.gone, run.asked, run.conditions, run.tags = missing, asked, found.told, digests
            content = {stage: model.content[stage] for stage in stages}
            if run.content not in ({}, content):
                self._journal.forget_confirmed(run.id)  # it was a yes to something else
            run.content = content
            run.addresses = addresses.known(run.addresses, measured.nodes, model.ignore_addresses)
            self._ports.audit.begin(run, model.audit)
            self._open(run, model, members, measured, limit)
        return run

    def stage(self, stage: str, given: Given = asking.NOTHING) -> dict[str, Any]:
        """Bring every role through one stage, in the open run of this process or in a run of its own.

        given: as for begin, of a run of its own. Returns {"run", "stage", "state", "counts"}. Raises
        RolloutError.
        """
        if stage not in STAGES:
            raise RolloutError("WRONG_ARGUMENT", f"{stage} is not a stage, give one of {', '.join(STAGES)}")
        if run := self._own():
            with self._ending.of(run):
                return self._stage(run, stage)
        run = self.begin(f"orch.{stage}", [stage], given)
        with self._ending.of(run):
            summary = self._stage(run, stage)
        self.finish()
        return summary

    def finish(self) -> dict[str, Any]:
        """Measure everything once more and close the run of this process.

        Returns {"run", "state"}, and "limit" of a run that has one; raises RolloutError when something that
        it may touch is not at the target.
        """
        if not (run := self._own()):
            raise RolloutError("NO_RUN", "this process has begun no run that could be finished")
        with self._ending.of(run):
            self._close(run)
        return control.outcome(run)

    def restore_drained(self) -> list[str]:
        """Restore what a run left drained that was ended without an engine; returns the nodes that still are.

        Raises RolloutError RUN_IN_PROGRESS.
        """
        self._lock.acquire()
        try:
            last = self._journal.latest()
            if last is not None:
                self._journal.clear_request(last.id)
                self._ending.restore_drained(last)
        finally:
            self._lock.release()
        return list(restoration.drained_by_runs(self._journal))

    def _own(self) -> Run | None:
        """The open run of this process. Raises RolloutError LOCK_LOST: no reason to open another one."""
        self._lock.refuse_lost()
        owner = self._lock.mine()
        return self._journal.run(owner["run"]) if owner and owner["run"] else None

    def _take_over(
        self, unfinished: Run | None, orchestration: str, model: Model, members: Membership
    ) -> Run | None:
        """Wait for what a dead engine left on nodes; returns the run to go on with.

        One of more stages closes the unfinished run, and opens its own. A run that was aborted after its
        engine died may have left jobs, too.
        """
        last = unfinished or self._journal.latest()
        if last is None:
            return None
        engine = self._engines.of(last, model, members)
        if unfinished is None:
            self._journal.clear_request(last.id)  # it was meant for the engine that died
            engine.adopt()
            return None
        paused_for = unfinished.reason
        unfinished.state, unfinished.reason, unfinished.message = RunState.RUNNING, "", ""
        unfinished.questions = {}
        unfinished.owner = me()
        self._journal.save(unfinished)
        engine.adopt()
        goes_on = asking.going_on(unfinished, orchestration) is not None
        if goes_on:
            engine.budgets.retry(paused_for)
            # A stage that was skipped by an old measurement has to be measured again.
            unfinished.stage = {
                name: record
                for name, record in unfinished.stage.items()
                if record.state is not StageState.SKIPPED
            }
        else:
            unfinished.state, unfinished.reason = RunState.ABORTED, "ABORTED"
            unfinished.message = f"{orchestration} took its place"
        self._journal.save(unfinished)
        return unfinished if goes_on else None

    def _open(self, run: Run, model: Model, members: Membership, measured: Measured, limit: Limit) -> None:
        self._lock.assign(run.id)
        self._log.announce(run, "-", "-", "run", "started")
        engine = self._engines.of(run, model, members)
        engine.know(measured.nodes)
        for node, (reason, message) in limit.inside(measured).failures.items():
            engine.leave_out(members.node(node), PREFETCH, reason, message)
        engine.budgets.set_aside()
        failed = engine.budgets.failures()
        nodes = {node: one for node, one in measured.nodes.items() if node not in failed}
        drains = self._engines.drains(model)
        own = limit.inside(Measured(nodes, measured.failures))
        again = preconditions.to_drain(members, own.nodes, run.stages, drains)
        keep = {*failed, *(node for some in again.values() for node in some)}
        if model.policies.speak_to_openstack:
            heartbeats.ask_again(engine, members, own.nodes)
        concerned = restoration.concerned(self._journal, run, limit)
        drained = concerned.inside(Measured(nodes, measured.failures))
        restoration.restore(engine, self._journal, members, drained, keep)
        former.remember(self._journal, run, engine.records, own.nodes, run.stages)
        breaks = run.asked.resting or {}
        run.plan = unhindered(
            lambda: plan.of_run(model, members, nodes, drains, run.stages, limit, breaks), engine.requested
        )
        run.planned = self._clock()
        self._journal.save(run)
        backup.before(self._ports, run, model, members, engine, run.plan.stages, later=True)
        if not run.plan.prefetch:
            self._log.skipped(run, own.nodes)
            for name in in_order(own.nodes):
                engine.skip(members.node(name), run.stages[-1])
            return
        roles = {node: members.node(node).role for node in run.plan.prefetch}
        self._log.expect(run, roles, self._engines.openings(model))
        self._log.mark(run, PREFETCH, StageState.RUNNING, self._clock())
        for step in procedure.steps(PREFETCH):
            closed = partial(engine.why_closed, Round(PREFETCH), steps=(step,))
            needing = due_now(map(members.node, run.plan.prefetch), step, engine.records, closed)
            engine.take(PREFETCH, step, needing, run.plan.prefetch_together, failures=None)
        self._log.mark(
            run, PREFETCH, StageState.DONE, counts=run_log.counts(engine.records, run.plan.prefetch)
        )

    def _stage(self, run: Run, stage: str) -> dict[str, Any]:
        before = run.stage.get(stage)
        if before is not None and before.state is StageState.SKIPPED:
            return run_log.summary(run, stage)
        model = self._pillar()
        preconditions.refuse_changed_target(run, releases.wanted(model, run.stages))
        preconditions.refuse_edited(run, model.content)
        members = Membership.of(model, self._fleet)
        engine = self._engines.of(run, model, members)
        halt = engine.requested()
        if halt:
            raise halt
        excluded = engine.budgets.failures()
        asked = [name for name in members.ids if name not in excluded]
        measured = Witness.of(run.id, self._monotonic).measure(members, self._fleet, asked, engine.requested)
        found = measured.nodes
        engine.know(found)
        limit = limits.of(run.asked, members, self._fleet)
        own, seen = limit.inside(measured), limit.closed(measured).nodes
        for name, (reason, message) in own.failures.items():
            engine.leave_out(members.node(name), stage, reason, message)
        self._refuse_over_budget(engine, stage, members)
        if limit is NO_LIMIT or run.rollback:
            preconditions.refuse_out_of_order(stage, found, back=bool(run.rollback))
        if not run.rollback:
            limits.refuse_out_of_order(members, limit, measured, [stage])
        former.remember(self._journal, run, engine.records, own.nodes, [stage])
        was_done = before is not None and before.state is StageState.DONE
        earlier = replace(before) if before is not None else StageRecord()
        self._log.mark(run, stage, StageState.RUNNING, earlier.started or self._clock())
        self._log.stage_started(run, stage, self._engines.openings(model).opening, engine.records)
        drains = self._engines.drains(model)
        unhindered(lambda: preconditions.refuse_undrainable(members, seen, [stage], drains), engine.requested)
        occupancy.refuse(model, members, seen, [stage], drains)
        planner = Planner(model, members, found, drains, run.target, limit, run.asked.resting or {})
        trials, failed = run.of_stage(stage).trials, engine.budgets.failures()
        planned = unhindered(lambda: planner.stage(stage, trials, failed), engine.requested)
        self._log.changed(run, planned)
        for node in planned.done:
            engine.skip(members.node(node), stage)
        tell = self._log.waiting(run, stage)
        backup.before(self._ports, run, model, members, engine, [planned])
        walk = StageWalk(self._ports, model, members, seen, drains, planner, engine, run, tell)
        touched = walk.through(planned)
        taking_part = [name for name, one in own.nodes.items() if stage in one.stages]
        if was_done and not touched:
            # Measured again after a pause: what the stage did, and how long it took, was before.
            run.stage[stage] = earlier
            self._journal.save(run)
        else:
            self._log.mark(run, stage, StageState.DONE, counts=run_log.counts(engine.records, taking_part))
        self._log.announce(run, stage, "-", "stage", "succeeded")
        Stops(run, members).after(stage)
        return run_log.summary(run, stage)

    def _close(self, run: Run) -> None:
        model = self._pillar()
        members = Membership.of(model, self._fleet)
        engine = self._engines.of(run, model, members)
        limit = limits.of(run.asked, members, self._fleet)
        touched = {node for node, record in engine.records.items() if record.was_touched}
        of = members, self._fleet, members.ids, engine.requested
        measured = Witness.of(run.id, self._monotonic).measure(*of, anew=touched)
        engine.conclude(measured.nodes)
        own = limit.inside(measured)
        wrong = dict(own.failures)
        for node, one in own.nodes.items():
            differences = [*one.open(run.stages), *one.health]
            if differences:
                wrong[node] = ("NOT_AT_RELEASE", "; ".join(words.differences(differences, one)))
        excluded = {node: record for node, record in engine.budgets.failures().items() if node in wrong}
        fresh = {node: why for node, why in wrong.items() if node not in excluded}
        for node, (reason, message) in fresh.items():
            engine.leave_out(members.node(node), "finish", reason, message)
        engine.budgets.set_aside()
        aside = {node: one for node, one in quarantine.of(engine.records).items() if node in wrong}
        if fresh := {node: why for node, why in fresh.items() if node not in aside}:
            node, (reason, message) = next(iter(fresh.items()))
            raise RolloutError(reason, f"{node} is not {run.at_goal}: {one_line(message, reason)}", fresh)
        concerned = restoration.concerned(self._journal, run, limit)
        restoration.restore(engine, self._journal, members, concerned.inside(measured), wrong)
        differs = any(any(one.stages.values()) for one in measured.nodes.values())
        whole = run.orchestration == UPDATE and limit is NO_LIMIT
        if run.tracks and (whole or not (measured.failures or differs)):
            self._journal.track_custom_images(run.target, model.custom_images)
        drained = restoration.still_drained(self._journal, measured, concerned, aside)
        if excluded := {node: record for node, record in excluded.items() if node not in aside}:
            named = ", ".join(f"{node} ({record.reason})" for node, record in sorted(excluded.items()))
            also = f"; still drained: {drained}" if drained else ""
            raise RolloutError("FAILURE_BUDGET", f"run {run.id} ended without {named}{also}", excluded)
        if drained:
            raise RolloutError("STILL_DRAINED", drained, restoration.drained_by_runs(self._journal))
        records = {node: record for node, record in engine.records.items() if node not in aside}
        updated = {node for node, record in records.items() if is_updated(record)}
        shared = addresses.known(run.addresses, measured.nodes, model.ignore_addresses)
        addresses.require(members, measured, updated, shared, self._ports, engine.requested)
        try_out(run, model, records, engine.requested, self._ports)
        quarantine.end(run, aside, self._journal.all_drained())
        run.message = "; ".join(filter(None, (run.message, in_force.told(self._journal, run))))
        self._ports.audit.end()
        run.finished = self._clock()
        self._journal.save(run)
        in_force.settle(self._journal)
        self._lock.release()
        self._log.announce(run, "-", "-", "run", "succeeded")

    def _refuse_over_budget(self, engine: Engine, stage: str, members: Membership) -> None:
        for role in members.roles:
            error = engine.budgets.error(stage, role)
            if error:
                raise error
        engine.budgets.set_aside()

    def _halted(self, run: Run | None) -> Halted:
        """What an operator asks of a run that goes on; of one that is not opened, only Ctrl-C is heard."""

        def halted() -> RolloutError | None:
            halt = halting.requested(self._journal, run) if run else None
            return halt or (halting.interrupted(run) if self._ports.interrupted() else None)

        return halted
