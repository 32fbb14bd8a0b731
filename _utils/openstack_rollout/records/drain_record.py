"""What was taken away from a node, and how far that is: written before the thing is done.

The record outlives run, engine and master: a drained node never has to be guessed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from openstack_rollout.records.journal import Journal

BY_HAND = ""  # the run of a record that an operator made; no run brings such a node back


class NodeRecord:
    """The record of one node in the journal.

    entry (dict): node, role, kind, run (BY_HAND for an operator's), stage, state (draining, drained or
    restoring), message, since and updated (seconds since the epoch), data.
    """

    def __init__(self, journal: Journal, entry: dict[str, Any], clock: Callable[[], float] = time.time):
        self._journal = journal
        self._clock = clock
        self.entry = entry

    @classmethod
    def of(cls, journal: Journal, node: str, clock: Callable[[], float] = time.time) -> NodeRecord | None:
        """The record that a node has, None when nothing was taken away from it."""
        entry = journal.drained(node)
        return cls(journal, entry, clock) if entry else None

    @classmethod
    def begin(
        cls, journal: Journal, place: Mapping[str, str], clock: Callable[[], float] = time.time
    ) -> NodeRecord:
        """Open a node's record, or go on with the one it has, whoever made it.

        place (dict): node, role, kind, run, stage.
        """
        found = cls.of(journal, place["node"], clock)
        if found is None:
            found = cls(journal, {**place, "since": clock(), "data": {}}, clock)
        found.note("draining", "")
        return found

    @property
    def data(self) -> dict[str, Any]:
        """The kind's own part of the record."""
        return cast("dict[str, Any]", self.entry["data"])

    @data.setter
    def data(self, data: dict[str, Any]) -> None:
        self.entry["data"] = data

    def save(self) -> None:
        """Write the record."""
        self.entry["updated"] = self._clock()
        self._journal.save_drained(self.entry["node"], self.entry)

    def note(self, state: str, message: str) -> None:
        """Write how far it is."""
        self.entry.update(state=state, message=message)
        self.save()

    def close(self) -> None:
        """Forget it: everything is back."""
        self._journal.forget_drained(self.entry["node"])
