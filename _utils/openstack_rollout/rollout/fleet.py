"""The small interface through which the engine talks to the nodes.

on_salt/fleet.py is the real one; the unit tests have a simulated one. The engine is the same for both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from openstack_rollout.errors import TRANSIENT, RolloutError

#: Why nobody is to wait any longer, None: go on.
Halted = Callable[[], RolloutError | None]


def never() -> None:
    """Nothing halts."""


@dataclass(frozen=True)
class StepResult:
    """How a step ended on a node: reason (a named word) and message when it failed, data (dict) as the step
    returns it, idle: it had nothing to do. transient: whether the failure passes by itself, None: as its
    reason says. retry_after: seconds for which a server wants to be left alone. waited: it was waited for
    already, as long as a setting allows.
    """

    node: str
    jid: str
    succeeded: bool
    reason: str = ""
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    idle: bool = False
    transient: bool | None = None
    retry_after: float = 0.0
    waited: bool = False

    @property
    def passes(self) -> bool:
        """Whether the failure passes by itself."""
        return self.reason in TRANSIENT if self.transient is None else self.transient


class NothingDue(str):
    """The line of a step that had nothing to do: what it took says nothing of the next time."""

    __slots__ = ()


@dataclass(frozen=True)
class Context:
    """What a node is told of the run that a step belongs to.

    run (str): its identifier. target (str): its release. stages: their names. services: those of the round,
    None where the stage has one round alone. drained: whether workloads were taken away from the node.
    content: stage → the fingerprint of what it brings nodes to. boot_id: of the boot in which the node was
    measured, "" where another one may have begun by now. agents: what OpenStack calls those that restart.
    patience: seconds that the step may wait for something. rollback: the run that this one undoes. moved:
    whether this run has changed the node before.
    """

    run: str
    target: str
    stages: tuple[str, ...]
    services: tuple[str, ...] | None = None
    drained: bool = False
    content: Mapping[str, str] = field(default_factory=dict)
    boot_id: str = ""
    agents: tuple[str, ...] = ()
    patience: float = 0.0
    rollback: str = ""
    moved: bool = False


@dataclass(frozen=True)
class Answers:
    """What nodes answered when asked together: facts by node id, not yet checked, and failures
    {node id: (reason, message)} of the rest.

    A node that did not answer is in failures with NODE_SILENT: every node asked is in exactly one of the two.
    """

    facts: Mapping[str, Any]
    failures: Mapping[str, tuple[str, str]]


class Measurable(Protocol):
    """Ask nodes for their facts."""

    def members(self, target: str) -> list[str]:
        """Ids of the accepted nodes that a compound target matches, those that are down included."""

    def unread(self, target: str, nodes: Iterable[str]) -> list[str]:
        """Those of some nodes of which the master does not know what a compound target asks for: such as the
        grains of one that `not G@…` matches all the same.
        """

    def facts(self, silences: Mapping[str, float], refresh: bool = False, halted: Halted = never) -> Answers:
        """Measure nodes now. silences: node id → seconds that it may give no sign of life. refresh: have them
        ask their package repositories first. halted: asked meanwhile; what it returns is raised.
        """


class Fleet(Measurable, Protocol):
    """Start a step of the procedure on a node, wait for steps to end, ask nodes for their facts."""

    def keys(self) -> Mapping[str, str]:
        """The keys that are not accepted: node id → pending, rejected or denied. A node may have a denied key
        beside its accepted one: somebody else, or itself installed anew, called in its name.
        """

    def new_job(self) -> str:
        """An identifier for a job that is about to start, so that the journal can hold it before it runs."""

    def start(self, node: str, step: str, stage: str, jid: str, silence: float, *, context: Context) -> None:
        """Start a step under that identifier and return at once; its end comes out of poll.

        context: what the node is told of the run. A node whose pillar has another target or content must
        refuse.
        """

    def adopt(self, node: str, step: str, stage: str, jid: str, silence: float) -> None:
        """Wait for a job that another, now dead, engine started; its end comes out of poll as well."""

    def end(self, node: str, step: str, jid: str) -> None:
        """End a step on its node, as far as that is safe there, and return at once.

        It comes out of poll as a failure STEP_TIMEOUT, soon, and whatever the node does; the message says
        what became of it.
        """

    def poll(self, seconds: float) -> list[StepResult]:
        """The steps that ended; waits up to that long for the first."""

    def announce(self, tag: str, data: dict[str, Any]) -> None:
        """Fire an event for watchers."""
