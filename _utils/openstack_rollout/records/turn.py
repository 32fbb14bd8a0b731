"""One controller at a time, whoever applies what: a turn that a node holds for as long as it renews it.

The master keeps it; nodes ask for it (peer_run). One that dies does not renew its turn, and the next one
gets it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from openstack_rollout.records.state_file import StateFile

LASTS = 120.0  # seconds since it was taken, or renewed
LONGEST = 6 * 3600.0  # seconds that one job may renew it: a whole database may have to be copied
RENEW_EVERY = 20.0


class Turn:
    """The turn in a file (path) of the master's cache directory. clock: seconds since the epoch."""

    def __init__(self, path: str | os.PathLike[str], clock: Callable[[], float] = time.time):
        self._file = StateFile(path)
        self._clock = clock

    def take(self, node: str, job: str, why: str) -> dict[str, Any]:
        """Take the turn, or renew the one that this job has.

        node (str): a minion's id. job (str): what tells two jobs of a node apart. why (str): for others to
        read.

        Returns who has it now: {"node", "job", "why", "since", "until"}; the caller has it when `job` is
        its own.
        """
        with self._file.guarded():
            now = self._clock()
            holder = self._read()
            if holder and holder["job"] != job and holder["until"] > now:
                return holder
            since = holder["since"] if holder and holder["job"] == job else now
            until = min(now + LASTS, since + LONGEST)
            holder = {"node": node, "job": job, "why": why, "since": since, "until": until}
            self._file.write(holder)
            return holder

    def is_of(self, node: str, job: str) -> bool:
        """Whether this job of the node has it, and may renew it."""
        holder = self.holder()
        return holder is not None and (holder["node"], holder["job"]) == (node, job)

    def give(self, job: str) -> None:
        """Give the turn back; nothing happens when another job has it."""
        with self._file.guarded():
            holder = self._read()
            if holder and holder["job"] == job:
                self._file.forget()

    def holder(self) -> dict[str, Any] | None:
        """Who has the turn, None when it is free."""
        holder = self._read()
        return holder if holder and holder["until"] > self._clock() else None

    def _read(self) -> dict[str, Any] | None:
        try:
            return self._file.read()
        except ValueError:
            return None  # whoever wrote that does not hold others up
