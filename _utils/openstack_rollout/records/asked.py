"""What an operator asked of a run beside its stages; the run's record keeps it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Asked:
    """What a run is asked to keep to.

    Attributes:
        limit: A compound target, "" for the whole cloud: no other node is touched.
        nodes: The ids that it meant when the run began; None before that, and without a limit.
    """

    limit: str = ""
    nodes: list[str] | None = None
