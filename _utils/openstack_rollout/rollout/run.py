"""The life of a run: begin, its stages, finish. Decides what is touched at all; the engine decides when.

Every part measures before it acts and refuses in one clear line. What it raises has been written down as the
run's state before, so that the next begin goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from openstack_rollout.declared import hooks, releases, rounds, words
from openstack_rollout.declared.differences import Compared
from openstack_rollout.declared.model import Model
from openstack_rollout.drains.kinds import Drains
from openstack_rollout.errors import RolloutError, one_line
from openstack_rollout.records.lock import me
from openstack_rollout.rollout import preconditions, procedure, restoration
from openstack_rollout.rollout.drain_steps import Room
from openstack_rollout.rollout.engine import Engine, Flight
from openstack_rollout.rollout.master_steps import FleetWithDrains
from openstack_rollout.rollout.membership import Measured, Membership
from openstack_rollout.rollout.ports import Parts
from openstack_rollout.rollout.procedure import DRAINED, REBOOTED, RENEWED, ROLE_ORDER, STAGE
from openstack_rollout.rollout.window import Window
from openstack_rollout.vocabulary import PREFETCH, STAGES, in_order

PREFETCH_TOGETHER = 20
UPDATE = "orch.update"
SYSTEM = "system"


class Rollout:
    """Begins, goes through and finishes runs."""

    def __init__(self, parts: Parts):
        self._parts = parts
        self._fleet = parts.fleet
        self._journal = parts.journal
        self._lock = parts.lock
        self._pillar = parts.pillar
        self._clock = parts.clock
        self._made: tuple[Model, Drains] | None = None

    def begin(self, orchestration: str = UPDATE, stages: Iterable[str] = STAGES) -> dict[str, Any]:
        """Check everything, open a run (or go on with the one that was left), prefetch on every node.

        Returns the run's record. Raises RolloutError; a refusal opens no run and touches nothing.
        """
        stages = list(stages)
        self._lock.acquire()
        left = self._journal.unfinished()
        try:
            model = self._pillar()
            target = releases.wanted(model, stages)
            preconditions.target_changed(left, target)
            members = Membership.of(model, self._fleet)
            left = self._take_over(left, orchestration, model, members)
            measured = members.measure(self._fleet, members.ids, refresh=SYSTEM in stages)
            measured = preconditions.before_a_run(model, members, measured, stages, self._parts)
            preconditions.undrainable(members, measured.nodes, stages, self._drains(model))
            if "control_plane" in stages:
                self._parts.clusters(_open_nodes(measured.nodes, "control_plane"))
        except RolloutError as error:
            self._end(left, error)
            raise
        except BaseException:
            self._lock.release()
            raise
        run = left or self._journal.create(target, orchestration, stages, me())
        with self._ending(run):
            self._open(run, model, members, measured)
        return run

    def stage(self, stage: str) -> dict[str, Any]:
        """Bring every role through one stage, in the open run of this process or in a run of its own.

        Returns {"run", "stage", "state", "counts"}. Raises RolloutError.
        """
        if stage not in STAGES:
            raise RolloutError("WRONG_ARGUMENT", f"{stage} is not a stage, give one of {', '.join(STAGES)}")
        owner = self._lock.mine()
        run = self._journal.run(owner["run"]) if owner and owner["run"] else None
        if run is not None:
            with self._ending(run):
                return self._stage(run, stage)
        run = self.begin(f"orch.{stage}", [stage])
        with self._ending(run):
            summary = self._stage(run, stage)
        self.finish()
        return summary

    def finish(self) -> dict[str, Any]:
        """Measure everything once more and close the run of this process.

        Returns {"run", "state"}; raises RolloutError when something is not at the target.
        """
        owner = self._lock.mine()
        run = self._journal.run(owner["run"]) if owner and owner["run"] else None
        if run is None:
            raise RolloutError("NO_RUN", "this process has begun no run that could be finished")
        with self._ending(run):
            self._close(run)
        return {"run": run["id"], "state": run["state"]}

    def bring_back(self) -> list[str]:
        """Restore what a run left drained that was ended without an engine; returns the nodes that still are.

        Raises RolloutError RUN_IN_PROGRESS.
        """
        self._lock.acquire()
        try:
            last = self._journal.latest()
            if last is not None:
                self._journal.clear_request(last["id"])
                self._bring_back(last)
        finally:
            self._lock.release()
        return list(restoration.left(self._journal))

    def _take_over(
        self, left: dict[str, Any] | None, orchestration: str, model: Model, members: Membership
    ) -> dict[str, Any] | None:
        """Wait for what a dead engine left on nodes; returns the run to go on with.

        Another orchestration closes the run that was left, and opens its own. A run that was aborted after
        its engine died may have left jobs too.
        """
        last = left or self._journal.latest()
        if last is None:
            return None
        engine = self._engine(last, model, members)
        if left is None:
            engine.adopt()
            return None
        self._lock.assign(left["id"])
        # Before the wait: what an operator asks from now on is meant for this engine.
        self._journal.clear_request(left["id"])
        engine.adopt()
        if left["orchestration"] == orchestration:
            engine.retry()
            # A stage that was skipped by an old measurement has to be measured again.
            stages = {
                name: record for name, record in left["stage"].items() if record.get("state") != "skipped"
            }
            left.update(state="running", reason="", message="", owner=me(), stage=stages)
        else:
            left.update(state="aborted", reason="ABORTED", message=f"{orchestration} took its place")
        self._journal.save(left)
        return left if left["state"] == "running" else None

    def _open(
        self,
        run: dict[str, Any],
        model: Model,
        members: Membership,
        measured: Measured,
    ) -> None:
        self._lock.assign(run["id"])
        self._announce(run, "-", "-", "run", "started")
        engine = self._engine(run, model, members)
        nodes = measured.nodes
        for node, (reason, message) in measured.failures.items():
            engine.leave_out(members.node(node), PREFETCH, reason, message)
        again = preconditions.to_drain(members, nodes, run["stages"], self._drains(model))
        keep = {node for some in again.values() for node in some}
        restoration.restore(engine, self._journal, members, measured, keep)
        needing = [node for node in in_order(nodes) if nodes[node].open(run["stages"])]
        if not needing:
            # Nothing was touched since this measurement, so it stands for every stage; finish measures again.
            for stage in run["stages"]:
                now = self._clock()
                counts = {"skipped": sum(stage in one.stages for one in nodes.values())}
                run["stage"][stage] = {"state": "skipped", "started": now, "finished": now, "counts": counts}
            for name in in_order(nodes):
                engine.skip(members.node(name), run["stages"][-1])
            self._journal.save(run)
            return
        self._mark(run, PREFETCH, state="running", started=self._clock(), finished=None)
        flight = Flight(PREFETCH, procedure.steps(PREFETCH), Window(PREFETCH_TOGETHER))
        engine.fly(flight, [members.node(node) for node in needing])
        self._mark(run, PREFETCH, state="done", finished=self._clock(), counts=_counts(engine, needing))

    def _stage(self, run: dict[str, Any], stage: str) -> dict[str, Any]:
        if run["stage"].get(stage, {}).get("state") == "skipped":
            return _summary(run, stage)
        model = self._pillar()
        preconditions.target_changed(run, releases.wanted(model, run["stages"]))
        members = Membership.of(model, self._fleet)
        engine = self._engine(run, model, members)
        halt = engine.requested()
        if halt:
            raise halt
        left_out = engine.failures()
        asked = [name for name in members.ids if name not in left_out]
        measured = members.measure(self._fleet, asked)
        found = measured.nodes
        for name, (reason, message) in measured.failures.items():
            engine.leave_out(members.node(name), stage, reason, message)
        self._refuse_over_budget(engine, stage, members)
        preconditions.out_of_order(stage, found)
        taking_part = [name for name, one in found.items() if stage in one.stages]
        before = dict(run["stage"].get(stage, {}))
        started = before.get("started", self._clock())
        self._mark(run, stage, state="running", started=started, finished=None)
        self._announce(run, stage, "-", "stage", "started")
        touched = False
        drains = self._drains(model)
        preconditions.undrainable(members, found, [stage], drains)
        for role in ROLE_ORDER[stage]:
            nodes = members.of_stage(stage, role, taking_part)
            for node in nodes:
                if not found[node.id].stages[stage]:
                    engine.skip(node, stage)
            opened = sum(bool(found[node.id].stages[stage]) for node in nodes)
            for part in rounds.of_stage(model, run["target"], stage, opened):
                gone = engine.failures()
                needing = [node for node in nodes if part.open(found[node.id]) and node.id not in gone]
                renewing = any(found[node.id].renews_minion for node in needing)
                steps, room = self._way(model, stage, role, renewing)
                engine.role(stage, steps, nodes, needing, room, part if part.name else None)
                touched = touched or bool(needing)
        if before.get("state") == "done" and not touched:
            # Measured again after a pause: what the stage did, and how long it took, was before.
            self._mark(run, stage, **before)
        else:
            counts = _counts(engine, taking_part)
            self._mark(run, stage, state="done", finished=self._clock(), counts=counts)
        self._announce(run, stage, "-", "stage", "succeeded")
        return _summary(run, stage)

    def _way(
        self, model: Model, stage: str, role: str, renewing: bool
    ) -> tuple[tuple[str, ...], Room | None]:
        """The steps of a role's nodes in a stage, and how many of them may be away together.

        renewing: some of them get a new salt-minion.
        """
        phases = [STAGE, *([RENEWED] if stage == SYSTEM and renewing else [])]
        if stage == SYSTEM and model.system.reboot != "never":
            phases.append(REBOOTED)
        drain = self._drains(model).before(stage, role)
        if drain is not None:
            phases.append(DRAINED)
        steps = hooks.steps(model, stage, procedure.steps(*phases), releases.wanted(model, [stage]))
        return steps, Room(drain, self._clock) if drain else None

    def _close(self, run: dict[str, Any]) -> None:
        model = self._pillar()
        members = Membership.of(model, self._fleet)
        engine = self._engine(run, model, members)
        measured = members.measure(self._fleet, members.ids)
        wrong = dict(measured.failures)
        for node, one in measured.nodes.items():
            left = [*one.open(run["stages"]), *one.health]
            if left:
                wrong[node] = ("NOT_AT_RELEASE", "; ".join(words.differences(left, one)))
        left_out = {node: record for node, record in engine.failures().items() if node in wrong}
        fresh = {node: why for node, why in wrong.items() if node not in left_out}
        for node, (reason, message) in fresh.items():
            engine.leave_out(members.node(node), "finish", reason, message)
        if fresh:
            node, (reason, message) = next(iter(fresh.items()))
            raise RolloutError(
                reason, f"{node} is not at {run['target']}: {one_line(message, reason)}", fresh
            )
        restoration.restore(engine, self._journal, members, measured, wrong)
        differs = any(any(one.stages.values()) for one in measured.nodes.values())
        if run["target"] and (run["orchestration"] == UPDATE or not (measured.failures or differs)):
            self._journal.track_custom_images(run["target"], model.custom_images)
        if left_out:
            named = ", ".join(f"{node} ({record['reason']})" for node, record in sorted(left_out.items()))
            drained = restoration.told(self._journal, measured)
            also = f"; still drained: {drained}" if drained else ""
            raise RolloutError("FAILURE_BUDGET", f"run {run['id']} ended without {named}{also}", left_out)
        drained = restoration.told(self._journal, measured)
        if drained:
            raise RolloutError("STILL_DRAINED", drained, restoration.left(self._journal))
        self._try_out(run, model, engine)
        run.update(state="completed", reason="", message="", finished=self._clock())
        self._journal.save(run)
        self._lock.release()
        self._announce(run, "-", "-", "run", "succeeded")

    def _try_out(self, run: dict[str, Any], model: Model, engine: Engine) -> None:
        """Have the cloud do something real on what this run updated. Raises RolloutError."""
        updated = {
            role: [
                node for node, record in engine.records.items() if record["role"] == role and _applied(record)
            ]
            for role in ("compute", "gateway")
        }
        if any(updated.values()):
            run["verified"] = self._parts.verification(model, updated["compute"], updated["gateway"])

    def _refuse_over_budget(self, engine: Engine, stage: str, members: Membership) -> None:
        for role in members.roles:
            error = engine.budget_error(stage, role)
            if error:
                raise error

    @contextmanager
    def _ending(self, run: dict[str, Any]) -> Iterator[None]:
        """Write down why a run stops, whatever stops it; a killed process leaves it `running`."""
        try:
            yield
        except RolloutError as error:
            self._end(run, error)
            raise
        except BaseException:
            self._lock.release()
            raise

    def _end(self, run: dict[str, Any] | None, error: RolloutError) -> None:
        """Give the lock back after an error; an open run is paused, or ended when asked or due."""
        if run is not None and run["state"] == "running":
            aborted = error.reason == "ABORTED" or self._journal.requested(run["id"]) == "abort"
            ended = "aborted" if aborted else "incomplete" if error.reason == "FAILURE_BUDGET" else "paused"
            run.update(state=ended, reason=error.reason, message=error.message)
            for record in run["stage"].values():
                if record.get("state") == "running":
                    record["state"] = ended
            self._journal.clear_request(run["id"])
            self._journal.save(run)
            if aborted:
                self._bring_back(run)
            self._announce(run, "-", "-", "run", ended)
        self._lock.release()

    def _bring_back(self, run: dict[str, Any]) -> None:
        """Restore what an ended run left drained, where it can be; the run's message names the rest."""
        if not restoration.left(self._journal):
            return
        try:
            model = self._pillar()
            members = Membership.of(model, self._fleet)
            engine = self._engine(run, model, members)
            engine.adopt()
            there = [node for node in restoration.left(self._journal) if node in members.ids]
            measured = members.measure(self._fleet, there)
            restoration.restore(engine, self._journal, members, measured, pausing=False)
            drained = restoration.told(self._journal, measured)
        except RolloutError as error:
            drained = f"{', '.join(restoration.left(self._journal))} ({error})"
        if drained:
            run["message"] += f"; still drained: {drained}"
            self._journal.save(run)

    def _engine(self, run: dict[str, Any], model: Model, members: Membership) -> Engine:
        fleet = FleetWithDrains(
            self._fleet,
            self._drains(model),
            self._parts.reboots(model),
            self._journal,
            self._clock,
        )
        return Engine(fleet, self._journal, run, members.policies, members.compare, self._clock)

    def _drains(self, model: Model) -> Drains:
        """The drains of what is declared: made once, since they hold connections."""
        if self._made is None or self._made[0] is not model:
            self._made = model, self._parts.drains(model)
        return self._made[1]

    def _mark(self, run: dict[str, Any], stage: str, **changes: Any) -> None:
        run["stage"].setdefault(stage, {}).update(changes)
        self._journal.save(run)

    def _announce(self, run: Mapping[str, Any], stage: str, node: str, step: str, status: str) -> None:
        data = {key: run[key] for key in ("target", "orchestration", "state", "reason", "message")}
        self._fleet.announce(
            f"openstack/rollout/{run['id']}/{stage}/{node}/{step}",
            {"run": run["id"], "stage": stage, "node": node, "step": step, "status": status, **data},
        )


def _applied(record: Mapping[str, Any]) -> bool:
    return any(entry["step"] == "apply" and entry["outcome"] == "done" for entry in record["history"])


def _open_nodes(nodes: Mapping[str, Compared], stage: str) -> list[str]:
    return in_order(node for node, one in nodes.items() if one.stages.get(stage))


def _counts(engine: Engine, nodes: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for node in nodes:
        state = engine.records[node]["state"]
        counts[state] = counts.get(state, 0) + 1
    return counts


def _summary(run: Mapping[str, Any], stage: str) -> dict[str, Any]:
    record = run["stage"][stage]
    return {"run": run["id"], "stage": stage, "state": record["state"], "counts": record.get("counts", {})}
