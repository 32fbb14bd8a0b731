"""What a run is, as the journal keeps it: one update of a cloud, its stages, and what became of its nodes.

The records are plain data with a version. A record of another version is refused, never read with a guess.
Times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from openstack_rollout.records.asked import Asked, Question
from openstack_rollout.records.planned import Plan
from openstack_rollout.records.snapshot import Snapshot

VERSION = 1
MOST_BEGUN = 50  # of those who had a run go on, and of the times that it stopped
MOST_STEPS = 400  # that are kept of a node
MOST_SILENCES = 100
APPLY = "apply"  # the step that changes a node


class RunState(StrEnum):
    """What a run is doing. INTERRUPTED is never written: a run is `running` in a process that is gone."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    OPEN_ENDS = "completed_with_open_ends"
    ABORTED = "aborted"
    INTERRUPTED = "interrupted"


#: States of a run that can go on.
UNFINISHED = (RunState.RUNNING, RunState.PAUSED)


class StageState(StrEnum):
    """How far a stage of a run is."""

    OPEN = ""
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    PAUSED = "paused"
    INCOMPLETE = "incomplete"
    ABORTED = "aborted"


class NodeState(StrEnum):
    """What a run is doing with a node."""

    WAITING = "waiting"
    IN_FLIGHT = "in_flight"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Caller:
    """Who called a command: the user, the terminal ("" without one), the job of Salt's scheduler ("" for
    none).
    """

    user: str = ""
    terminal: str = ""
    schedule: str = ""


@dataclass(frozen=True)
class Called:
    """By whom and when (seconds since the epoch) something was asked of a run."""

    by: Caller = Caller()
    at: float = 0.0


@dataclass(frozen=True)
class Stopped:
    """When a run stopped (seconds since the epoch), as what, and why."""

    at: float
    state: RunState
    reason: str
    message: str


@dataclass
class Trial:
    """The canaries of a role in a stage, chosen once a run, and whether they soaked."""

    canaries: list[str] = field(default_factory=list)
    soaked: bool = False


@dataclass
class GoesBack:
    """Canaries that failed and are to go back by themselves: in which stage, and why (reason, message)."""

    stage: str
    nodes: list[str]
    reason: str
    message: str


@dataclass
class StageRecord:
    """A stage of a run: its state, when it started and finished, nodes counted by state, canaries by role."""

    state: StageState = StageState.OPEN
    started: float | None = None
    finished: float | None = None
    counts: dict[str, int] = field(default_factory=dict)
    trials: dict[str, Trial] = field(default_factory=dict)


@dataclass
class Closed:
    """For what a run waits that paused as WINDOW_CLOSED: a node of a role (and a group of it, "" for none)
    that takes so many seconds at a stage (or prefetch), and when it may start, None where nobody knows.
    """

    node: str
    role: str
    stage: str
    seconds: float
    opens: float | None
    group: str = ""


