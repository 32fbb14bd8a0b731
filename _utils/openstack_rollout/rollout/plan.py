"""The plan of a run: stage → round → role → wave → node → steps.

It is a pure function of what is declared and what was measured. `rollout.plan` prints this tree, and the
engine executes it; a stage is planned anew when it begins, from what its nodes are then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from openstack_rollout.declared import hooks, releases, rounds
from openstack_rollout.declared.amounts import batch_size
from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.differences import PACKAGED
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.policies import NO_DRAIN, Policy
from openstack_rollout.declared.rounds import Round
from openstack_rollout.drains.contract import KeepsApart, shared
from openstack_rollout.drains.kinds import SEVERAL, Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.planned import (
    PREFETCH_TOGETHER,
    Plan,
    PlannedNode,
    PlannedRole,
    PlannedRound,
    PlannedStage,
    Wave,
)
from openstack_rollout.records.run_record import Trial
from openstack_rollout.rollout import breakpoints, disturbance, occupancy, procedure
from openstack_rollout.rollout.breakpoints import Breaks
from openstack_rollout.rollout.limit import NO_LIMIT, Limit
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.occupancy import OneOfAKind
from openstack_rollout.rollout.procedure import DRAINED, REBOOTED, RENEWED, STAGE, TELLING
from openstack_rollout.rollout.window import Node, Window
from openstack_rollout.vocabulary import STAGES, in_order

SYSTEM = "system"


def of_run(  # noqa: PLR0917
    model: Model,
    members: Membership,
    found: Mapping[str, Compared],
    drains: Drains,
    stages: Sequence[str] = STAGES,
    limit: Limit = NO_LIMIT,
    breaks: Breaks = MappingProxyType({}),
) -> Plan:
    """The plan of a run that begins now.

    model: what is declared. members: the nodes and their policies. found: node id → what it is, of those
    that answered. drains: the drains of the cloud. stages: their names, in order. limit, breaks: of the run.
    """
    needing = tuple(node for node in limit.of(members.ids) if node in found and found[node].open(stages))
    target = releases.wanted(model, stages)
    planner = Planner(model, members, found, drains, target, limit, breaks)
    wide = (members.policies[role].undisturbed_together(len(some)) for role, some in members.roles.items())
    together = max(PREFETCH_TOGETHER, sum(wide))
    return Plan(target, needing, tuple(planner.stage(stage) for stage in stages), together)


class Planner:
    """Plans stages of what was measured.

    model, members, found, drains, limit, breaks: as of_run. target (str): the release of the run.
    """

    def __init__(  # noqa: PLR0917
        self,
        model: Model,
        members: Membership,
        found: Mapping[str, Compared],
        drains: Drains,
        target: str,
        limit: Limit = NO_LIMIT,
        breaks: Breaks = MappingProxyType({}),
    ):
        self._model = model
        self._members = members
        self._found = found
        self._drains = drains
        self._target = target
        self._limit = limit
        self._breaks = {moment: frozenset(nodes) for moment, nodes in breaks.items()}

    def stage(
        self, stage: str, trials: Mapping[str, Trial] | None = None, failed: Collection[str] = ()
    ) -> PlannedStage:
        """A stage.

        trials: role → its canaries in this run, none before they are chosen. failed: nodes that failed
        earlier in the run, which are left out.
        """
        order = self._members.order(stage)
        nodes = {role: self._nodes(stage, role) for role in (order[::-1] if self._is_back else order)}
        here = [node for some in nodes.values() for node in some]
        open_ = {node.id: bool(self._found[node.id].stages[stage]) for node in here}
        done = tuple(node for node in self._limit.of(open_) if not open_[node])
        outside = tuple(node for node in open_ if open_[node] and not self._limit.has(node))
        proven = dict(trials or {})
        planned = []
        for round_ in self._rounds(stage, sum(open_[node] for node in self._limit.of(open_))):
            roles = []
            for role, some in nodes.items():
                one = self._role(round_, role, some, proven.get(role), failed)
                if one is not None:
                    roles.append(one)
                    proven[role] = Trial(list(one.proving), soaked=True)  # proven for the rounds after it
            if roles:
                planned.append(PlannedRound(round_.name, round_.services, tuple(roles)))
        return PlannedStage(stage, tuple(planned), done, outside)

    def role(
        self, stage: str, name: str, role: str, trial: Trial | None, failed: Collection[str]
    ) -> PlannedRole | None:
        """A role in the round of that name, planned anew; None when it has nothing to do there any more."""
        return self._role(self.round(stage, name), role, self._nodes(stage, role), trial, failed)

    def round(self, stage: str, name: str) -> Round:
        """The round of a stage that bears a name, with what belongs to it."""
        opened = sum(bool(self._found[node].stages.get(stage)) for node in self._limit.of(self._found))
        return next(one for one in self._rounds(stage, opened) if one.name == name)

    @property
    def _is_back(self) -> bool:
        """Whether nodes go back: through all that they went through, in the opposite order."""
        return self._model.backs is not None

    def _rounds(self, stage: str, opened: int) -> list[Round]:
        families = {one.os_family for one in self._found.values() if stage in one.stages}
        return rounds.of_stage(self._model, self._target, stage, opened, families)

    def _nodes(self, stage: str, role: str) -> list[Node]:
        taking_part = {name for name, one in self._found.items() if stage in one.stages}
        return self._members.of_stage(stage, role, taking_part)

    def _role(
        self,
        round_: Round,
        role: str,
        nodes: Sequence[Node],
        trial: Trial | None,
        failed: Collection[str],
    ) -> PlannedRole | None:
        needing = [
            node
            for node in nodes
            if self._limit.has(node.id) and round_.open(self._found[node.id]) and node.id not in failed
        ]
        if not needing:
            return None
        policy = self._members.policies[role]
        needing = [node for some in self._members.by_group(role, needing).values() for node in some]
        proving = _proving(policy, nodes, needing, trial, failed)
        soaked = trial is not None and trial.soaked
        canaries = [] if soaked else [node for node in needing if node.id in proving]
        rest = [node for node in needing if node.id not in proving or soaked]
        steps: dict[tuple[bool, bool, bool, frozenset[str]], tuple[str, ...]] = {}

        def plan_of(node: Node) -> PlannedNode:
            one = self._found[node.id]
            drained = self._drain(round_.stage, node) != NO_DRAIN
            rests = breakpoints.of_node(self._breaks, round_.stage, node.id)
            key = one.renews_minion, drained, self._asks_agents(round_, one), rests
            if key not in steps:
                steps[key] = breakpoints.among(self._steps(round_.stage, *key[:3]), rests)
            return PlannedNode(node.id, node.zone, steps[key])

        planned = {node.id: plan_of(node) for node in needing}
        size, wide = batch_size(policy.batch, len(nodes)), policy.undisturbed_together(len(nodes))
        undisturbing = wide > size and all(
            self._disturbs_nothing(round_.stage, self._found[node], one.steps)
            for node, one in planned.items()
        )
        window = Window(wide if undisturbing else size, policy.per_zone)
        together = window.size > 1
        alike = self._one_of_a_kind(round_.stage, needing) if together else {}
        apart = self._apart(round_.stage, rest, alike) if together and rest[1:] else None
        group_of = self._members.group_of
        waves = [Wave((planned[node.id],), canary=True, group=group_of(role, node.id)) for node in canaries]
        for name, some in self._members.by_group(role, rest).items():
            waves += [
                Wave(tuple(planned[node.id] for node in wave), group=name)
                for wave in window.waves(some, apart)
            ]
        kinds = (kind for node in needing for kind in self._drain(round_.stage, node).split(SEVERAL))
        drain = ", ".join(kind for kind in dict.fromkeys(kinds) if kind != NO_DRAIN) or NO_DRAIN
        reboot = self._model.system.reboot if round_.stage == SYSTEM else "never"
        soak = 0 if soaked or not proving else policy.soak
        names = dict.fromkeys(step for wave in waves for node in wave.nodes for step in node.steps)
        return PlannedRole(
            *(role, window.size, window.per_zone, drain, reboot, tuple(proving), soak, tuple(waves)),
            limits={step: policy.limits.of(step) for step in names if not breakpoints.is_break(step)},
            one_of_a_kind=alike,
            failures=policy.tolerated,
            group_failures=policy.tolerated_of_groups,
            undisturbing=undisturbing,
        )

    def keeping_apart(
        self, stage: str, nodes: Iterable[str], kinds: Mapping[str, Sequence[str]]
    ) -> list[KeepsApart]:
        """What keeps nodes (their ids) apart in a stage. kinds: the data that they serve → its nodes."""
        roles = (role for node in nodes for role in self._members.roles_of(node, stage))
        found = self._drains.keeping_apart(stage, roles)
        return [*found, OneOfAKind(kinds)] if kinds else found

    def _disturbs_nothing(self, stage: str, one: Compared, steps: Sequence[str]) -> bool:
        serves = occupancy.serves(self._members, one)
        return disturbance.is_none(self._model, stage, one, steps, serves=serves)

    def _one_of_a_kind(self, stage: str, nodes: Iterable[Node]) -> dict[str, tuple[str, ...]]:
        ids = [node.id for node in nodes]
        return occupancy.one_of_a_kind(self._members, self._found, stage, self._drains, ids)

    def _drain(self, stage: str, node: Node) -> str:
        """What drains a node before a stage, for each of its roles."""
        return self._drains.of_node(self._members.roles_of(node.id, stage), stage)[0]

    def _apart(
        self, stage: str, nodes: Sequence[Node], kinds: Mapping[str, Sequence[str]]
    ) -> Mapping[str, frozenset[str]] | None:
        """What no two nodes of a wave may have in common, None for nothing.

        Also where a cloud cannot be asked now: the engine asks it before a node starts.
        """
        ids = [node.id for node in nodes]
        keeping = self.keeping_apart(stage, ids, kinds)
        try:
            found = shared(keeping, ids) if keeping else None
        except RolloutError:
            return None
        return found and {node: found.get(node, frozenset()) for node in ids}

    def _asks_agents(self, round_: Round, one: Compared) -> bool:
        """Whether OpenStack is asked about agents of a node: where one restarts, and drains ask it too."""
        here = one.agents.get(round_.stage, {})
        restarting = any(each.kind in PACKAGED and each.subject in here for each in round_.open(one))
        return restarting and self._model.policies.speak_to_openstack

    def _steps(self, stage: str, renews: bool, drained: bool, telling: bool) -> tuple[str, ...]:
        """The steps of a node. renews: it gets a new salt-minion. drained: before the stage. telling: agents
        have to tell OpenStack of themselves after it.
        """
        phases = [STAGE, TELLING] if telling else [STAGE]
        if stage == SYSTEM and self._model.system.reboot != "never":
            phases.append(REBOOTED)
        if drained:
            phases.append(DRAINED)
        if renews and stage == SYSTEM:
            phases.append(RENEWED)
        release = releases.NO_RELEASE if self._is_back else self._target  # whose migrations are not for this
        return hooks.steps(self._model, stage, procedure.steps(*phases), release)


def changes(before: PlannedStage, now: PlannedStage) -> list[str]:
    """What is planned otherwise than before: one line each, for people."""
    had, has = set(before.nodes), set(now.nodes)
    lines = [f"{node} needs nothing any more" for node in in_order(had - has)]
    lines += [f"{node} needs this stage, too" for node in in_order(has - had)]
    if not lines and replace(before, done=()) != replace(now, done=()):
        lines.append("another order, or other steps")
    return lines


def _proving(
    policy: Policy,
    nodes: Iterable[Node],
    needing: Iterable[Node],
    trial: Trial | None,
    failed: Collection[str],
) -> list[str]:
    """The canaries of a role: those that were chosen before, and successors of those that failed."""
    if trial is not None and trial.soaked:
        return [node for node in trial.canaries if node not in failed]
    chosen = [node.id for node in nodes if trial and node.id in trial.canaries]
    chosen += [node.id for node in needing if node.id not in chosen]
    return [node for node in chosen if node not in failed][: policy.canary]
