"""What a run tells of itself: how far its stages are, in the journal, and events for whoever watches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from openstack_rollout.declared.comparison import Compared
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.durations import Durations
from openstack_rollout.records.events import OF_RUN
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.planned import PlannedStage
from openstack_rollout.records.run_record import NodeRecord, Run, StageRecord, StageState
from openstack_rollout.rollout import plan
from openstack_rollout.rollout.estimate import Estimate, Opens
from openstack_rollout.rollout.fleet import Fleet
from openstack_rollout.rollout.openings import Openings

_MOST_WINDOWS = 100  # of a role
_MOST_CHANGES = 20  # that an event names


class RunLog:
    """Writes down and announces what becomes of a run.

    journal (Journal), fleet: whose bus the events go to, clock (seconds since the epoch).
    """

    def __init__(self, journal: Journal, fleet: Fleet, clock: Callable[[], float]):
        self._journal = journal
        self._fleet = fleet
        self._clock = clock

    def mark(
        self,
        run: Run,
        stage: str,
        state: StageState,
        started: float | None = None,
        counts: dict[str, int] | None = None,
    ) -> None:
        """Write how far a stage is.

        started (float): when it started, for a stage that is running; None for one that ended now. counts:
        state of a node → how many nodes ended in it.
        """
        record = run.of_stage(stage)
        record.state = state
        if started is not None:
            record.started, record.finished = started, None
        else:
            record.finished, record.counts = self._clock(), counts or {}
        self._journal.save(run)

    def skipped(self, run: Run, nodes: Mapping[str, Compared]) -> None:
        """Write that no stage has anything to do on nodes (id → what it is).

        Nothing was touched since that was measured, so it stands for every stage.
        """
        for stage in run.stages:
            now = self._clock()
            found = {"skipped": sum(stage in one.stages for one in nodes.values())}
            run.stage[stage] = StageRecord(StageState.SKIPPED, now, now, found)
        self._journal.save(run)

    def announce(self, run: Run, stage: str, node: str, step: str, status: str, **more: Any) -> None:
        """Fire an event of the run itself.

        stage, node (str): "-" where it is of none. step (str): run, stage, plan or gate. status (str):
        started, succeeded, changed, waiting, or the state in which the run ended. more: further data of the
        event.
        """
        about = {
            **{"run": run.id, "stage": stage, "node": node, "step": step, "status": status},
            **{"target": run.target, "orchestration": run.orchestration, "rollback": run.rollback},
            **{"state": run.state.value, "reason": run.reason, "message": run.message},
            **more,
        }
        event = OF_RUN[step](at=self._clock(), **about)
        self._fleet.announce(event.tag, event.plain())

    def expect(self, run: Run, roles: Mapping[str, str], openings: Openings) -> None:
        """Note how long a run is expected to take as it begins, and the windows of its roles.

        roles: node → its role.
        """
        now = self._clock()
        if run.expected is None and run.plan is not None:
            walk = Estimate(Durations(self._journal), openings.opening)
            run.expected = walk.of_plan(run.plan, now, roles)
        for role in sorted({*roles.values()}):
            over = [one for one in run.windows.get(role, ()) if one[1] <= now]
            if found := [*over, *openings.ahead(role, now)]:
                run.windows[role] = found[-_MOST_WINDOWS:]

    def stage_started(self, run: Run, stage: str, opens: Opens, records: Mapping[str, NodeRecord]) -> None:
        """Say that a stage starts, and when the run is expected to end. opens, records: as of Estimate."""
        estimate = Estimate(Durations(self._journal), opens).of_run(run, records, self._clock())
        self.announce(run, stage, "-", "stage", "started", estimate=estimate)

    def changed(self, run: Run, planned: PlannedStage) -> None:
        """Say what is planned otherwise than when the run began."""
        expected = run.plan.stage(planned.stage) if run.plan else None
        lines = plan.changes(expected, planned) if expected else []
        if len(lines) > _MOST_CHANGES:
            lines[_MOST_CHANGES:] = [f"and {len(lines) - _MOST_CHANGES} more"]
        if lines:
            self.announce(run, planned.stage, "-", "plan", "changed", changes=lines)

    def waiting(self, run: Run, stage: str) -> Callable[[RolloutError], None]:
        """What says why a node waits before it goes."""

        def tell(why: RolloutError) -> None:
            told = {"reason": why.reason, "message": why.message, "nodes": list(why.nodes)}
            self.announce(run, stage, "-", "gate", "waiting", **told)

        return tell


def counts(records: Mapping[str, NodeRecord], nodes: Iterable[str]) -> dict[str, int]:
    """How many of these nodes are in each state. records: node id → what the run did to it."""
    return dict(Counter(records[node].state.value for node in nodes))


def summary(run: Run, stage: str) -> dict[str, Any]:
    """What a stage's runner function returns: {"run", "stage", "state", "counts"}."""
    record = run.stage[stage]
    return {"run": run.id, "stage": stage, "state": record.state.value, "counts": record.counts}
