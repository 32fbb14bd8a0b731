"""One controller at a time, whoever applies what: a turn that a node holds for as long as it renews it.

The master keeps it; nodes ask for it (peer_run). One that dies does not renew its turn, and the next one
gets it. Its time is counted in seconds since the master's boot, which no step of the clock moves.
"""

from __future__ import annotations

import os
import time
from numbers import Real
from types import ModuleType
from typing import Any

from openstack_rollout.records import processes
from openstack_rollout.records.state_file import StateFile

LASTS = 120.0  # seconds since it was taken, or renewed
LONGEST = 6 * 3600.0  # seconds that one job may renew it: a whole database may have to be copied
RENEW_EVERY = 20.0
_FORM = {"node": str, "job": str, "why": str, "boot": str, "began": Real, "ends": Real}


class Turn:
    """The turn in a file (path) of the master's cache directory.

    clock: a module with `time` and `monotonic`, for tests.
    """

    def __init__(self, path: str | os.PathLike[str], clock: ModuleType = time):
        self._file = StateFile(path, _FORM)
        self._clock = clock

    def take(self, node: str, job: str, why: str) -> dict[str, Any]:
        """Take the turn, or renew the one that this job has.

        node (str): a minion's id. job (str): what tells two jobs of a node apart. why (str): for others to
        read.

        Returns who has it now: {"node", "job", "why", "since", "until"}; the caller has it when `job` is
        its own.
        """
        with self._file.guarded():
            now = self._clock.monotonic()
            kept = self._read()
            if not kept or kept["job"] == job or kept["ends"] <= now:
                began = kept["began"] if kept and kept["job"] == job else now
                ends = min(now + LASTS, began + LONGEST)
                kept = {"node": node, "job": job, "why": why, "began": began, "ends": ends}
            self._file.write({**kept, "boot": processes.boot()})
            return self._told(kept)

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
        kept = self._read()
        return self._told(kept) if kept and kept["ends"] > self._clock.monotonic() else None

    def _read(self) -> dict[str, Any] | None:
        """The turn as it is kept: since when, and until when, in seconds since this boot of the master."""
        try:
            kept = self._file.read()
        except ValueError:
            return None  # whoever wrote that does not hold others up
        if kept and kept["boot"] != processes.boot():
            # Its node may be at work still: it gets the time of a renewal.
            now = self._clock.monotonic()
            kept |= {"began": now, "ends": now + LASTS}
        return kept

    def _told(self, kept: dict[str, Any]) -> dict[str, Any]:
        """The turn as others read it: times are seconds since the epoch."""
        boot = self._clock.time() - self._clock.monotonic()
        names = {name: kept[name] for name in ("node", "job", "why")}
        return {**names, "since": boot + kept["began"], "until": boot + kept["ends"]}
