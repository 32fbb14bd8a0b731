"""Goes through the rounds and roles of a stage in their order: what each waits for, and whose turn it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from openstack_rollout.declared import words
from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.policies import NO_DRAIN
from openstack_rollout.declared.rounds import Round
from openstack_rollout.drains.kinds import Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.asked import Coming
from openstack_rollout.records.durations import Place
from openstack_rollout.records.planned import PlannedNode, PlannedRole, PlannedStage
from openstack_rollout.records.run_record import Run, Trial
from openstack_rollout.rollout import analysis, breakpoints, gates, occupancy
from openstack_rollout.rollout.admission import Capacity
from openstack_rollout.rollout.canaries import Canaries
from openstack_rollout.rollout.consent import NEVER, Gate
from openstack_rollout.rollout.drain_steps import LiveApart, shared_capacity
from openstack_rollout.rollout.engine import Engine
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.plan import Planner
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.rollout.questions import unhindered
from openstack_rollout.rollout.stops import Stops


class StageWalk:
    """Goes through one stage of a run.

    ports, model, members: as everywhere. found: node id → what it is, as the run may touch it. drains,
    planner, engine: of this run. tell: told once why a node waits.
    """

    def __init__(  # noqa: PLR0917
        self,
        ports: Ports,
        model: Model,
        members: Membership,
        found: Mapping[str, Compared],
        drains: Drains,
        planner: Planner,
        engine: Engine,
        run: Run,
        tell: Callable[[RolloutError], None],
    ):
        self._ports = ports
        self._model = model
        self._members = members
        self._found = found
        self._drains = drains
        self._planner = planner
        self._engine = engine
        self._run = run
        self._tell = tell
        self._stops = Stops(run, members)

    def through(self, planned: PlannedStage) -> bool:
        """Take every role through every round, as far as the run was asked to go; returns whether there was
        anything to do.

        Raises RolloutError.
        """
        self._planned = planned
        touched = False
        turns = [(one.name, role) for one in planned.rounds for role in one.roles]
        last = self._stops.last(planned)
        for number, (name, role) in enumerate(turns):
            if number == last:
                self._stops.after(planned.stage)
            round_ = self._planner.round(planned.stage, name)
            touched = self._role(planned.stage, round_, role) or touched
        return touched

    def _role(self, stage: str, round_: Round, role: PlannedRole) -> bool:
        monotonic, members, found = self._ports.monotonic, self._members, self._found
        nodes = [node.id for node in role.nodes]
        keeping = self._planner.keeping_apart(stage, nodes, role.one_of_a_kind)

        def planned(canaries: tuple[str, ...], soaked: bool, failed: frozenset[str]) -> PlannedRole | None:
            trial = Trial(list(canaries), soaked)
            return self._planner.role(stage, round_.name, role.role, trial, failed)

        known = lru_cache(maxsize=1)(planned)  # of all groups, while no node fails

        def replan(trial: Trial) -> PlannedRole | None:
            of = tuple(trial.canaries), trial.soaked, frozenset(self._engine.budgets.failures())
            if not keeping:  # nobody is asked, and nothing hangs
                return known(*of)
            return unhindered(lambda: planned(*of), self._engine.requested)

        waits = gates.of_round(self._model, members, found, round_, self._run, self._ports, self._tell)
        # What alerts because of the run that is undone is no reason to stay there.
        gated = [] if self._run.rollback else nodes
        of_roles = (one for node in gated for one in members.roles_of(node, stage))
        watch = analysis.watch(self._model, of_roles, self._ports, self._tell)
        waits += [(watch, nodes)] if watch else []
        capacity = shared_capacity(members, self._drains, stage, nodes, monotonic, waits)
        for why in occupancy.why_apart(role.one_of_a_kind, found):
            self._tell(why)
        apart = LiveApart(keeping, monotonic) if keeping else None
        soaking = watch.soak if watch else _nothing
        policy = members.policies[role.role]
        canaries = Canaries(self._ports, self._engine, self._run, policy, round_, role.role, soaking)
        gate = self._gate((stage, round_.name, role.role), nodes, capacity)
        touched = False
        for group in role.groups:
            self._stops.before_group(round_, role.role, group, self._engine.records)

            def of_group(trial: Trial, group: str = group) -> PlannedRole | None:
                planned = replan(trial)
                return planned and planned.only(group)

            touched = canaries.then_the_rest(of_group, gate or capacity, apart) or touched
        if gate:
            gate.close()  # not when it ends otherwise: what a paused run asked may still be answered
        return touched

    def _gate(
        self, place: tuple[str, str, str], nodes: Sequence[str], capacity: Capacity | None
    ) -> Gate | None:
        """What asks before the nodes of a role go; None where nothing does."""
        before = self._run.asked.confirm or self._members.policies[place[2]].confirm
        if before == NEVER:
            return None

        def comes(some: Sequence[str]) -> list[Coming]:
            places = [(one.name, role) for one in self._planned.rounds for role in one.roles]
            if before != "stage":
                places = [(name, role) for name, role in places if (name, role.role) == place[1:]]
            return [
                self._coming(name, role, node)
                for name, role in places
                for node in role.nodes
                if node.id in some
            ]

        of_all = self._planned.nodes if before == "stage" else nodes
        return Gate(self._engine.consents, before, place, of_all, comes, capacity)

    def _coming(self, name: str, role: PlannedRole, node: PlannedNode) -> Coming:
        """What comes on a node in a round."""
        round_ = self._planner.round(self._planned.stage, name)
        one = self._found[node.id]
        return Coming(
            node.id,
            list(node.steps),
            words.differences(round_.open(one), one),
            role.drain if "drain" in node.steps else NO_DRAIN,
            role.reboot if "reboot" in node.steps else "never",
            self._usual(name, role.role, node),
        )

    def _usual(self, name: str, role: str, node: PlannedNode) -> float | None:
        """Seconds that what comes on a node takes as a rule; None where a step of it was never measured."""
        steps = [step for step in node.steps if not breakpoints.is_break(step)]
        took = [self._engine.usual(Place(node.id, role, self._planned.stage, name, step)) for step in steps]
        known = [seconds for seconds in took if seconds is not None]
        return sum(known) if len(known) == len(steps) else None


def _nothing() -> None:
    """Nothing is looked at while canaries soak."""
