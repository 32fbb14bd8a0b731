"""When a run is expected to end: its plan, walked through in the time that its steps take as a rule.

An estimate decides nothing. It knows how many nodes of a role go together, soaks and windows; not what gates
will wait for.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from openstack_rollout.errors import RolloutError
from openstack_rollout.records.durations import Durations, Place
from openstack_rollout.records.planned import Plan, PlannedNode, PlannedRole
from openstack_rollout.records.run_record import NodeRecord, NodeState, Run, StageState
from openstack_rollout.rollout.breakpoints import is_break
from openstack_rollout.rollout.openings import ANY_TIME
from openstack_rollout.vocabulary import PREFETCH

_ENDED = (StageState.DONE, StageState.SKIPPED)
#: A role, a stage, seconds, a time of day → when a node may start then that takes that long; None if never.
Opens = Callable[[str, str, float, float], float | None]


def at_once(_role: str, _stage: str, _seconds: float, now: float) -> float:
    """No window is known: nodes start when it is their turn. An Opens."""
    return now


class Estimate:
    """Walks through plans.

    durations (Durations): what steps took. opens: when the window of a role lets a node start.
    """

    def __init__(self, durations: Durations, opens: Opens = at_once):
        self._durations = durations
        self._opens = opens
        self._assumed = False
        self._first: float | None = None

    def of_plan(self, plan: Plan, now: float, roles: Mapping[str, str]) -> dict[str, Any]:
        """How long a plan takes that begins now.

        now (float): seconds since the epoch. roles: node → the role as which it prefetches. Returns
        {"seconds", "begins", "end", "stages", "assumed"}: seconds in all; when the first node may start, None
        for at once; when it ends; stage → {"seconds", "roles": role → seconds, in all rounds}; whether
        something had to be assumed, of which nothing is known.
        """
        return self._walked(plan, now, roles, {}, 0.0, ())

    def of_run(self, run: Run, records: Mapping[str, NodeRecord], now: float) -> dict[str, Any] | None:
        """How long the rest of a run takes, as of_plan; None before it has a plan.

        records: what the run did to its nodes. now (float): seconds since the epoch.
        """
        if run.plan is None:
            return None
        over = [stage for stage, record in run.stage.items() if record.state in _ENDED]
        roles = {node: record.role for node, record in records.items()}
        return self._walked(run.plan, now, roles, records, run.planned, over)

    def _walked(  # noqa: PLR0917
        self,
        plan: Plan,
        now: float,
        roles: Mapping[str, str],
        records: Mapping[str, NodeRecord],
        since: float,
        over: Sequence[str],
    ) -> dict[str, Any]:
        self._assumed, self._first = False, None
        rest = _Rest(records, since)
        end, stages = now, {}
        if plan.prefetch and PREFETCH not in over:
            fetching = [
                left
                for node in plan.prefetch
                if (left := rest.of(node, [Place(node, roles.get(node, ""), PREFETCH, "", PREFETCH)]))
            ]
            end = self._together(fetching, end, plan.prefetch_together, rest)
            stages[PREFETCH] = {"seconds": round(end - now), "roles": {}}
        for stage in plan.stages:
            if stage.stage in over or not stage.rounds:
                continue
            began, took = end, dict[str, float]()
            for one in stage.rounds:
                for role in one.roles:
                    before = end
                    end = self._role(stage.stage, one.name, role, end, rest)
                    took[role.role] = took.get(role.role, 0.0) + end - before
            of_roles = {role: round(seconds) for role, seconds in took.items()}
            stages[stage.stage] = {"seconds": round(end - began), "roles": of_roles}
        begins = self._first if self._first is not None and self._first > now else None
        known = {"begins": begins, "end": end, "stages": stages, "assumed": self._assumed}
        return {"seconds": round(end - now), **known}

    def _role(self, stage: str, round_: str, role: PlannedRole, begin: float, rest: _Rest) -> float:
        def left(nodes: Sequence[PlannedNode]) -> list[list[Place]]:
            found = [
                rest.of(
                    node.id,
                    [
                        Place(node.id, role.role, stage, round_, step)
                        for step in node.steps
                        if not is_break(step)
                    ],
                )
                for node in nodes
            ]
            return [places for places in found if places]

        canaries, others = left(role.canaries), left(role.rest)
        end = self._together(canaries, begin, 1, rest)
        if canaries and role.soak:
            proof = [Place(node, role.role, stage, round_, "verify") for node in role.proving]
            end += role.soak + max(map(self._expected, proof), default=0.0)
        return self._together(others, end, role.batch, rest)

    def _together(self, nodes: Sequence[Sequence[Place]], begin: float, most: int, rest: _Rest) -> float:
        """When nodes are through of which so many go at a time, each as soon as there is a place."""
        places = [begin] * max(1, min(most, len(nodes)))
        end = begin
        for steps in nodes:
            start, passed = heapq.heappop(places), rest.passed(steps[0], begin, self._expected)
            if not passed:
                start = self._start(steps, start)
            done = start + sum(map(self._expected, steps)) - passed
            heapq.heappush(places, done)
            end = max(end, done)
        return end

    def _start(self, steps: Sequence[Place], now: float) -> float:
        """When a node starts: as soon as its window lets it; at once where nobody can tell."""
        if ANY_TIME.issuperset(place.step for place in steps):
            return now
        seconds = sum(map(self._durations.at_most, steps))
        try:
            opens = self._opens(steps[0].role, steps[0].stage, seconds, now)
        except RolloutError:
            return now
        start = now if opens is None else opens
        self._first = start if self._first is None else min(start, self._first)
        return start

    def _expected(self, place: Place) -> float:
        if (known := self._durations.usual(place)) is not None:
            return known
        self._assumed = True
        return self._durations.expected(place)


class _Rest:
    """What is left of nodes. records: what a run did to them. since: when their steps were planned."""

    def __init__(self, records: Mapping[str, NodeRecord], since: float):
        self._records = records
        self._done = {
            node: {
                (step.stage, step.round, step.step)
                for step in record.history
                if step.outcome in ("done", "skipped") and step.started >= since
            }
            for node, record in records.items()
        }

    def of(self, node: str, places: Sequence[Place]) -> list[Place]:
        """The steps that a node has still to take; none, where it failed."""
        record = self._records.get(node)
        if record is None:
            return list(places)
        if record.state is NodeState.FAILED:
            return []
        done = self._done[node]
        return [one for one in places if (one.stage, one.round, one.step) not in done]

    def passed(self, place: Place, now: float, expected: Callable[[Place], float]) -> float:
        """The seconds that are over of a step that is under way; never more than it takes."""
        record = self._records.get(place.node)
        if record is None or record.state is not NodeState.IN_FLIGHT:
            return 0.0
        if (record.stage, record.round, record.step) != (place.stage, place.round, place.step):
            return 0.0
        return min(max(0.0, now - record.started), expected(place))
