"""What each kind of drain implements, and what it is given.

A drain does its work through any API it needs. When it is called is decided by the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable


class Answer(NamedTuple):
    """What a function returned on a node, or why it failed.

    error (str): for people, "" when it succeeded. reason (str): a word of errors.REASONS where the error has
    one, else ""; NODE_SILENT when the node did not answer.
    """

    value: Any
    error: str = ""
    reason: str = ""


class Ask(Protocol):
    """How a drain calls functions on nodes."""

    def members(self, target: str) -> list[str]:
        """The ids of the nodes that a target matches.

        target (str): a compound target of Salt; only nodes whose keys are accepted count.
        """

    def ask(
        self,
        nodes: Iterable[str],
        function: str,
        keywords: Mapping[str, Any] | None = None,
        timeout: int = 15,
    ) -> dict[str, Answer]:
        """Call a function on nodes; returns an answer for each of them, also for those that gave none.

        nodes: minion ids. function (str): of an execution module, e.g. `pacemaker.standby`. keywords: its
        arguments. timeout (int): seconds after which a node that shows no sign of the call counts as silent.
        """


class Record(Protocol):
    """What was taken away from a node.

    data (dict): plain data, whose keys each kind of drain chooses; empty at the first drain.
    """

    data: dict[str, Any]

    def save(self) -> None:
        """Write it to the journal; to be called before anything is done that it describes."""


class Drain(Protocol):
    """How workloads leave the nodes of a role, and come back.

    stages (frozenset): the stages before which a node is drained.

    drain and restore are called in threads of the engine's process, for several nodes at a time. refuse and
    capacity are called by the engine itself and should return within seconds.
    """

    stages: frozenset[str]

    def refuse(self, nodes: Sequence[str]) -> None:
        """Raise RolloutError (NO_SPARE, API_UNREACHABLE, …) when these nodes cannot be drained at all.

        nodes: minion ids of all that the run will drain. Called before anything is changed.
        """

    def capacity(self, nodes: Sequence[str]) -> int:
        """How many of these nodes, counted from the first, may be drained at the same time now.

        nodes: minion ids; first those that are drained or being drained, then those that would start, in
        their order. The engine drains no more than this and no more than the batch. When it is 0 while none
        is drained, the run pauses with NO_SPARE. Raises RolloutError when it cannot be found out.
        """

    def drain(self, node: str, record: Record) -> str:
        """Move the workloads of a node (minion id) away; returns one line on what was done.

        Idempotent: called again after an interruption, with the record as it was saved, it continues. Raises
        RolloutError DRAIN_FAILED (restore is called then, with the same record), or SERVERS_UNMOVABLE for a
        node to be left out without counting as a failure.
        """

    def restore(self, node: str, record: Record) -> str:
        """Bring back what the record says was moved away from a node (minion id), and nothing else.

        Returns one line on what was done. Idempotent as well, and able to undo half a drain. Raises
        RolloutError RESTORE_FAILED.
        """


@runtime_checkable
class KeepsApart(Protocol):
    """What a kind of drain implements too whose workloads must not be disturbed on any two nodes at once."""

    def apart(self, nodes: Sequence[str]) -> Mapping[str, frozenset[str]]:
        """What the workloads of each node belong to now, e.g. server groups.

        nodes: minion ids. Two nodes that have something in common never go together. A node that is not in
        what is returned does not go yet. Raises RolloutError when it cannot be found out.
        """


def shared(drains: Iterable[KeepsApart], nodes: Sequence[str]) -> dict[str, frozenset[str]]:
    """What the workloads of each node (minion id) belong to, by all of some drains together."""
    found = dict.fromkeys(nodes, frozenset[str]())
    for drain in drains:
        told = drain.apart(list(found))
        found = {node: had | told[node] for node, had in found.items() if node in told}
    return found
