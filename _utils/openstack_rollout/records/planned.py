"""The tree of a plan as data: stage → round → role → wave → node → steps; the journal keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter

#: Nodes that at least prefetch together.
PREFETCH_TOGETHER = 20


@dataclass(frozen=True)
class PlannedNode:
    """A node (its id and zone) and the steps that it goes through, in their order."""

    id: str
    zone: str | None
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Wave:
    """Nodes that are in flight together, as far as all take equally long: the next one starts when one ends.

    canary: it has to succeed before the wave after it begins. group: of which its nodes are, "" for none.
    """

    nodes: tuple[PlannedNode, ...]
    canary: bool = False
    group: str = ""


@dataclass(frozen=True)
class PlannedRole:
    """What a role does in a round.

    Attributes:
        role: Its name.
        batch: How many nodes may be in flight together; fewer where the cloud cannot spare them.
        per_zone: How many of them in one zone, 0 for no limit.
        drain: The kinds of drain that its nodes go through, `none` when they go as they are.
        reboot: never, when_required or always.
        proving: The canaries of the stage, also those that are done: they are measured after the soak.
        soak: Seconds that the canaries run before the rest follows.
        waves: The nodes that need something, in the order in which they start.
        limits: Step → seconds that it may take on a node.
        one_of_a_kind: Kind of data → the nodes that serve it, of which one at a time goes.
        failures: How many nodes of the role may fail.
        group_failures: Group → how many of its nodes may fail, of those that have a threshold of their own.
        undisturbing: Whether more go together than elsewhere, since it is known that nothing is disturbed.
    """

    role: str
    batch: int
    per_zone: int
    drain: str
    reboot: str
    proving: tuple[str, ...]
    soak: float
    waves: tuple[Wave, ...]
    limits: dict[str, float] = field(default_factory=dict)
    one_of_a_kind: dict[str, tuple[str, ...]] = field(default_factory=dict)
    failures: int = 0
    group_failures: dict[str, int] = field(default_factory=dict)
    undisturbing: bool = False

    @property
    def nodes(self) -> list[PlannedNode]:
        """All of them, in the order in which they start."""
        return [node for wave in self.waves for node in wave.nodes]

    @property
    def groups(self) -> list[str]:
        """The groups that need something, in their order."""
        return list(dict.fromkeys(wave.group for wave in self.waves))

    def only(self, group: str) -> PlannedRole:
        """What a group does; the canaries go first, of whatever group they are."""
        return replace(self, waves=tuple(one for one in self.waves if one.canary or one.group == group))

    @property
    def canaries(self) -> list[PlannedNode]:
        """The canaries that are to go, in their order."""
        return [node for wave in self.waves if wave.canary for node in wave.nodes]

    @property
    def rest(self) -> list[PlannedNode]:
        """The nodes that follow the canaries, in their order."""
        return [node for wave in self.waves if not wave.canary for node in wave.nodes]


@dataclass(frozen=True)
class PlannedRound:
    """A round of a stage: its name ("" where the stage has one alone), its services, its roles in order."""

    name: str
    services: tuple[str, ...]
    roles: tuple[PlannedRole, ...]


@dataclass(frozen=True)
class PlannedStage:
    """A stage: its rounds in order, the nodes that are done with it already, and those outside of the run's
    limit that are not.
    """

    stage: str
    rounds: tuple[PlannedRound, ...] = ()
    done: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()

    @property
    def nodes(self) -> list[str]:
        """Every node that the stage takes, once."""
        return list(dict.fromkeys(node.id for node in self._all()))

    def through(self, step: str) -> list[str]:
        """The nodes that go through a step, each once."""
        return list(dict.fromkeys(node.id for node in self._all() if step in node.steps))

    def _all(self) -> Iterator[PlannedNode]:
        roles = (role for one in self.rounds for role in one.roles)
        return (node for role in roles for wave in role.waves for node in wave.nodes)


@dataclass(frozen=True)
class Plan:
    """The plan of a run: its release, the nodes that prefetch, its stages in order, and how many nodes
    prefetch together.
    """

    target: str
    prefetch: tuple[str, ...] = ()
    stages: tuple[PlannedStage, ...] = ()
    prefetch_together: int = PREFETCH_TOGETHER

    def plain(self) -> dict[str, Any]:
        """The tree as plain data."""
        return dict(_FORM.dump_python(self, mode="json"))

    def stage(self, name: str) -> PlannedStage | None:
        """The stage of that name, None where it was not planned."""
        return next((one for one in self.stages if one.stage == name), None)


_FORM = TypeAdapter(Plan)
