"""What a kind of drain has to offer.

A kind does the work through whatever API it needs; when it happens is the engine's affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol


class Answer(NamedTuple):
    """What a node said: its value, or the error that kept it from it.

    reason: a word of errors.REASONS where the error has one; NODE_SILENT when the node gave no answer.
    """

    value: Any
    error: str = ""
    reason: str = ""


class Ask(Protocol):
    """How a drain asks nodes."""

    def members(self, target: str) -> list[str]:
        """Ids of the accepted nodes that a compound target matches."""

    def ask(
        self,
        nodes: Iterable[str],
        function: str,
        keywords: Mapping[str, Any] | None = None,
        timeout: int = 15,
    ) -> dict[str, Answer]:
        """Call a function on nodes; an answer for each of them, also for those that gave none.

        timeout (int): seconds after which a node that shows no sign of the call counts as silent.
        """


class Record(Protocol):
    """What was taken away from a node. data (dict): plain data, the kind's own; empty at the first drain."""

    data: dict[str, Any]

    def save(self) -> None:
        """Write it to the journal: always before the thing that it tells of is done."""


class Drain(Protocol):
    """How workloads leave the nodes of a role, and come back.

    drain and restore run in threads of the engine's process, several nodes at a time; refuse and room are
    called from the engine itself and should answer within seconds. stages (frozenset): those before which a
    node is drained.
    """

    stages: frozenset[str]

    def refuse(self, nodes: Sequence[str]) -> None:
        """Raise RolloutError (NO_SPARE, API_UNREACHABLE, …) when these nodes cannot be drained at all.

        Called before anything is touched, with every node that the run is going to drain.
        """

    def room(self, nodes: Sequence[str]) -> int:
        """How many of these nodes, from the first on, may be away together now (live capacity).

        nodes: those in flight first (drained, or about to be), then those that wait, in their order. The
        engine takes the lesser of this and the batch; 0 while none is away pauses the run under NO_SPARE.
        Raises RolloutError when nobody can tell.
        """

    def drain(self, node: str, record: Record) -> str:
        """Take the workloads away; returns one line on what was done.

        Idempotent: called again, with the record as it was saved, it goes on where a killed one stopped.
        Raises RolloutError DRAIN_FAILED (restore is called then, with the same record), or
        SERVERS_UNMOVABLE for a node to be left out without counting as a failure.
        """

    def restore(self, node: str, record: Record) -> str:
        """Bring back what the record says was taken away, and nothing else; returns one line on what was
        done.

        Idempotent as well, and able to undo half a drain. Raises RolloutError RESTORE_FAILED.
        """
