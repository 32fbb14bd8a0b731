"""What an operator asked of a run beside its stages; the run's record keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Asked:
    """What a run is asked to keep to.

    Attributes:
        limit: A compound target, "" for the whole cloud: no other node is touched.
        nodes: The ids that it meant when the run began; None before that, and without a limit.
        until: A stage, or stage:role, after which the run stops; "" for none.
        gate: The stop at which it stands, "" where it stands at none.
        passed: The stops at which it stood, and from which an operator had it go on.
    """

    limit: str = ""
    nodes: list[str] | None = None
    until: str = ""
    gate: str = ""
    passed: list[str] = field(default_factory=list)
