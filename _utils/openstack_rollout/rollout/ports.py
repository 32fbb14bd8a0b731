"""What a rollout needs of the world; the runner makes it of Salt, the tests of simulations."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from openstack_rollout.declared.audit import Audit
from openstack_rollout.declared.backup import BackedUp
from openstack_rollout.declared.facts import VirtualAddresses
from openstack_rollout.declared.kept import Kept
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.monitoring import Monitoring
from openstack_rollout.declared.readiness import Readiness
from openstack_rollout.drains.kinds import Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.monitoring.contract import Monitor, NoAnswer
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.lock import Lock
from openstack_rollout.records.run_record import Caller, Run
from openstack_rollout.rollout.consent import Nobody, Terminal
from openstack_rollout.rollout.fleet import Fleet, Halted
from openstack_rollout.rollout.openings import Events, no_calendar
from openstack_rollout.rollout.reboots import Reboots

Registry = Callable[[Mapping[str, str]], list[tuple[str, str]]]

Clusters = Callable[[Sequence[str]], None]

Verification = Callable[[Model, Sequence[str], Sequence[str]], str]

Addresses = Callable[[Sequence[str]], Mapping[str, VirtualAddresses]]

InHand = Callable[[Model, str, str, Sequence[str]], list[str]]

Layers = Callable[[Sequence[str]], Mapping[str, Mapping[str, int]]]

Digests = Callable[[Iterable[str]], Mapping[str, str | RolloutError]]

Agents = Callable[[Model, str, Sequence[str], float], str]

WayBack = Callable[
    [str, Mapping[str, Sequence[str]]], tuple[Mapping[str, Kept], Mapping[str, tuple[str, str]]]
]

Backups = Callable[
    [str, Mapping[str, Mapping[str, Any]], float, Halted],
    tuple[Mapping[str, BackedUp], Mapping[str, tuple[str, str]]],
]

Risks = Callable[[Model, Mapping[str, Sequence[str]]], dict[str, Any]]


class Heard(NamedTuple):
    """What a node told of its readiness; when it was asked, and when its answer was heard, by the master's
    clock (seconds since the epoch).
    """

    told: Readiness
    asked: float
    heard: float


class Readied(NamedTuple):
    """What nodes told of their readiness (by id), and why the others did not: node id → (reason, message)."""

    nodes: Mapping[str, Heard]
    failures: Mapping[str, tuple[str, str]]


class Standing(NamedTuple):
    """How a service, or an agent, of a node stands in OpenStack: its binary, whether it tells of itself,
    whether an operator lets it be used, and why not.
    """

    node: str
    binary: str
    up: bool
    enabled: bool
    reason: str = ""


AskStanding = Callable[[Model, Sequence[str]], Sequence[Standing]]

ServerGroups = Callable[[Model, Sequence[str]], Mapping[str, Collection[str]]]

AskReadiness = Callable[[Mapping[str, float], Mapping[str, Any], Halted], Readied]


class Auditing(Protocol):
    """Has guests probed, in the process of a run."""

    def begin(self, run: Run, audit: Audit | None) -> None:
        """A run begins, or goes on, that has these guests probed; None: nobody. Never fails."""

    def end(self) -> None:
        """The run ends, or pauses; waits for some seconds at most. Never fails."""

    def problems(self, audit: Audit | None) -> Sequence[str]:
        """Why guests could not be probed, a line each."""


class NoAuditing:
    """An Auditing of a world in which nobody probes."""

    def begin(self, run: Run, audit: Audit | None) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""

    def problems(self, audit: Audit | None) -> Sequence[str]:
        """None."""
        return ()


def no_monitor(_: Monitoring) -> Monitor:
    """Nobody asks a monitoring. Raises NoAnswer."""
    raise NoAnswer("nothing asks a monitoring here", passes=False)


@dataclass
class Ports:
    """The ports by name.

    pillar: compiles the master's pillar, and validates it into the Model. registry: what the registry lacks
    of {name: reference}, as [(reason, line)]. drains, reboots: make the Drains and the Reboots of a Model.
    clusters: raises RolloutError QUORUM_AT_RISK when a cluster of one of these controllers is not whole.
    content: stage → the fingerprint of what is declared at the moment (Model.content), asked before each
    node; raises RolloutError where that is refused. verification: has the cloud do something real on computes
    and gateways, and tells what. risks: what may go wrong when the workloads of nodes move, {role: nodes};
    raises RolloutError API_UNREACHABLE. addresses: nodes → what each tells that answered. in_hand: what a
    service of a node works on now, a name each; by its type (of gates.WORKERS), the node's id and those of
    all nodes; raises RolloutError API_UNREACHABLE. agents: waits until agents of a node (their names) tell
    OpenStack of themselves, for some seconds at most, and tells what; raises RolloutError SERVICE_FAILED.
    readiness: asks nodes ({id: seconds without a sign of life}) for readiness.report with some arguments.
    layers: what the registry says has to be fetched of images, {image: {digest: bytes}}. standing: how the
    services of nodes stand in OpenStack. server_groups: node → the groups of its servers. caller: tells who
    called this command. terminal: the one that runs a run. interrupted: whether somebody typed Ctrl-C in it.
    digests: references → the digest that the registry has of each, or the error in its place. events: the
    events of a calendar; raises RolloutError CALENDAR_UNREADABLE. monitor: the cloud's own monitoring.
    untold: why somebody could not be told of what becomes of a run.
    way_back: what nodes have kept of their way back from a run, and why others did not tell; by its id, and
    the images of each that it would go back to.
    backups: calls a function of node_backup on nodes, with arguments (node id → them), for some seconds at
    most; what they told, and why others did not.
    audit: has guests probed while a run is under way.
    clock: seconds since the epoch, for what is written down. monotonic: seconds that no step of the clock
    moves, for every wait.
    """

    fleet: Fleet
    journal: Journal
    lock: Lock
    pillar: Callable[[], Model]
    content: Callable[[], Mapping[str, str]]
    registry: Registry
    drains: Callable[[Model], Drains]
    reboots: Callable[[Model], Reboots]
    verification: Verification
    risks: Risks
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    clusters: Clusters = lambda _: None
    addresses: Addresses = lambda _: {}
    in_hand: InHand = lambda _model, _kind, _node, _nodes: []
    caller: Callable[[], Caller] = Caller
    readiness: AskReadiness = lambda _silences, _asking, _halted: Readied({}, {})
    layers: Layers = lambda _: {}
    standing: AskStanding = lambda _model, _nodes: []
    server_groups: ServerGroups = lambda _model, _nodes: {}
    terminal: Terminal = field(default_factory=Nobody)
    interrupted: Callable[[], bool] = lambda: False
    digests: Digests = lambda _: {}
    agents: Agents = lambda _model, _node, _agents, _seconds: ""
    events: Events = no_calendar
    monitor: Callable[[Monitoring], Monitor] = no_monitor
    untold: Callable[[Model], Sequence[str]] = lambda _: ()
    way_back: WayBack = lambda _run, _nodes: ({}, {})
    backups: Backups = lambda _function, _asked, _within, _halted: ({}, {})
    audit: Auditing = field(default_factory=NoAuditing)
