"""What was taken away from a node, and how far that is: written before the thing is done.

The record outlives run, engine and master: a drained node never has to be guessed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openstack_rollout.records.journal import Journal

VERSION = 1
BY_HAND = ""  # the run of a record that an operator made; no run brings such a node back


class DrainState(StrEnum):
    """How far a drain is."""

    DRAINING = "draining"
    DRAINED = "drained"
    RESTORING = "restoring"


@dataclass
class DrainRecord:
    """What was taken away from one node.

    Attributes:
        node: The minion's id.
        role: The role under whose policy it was drained.
        kind: The kind of drain.
        run: The run that drained it, BY_HAND for an operator.
        stage: The stage before which it was drained, "" by hand.
        state: How far it is.
        message: One line on what was done, or went wrong.
        since: When it was begun, seconds since the epoch.
        updated: When this was last written.
        data: The kind's own part, plain data.
        version: Of this form of the record.
    """

    node: str
    role: str
    kind: str
    run: str
    stage: str
    state: DrainState = DrainState.DRAINING
    message: str = ""
    since: float = 0.0
    updated: float = 0.0
    data: dict[str, Any] = field(default_factory=dict)
    version: int = VERSION


class OpenDrain:
    """The record of a node, as the kind of drain that works on it sees it: `data`, and `save`."""

    def __init__(self, journal: Journal, record: DrainRecord, clock: Callable[[], float] = time.time):
        self._journal = journal
        self._clock = clock
        self.record = record

    @classmethod
    def of(cls, journal: Journal, node: str, clock: Callable[[], float] = time.time) -> OpenDrain | None:
        """The record that a node has, None when nothing was taken away from it."""
        record = journal.drained(node)
        return cls(journal, record, clock) if record else None

    @classmethod
    def begin(cls, journal: Journal, place: DrainRecord, clock: Callable[[], float] = time.time) -> OpenDrain:
        """Open a node's record, or go on with the one it has, whoever made it.

        place (DrainRecord): which node, role, kind, run and stage a new one is of.
        """
        found = cls.of(journal, place.node, clock)
        if found is None:
            found = cls(journal, replace(place, since=clock()), clock)
        found.note(DrainState.DRAINING, "")
        return found

    @property
    def data(self) -> dict[str, Any]:
        """The kind's own part of the record."""
        return self.record.data

    @data.setter
    def data(self, data: dict[str, Any]) -> None:
        self.record.data = data

    def save(self) -> None:
        """Write the record."""
        self.record.updated = self._clock()
        self._journal.save_drained(self.record)

    def note(self, state: DrainState, message: str) -> None:
        """Write how far it is."""
        self.record.state, self.record.message = state, message
        self.save()

    def close(self) -> None:
        """Forget it: everything is back."""
        self._journal.forget_drained(self.record.node)
