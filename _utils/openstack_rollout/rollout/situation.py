"""What a run would begin with, as its conditions look at it; nodes and registry are asked once, if at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.model import Model
from openstack_rollout.drains.kinds import Drains
from openstack_rollout.errors import one_line
from openstack_rollout.records.planned import Plan
from openstack_rollout.records.run_record import Run
from openstack_rollout.rollout import plan, preconditions
from openstack_rollout.rollout.conditions import Seen
from openstack_rollout.rollout.fleet import Halted, never
from openstack_rollout.rollout.limit import NO_LIMIT, Limit
from openstack_rollout.rollout.membership import Measured, Membership
from openstack_rollout.rollout.ports import Ports, Readied, Standing
from openstack_rollout.rollout.questions import unhindered


@dataclass
class Situation:
    """What a run would begin with.

    model: what is declared. members, measured: its nodes, and what they are; those that are left out move to
    the failures of `measured` meanwhile. stages: of the run. ports, drains: the world. unfinished: the run
    that goes on, if any. halted: asked meanwhile; what it returns is raised. touch: whether a member of a
    cluster may put right what a change that died has left. always: whether nodes are asked for their
    readiness although nothing is to be done. limit: of the nodes that the run may touch. refused: the
    conditions that stop the run, of those that were looked at.
    """

    model: Model
    members: Membership
    measured: Measured
    stages: Sequence[str]
    ports: Ports
    drains: Drains
    unfinished: Run | None = None
    halted: Halted = never
    touch: bool = False
    always: bool = False
    limit: Limit = NO_LIMIT
    refused: set[str] = field(default_factory=set, init=False)

    @property
    def own(self) -> Measured:
        """What was measured of the nodes that the run may touch."""
        return self.limit.inside(self.measured)

    @property
    def seen(self) -> Measured:
        """The whole cloud, where the nodes that the run may not touch need nothing."""
        return self.limit.closed(self.measured)

    @property
    def touched(self) -> dict[str, Compared]:
        """The nodes that the run would change."""
        return {node: one for node, one in self.own.nodes.items() if one.open(self.stages)}

    @cached_property
    def readied(self) -> Readied:
        """What nodes tell of their readiness, all asked together."""
        if not (self.touched or self.always):
            return Readied({}, {})
        of = self.model.preflight
        asking = {"days": of.certificate_days, "places": list(of.certificates), "stages": list(self.stages)}
        return self.ports.readiness(self.members.silences(self.own.nodes), asking, self.halted)

    @cached_property
    def layers(self) -> Mapping[str, Mapping[str, int]]:
        """What has to be fetched of the images that nodes lack: {image: {digest: bytes}}."""
        wanted = {image for node in self.touched for image in self.lacking(node)}
        return self.ports.layers(sorted(wanted)) if wanted else {}

    @cached_property
    def standing(self) -> Sequence[Standing]:
        """How the services of nodes stand in OpenStack, where drains speak to it anyway."""
        if not self.model.policies.speak_to_openstack or not (self.touched or self.always):
            return []
        return unhindered(partial(self.ports.standing, self.model, list(self.own.nodes)), self.halted)

    @cached_property
    def planned(self) -> Plan:
        """The plan of the run."""
        return plan.of_run(
            self.model, self.members, self.measured.nodes, self.drains, self.stages, self.limit
        )

    def lacking(self, node: str) -> set[str]:
        """The images that a node lacks."""
        one = self.measured.nodes[node]
        return {image for _, image in preconditions.images_to_pull(one, self.stages)}

    def without(self, refuse: Callable[[Mapping[str, Compared]], None]) -> Iterator[Seen]:
        """Leave the nodes out that `refuse` names; they are warned of. Raises as it where they are too many.

        refuse: is given what nodes are, and raises RolloutError.
        """
        before = self.measured.failures
        own = preconditions.leaving_out(self.members, self.own, refuse)
        self.measured = self.limit.whole(own, self.measured)
        yield from left_out({node: why for node, why in self.measured.failures.items() if node not in before})

    def within_budget(self, seen: Iterable[Seen]) -> list[Seen]:
        """The same, where nodes that refuse are left out as far as the budget of their roles allows."""
        found = list(seen)
        refusing = [one for one in found if one.verdict == "refuse"]
        failures = {
            node: (one.error.reason if one.error else "PREFLIGHT_REFUSED", one.text)
            for one in refusing
            for node in one.nodes
            if node in self.own.nodes
        }
        all_failures = {**self.own.failures, **failures}
        if not failures or not all(one.nodes for one in refusing) or self.members.over_budget(all_failures):
            return found
        rest = {node: one for node, one in self.own.nodes.items() if node not in failures}
        self.measured = self.limit.whole(Measured(rest, all_failures), self.measured)
        return [*left_out(failures), *(one for one in found if one.verdict != "refuse")]


def left_out(failures: Mapping[str, tuple[str, str]]) -> Iterator[Seen]:
    """Nodes that a run leaves out. failures: node → (reason, message)."""
    for node, (reason, message) in failures.items():
        yield Seen("warn", f"{node} is left out: {reason}: {one_line(message, reason)}", (node,))