@dataclass
class Run:
    """One update.

    Attributes:
        id: Its identifier.
        target: The release that nodes go to, "" where none is declared.
        content: Stage → the fingerprint of what it brings nodes to, when the run began or went on.
        orchestration: The SLS that runs it, e.g. orch.update.
        stages: The names of its stages, in order.
        created: When it was opened.
        updated: When this was last written.
        owner: The process that drives it: host and pid.
        state: What it is doing.
        reason: A word of errors.REASONS, "" while nothing is wrong.
        message: What is wrong and where, for people.
        stage: Name of a stage, or `prefetch` → how far it is.
        plan: What was planned when it began, None before that.
        planned: When that was.
        asked: What it is asked to keep to, such as a limit.
        questions: What it asks an operator at the moment, by the first of the keys that a yes confirms.
        gone: Nodes that the run before knew and that were no accepted minions when this one began: node id →
            {"role", "key"}.
        addresses: Virtual address → the nodes that may hold it, as far as they were seen in this run.
        tags: What tags of custom images were when it began: reference → digest.
        verified: What the cloud was tried out with at the end, one line.
        open_ends: Nodes that are set aside at its end: node id → {"role", "stage", "step", "reason",
            "message", "drained"}.
        closed: What a run waits for that is paused as WINDOW_CLOSED.
        finished: When it completed.
        begun: Who began it, and who had it go on, the latest of them.
        accepted: Condition → who accepted it for this run.
        stopped: The times that it stopped, the latest of them; a process that was killed wrote none.
        expected: How long it was expected to take when it began, as of Estimate.of_run; None where nothing
            was to do.
        windows: Role → when its window is open (from, to), as was declared when the run began or went on.
        conditions: Condition → what was seen of it before the run began, or went on, where something was.
        rollback: The run that it undoes, "" where it goes to its target.
        backup: Node id → the parts of the backup (named as the run) that was taken there before it.
        approved: Who accepted what it did, and when; None where nobody has.
        goes_back: Its canaries that are to go back by a rollback of their own, or went; None where none are.
        version: Of this form of the record.
    """

    id: str
    target: str
    orchestration: str
    stages: list[str]
    created: float
    updated: float
    owner: dict[str, Any]
    state: RunState = RunState.RUNNING
    reason: str = ""
    message: str = ""
    stage: dict[str, StageRecord] = field(default_factory=dict)
    plan: Plan | None = None
    planned: float = 0.0
    asked: Asked = field(default_factory=Asked)
    questions: dict[str, Question] = field(default_factory=dict)
    content: dict[str, str] = field(default_factory=dict)
    gone: dict[str, dict[str, str]] = field(default_factory=dict)
    addresses: dict[str, list[str]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    verified: str = ""
    open_ends: dict[str, dict[str, Any]] = field(default_factory=dict)
    closed: Closed | None = None
    finished: float | None = None
    begun: list[Called] = field(default_factory=list)
    accepted: dict[str, Called] = field(default_factory=dict)
    conditions: dict[str, dict[str, Any]] = field(default_factory=dict)
    stopped: list[Stopped] = field(default_factory=list)
    expected: dict[str, Any] | None = None
    windows: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    rollback: str = ""
    goes_back: GoesBack | None = None
    backup: dict[str, list[str]] = field(default_factory=dict)
    approved: Called | None = None
    version: int = VERSION

    @property
    def at_goal(self) -> str:
        """What its nodes have to be, for people."""
        return f"what it was before run {self.rollback}" if self.rollback else f"at {self.target}"

    @property
    def tracks(self) -> bool:
        """Whether its custom images are those of its target from now on."""
        return bool(self.target) and not self.rollback

    def of_stage(self, name: str) -> StageRecord:
        """How far a stage is; a new record for one that has none."""
        return self.stage.setdefault(name, StageRecord())

    def begin(self, called: Called) -> None:
        """Note who begins it, or has it go on."""
        self.begun = [*self.begun, called][-MOST_BEGUN:]

    def stop(self, at: float) -> None:
        """Note that it stops now, as what it says of itself. at: seconds since the epoch."""
        self.stopped = [*self.stopped, Stopped(at, self.state, self.reason, self.message)][-MOST_BEGUN:]


@dataclass(slots=True)
class Step:
    """A step that ended on a node.

    outcome: `done`, or the reason and the message it failed with. said: what a step that is done tells. slow:
    seconds that it takes as a rule, where it took far longer; else 0. reason: under which it failed, else "".
    """

    stage: str
    step: str
    started: float
    finished: float
    outcome: str
    said: str = ""
    round: str = ""
    slow: float = 0.0
    reason: str = ""


@dataclass
class Silenced:
    """Alerts of a node that were silenced: what the policy calls that (role:name), its id in Alertmanager,
    from when to when; None while nobody knows that it ended.
    """

    name: str
    id: str
    begun: float
    ended: float | None = None


@dataclass
class NodeRecord:
    """What a run did to one node, and what it is doing: in which round of a stage, at which step, as which
    job of Salt.

    slow: seconds that the step under way takes as a rule, where it takes far longer; else 0. tries: stage,
    round and step → how often it failed for what passes by itself. again: when that step is taken again.
    quarantined: it failed, and the run goes on without it. before, after: what it was before the run touched
    it, and when it was measured last. silences: of its alerts, the latest of them.
    """

    role: str = ""
    zone: str | None = None
    stage: str = ""
    round: str = ""
    step: str = ""
    jid: str = ""
    state: NodeState = NodeState.WAITING
    started: float = 0.0
    reason: str = ""
    message: str = ""
    history: list[Step] = field(default_factory=list)
    slow: float = 0.0
    tries: dict[str, int] = field(default_factory=dict)
    again: float = 0.0
    quarantined: bool = False
    before: Snapshot | None = None
    after: Snapshot | None = None
    silences: list[Silenced] = field(default_factory=list)
    version: int = VERSION

    def add(self, step: Step) -> None:
        """Note a step that ended. Of very many, the oldest that failed or did nothing are forgotten first."""
        self.history.append(step)
        if len(self.history) > MOST_STEPS:
            idle = (number for number, one in enumerate(self.history) if one.outcome != "done")
            del self.history[next(idle, 0)]

    @property
    def moved(self) -> list[str]:
        """The stages in which the node was changed, or may have been."""
        return self.taken(APPLY)

    @property
    def was_moved(self) -> bool:
        """Whether the node was changed, or may have been."""
        return self.step == APPLY or any(one.step == APPLY for one in self.history)

    @property
    def was_touched(self) -> bool:
        """Whether anything was begun on the node but to measure it."""
        return any(one.step != "measure" for one in self.history)

    def taken(self, step: str) -> list[str]:
        """The stages in which a step was begun, however it ended."""
        found = {one.stage: None for one in self.history if one.step == step}
        return list(found | ({self.stage: None} if self.step == step else {}))
