"""What an operator asked of a run beside its stages, and what a run asks an operator."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Asked:
    """What a run is asked to keep to.

    Attributes:
        limit: A compound target, "" for the whole cloud: no other node is touched.
        nodes: The ids that it meant when the run began; None before that, and without a limit. Of a rollback:
            those that go back.
        until: A stage, or stage:role, after which the run stops; "" for none.
        confirm: Before what it waits for a yes (never, stage, role, wave, node), "" as the policies say.
        breaks: Moment of hooks, or stage:moment → a compound target: the nodes that rest there.
        resting: Moment → the ids that its target meant when the run began; None before that.
        gate: The stop at which it stands, "" where it stands at none.
        passed: The stops at which it stood, and from which an operator had it go on.
    """

    limit: str = ""
    nodes: list[str] | None = None
    until: str = ""
    confirm: str = ""
    breaks: dict[str, str] = field(default_factory=dict)
    resting: dict[str, list[str]] | None = None
    gate: str = ""
    passed: list[str] = field(default_factory=list)


@dataclass
class Coming:
    """What comes on one node.

    steps: their names. differences: what will change, a line each. drain: the kinds of drain, `none` for
    none. reboot: never, when_required or always. seconds: how long it is expected to take; None: unknown.
    """

    node: str
    steps: list[str]
    differences: list[str]
    drain: str = "none"
    reboot: str = "never"
    seconds: float | None = None


@dataclass
class Question:
    """What a run asks before it goes on.

    Attributes:
        before: What it asks before: stage, role, wave, node; or the moment at which a node rests.
        stage: The stage, and round and role where it is of one, else "".
        nodes: Those that the answer lets go.
        keys: What a yes confirms; one for each of the nodes where it is of them.
        comes: What comes on the first of them.
        since: When it was asked, seconds since the epoch.
    """

    before: str
    stage: str
    round: str
    role: str
    nodes: list[str]
    keys: list[str]
    comes: list[Coming]
    since: float = 0.0

    @property
    def place(self) -> str:
        """Where in the plan it is, for people."""
        return ", ".join(filter(None, (self.stage, self.round and f"round {self.round}", self.role)))
