"""One controller at a time, whoever applies what: a turn that a node holds for as long as it renews it.

The master keeps it; nodes ask for it (peer_run). One that dies does not renew its turn, and the next one
gets it.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LASTS = 120.0  # seconds since it was taken, or renewed
RENEW_EVERY = 20.0


class Turn:
    """The turn in a file (path) of the master's cache directory. clock: seconds since the epoch."""

    def __init__(self, path: str | os.PathLike[str], clock: Callable[[], float] = time.time):
        self._path = Path(path)
        self._clock = clock

    def take(self, node: str, job: str, why: str) -> dict[str, Any]:
        """Take the turn, or renew the one that this job has.

        node (str): a minion's id. job (str): what tells two jobs of a node apart. why (str): for others to
        read.

        Returns who has it now: {"node", "job", "why", "since", "until"}; the caller has it when `job` is
        its own.
        """
        with self._guarded():
            now = self._clock()
            holder = self._read()
            if holder and holder["job"] != job and holder["until"] > now:
                return holder
            since = holder["since"] if holder and holder["job"] == job else now
            holder = {"node": node, "job": job, "why": why, "since": since, "until": now + LASTS}
            self._write(holder)
            return holder

    def give(self, job: str) -> None:
        """Give the turn back; nothing happens when another job has it."""
        with self._guarded():
            holder = self._read()
            if holder and holder["job"] == job:
                self._path.unlink(missing_ok=True)

    def holder(self) -> dict[str, Any] | None:
        """Who has the turn, None when it is free."""
        holder = self._read()
        return holder if holder and holder["until"] > self._clock() else None

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Hold off other processes while the file is read and written."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(f"{self._path}.guard", "a", encoding="utf-8") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield

    def _read(self) -> dict[str, Any] | None:
        try:
            return json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def _write(self, holder: dict[str, Any]) -> None:
        aside = self._path.with_suffix(".new")
        aside.write_text(json.dumps(holder), encoding="utf-8")
        aside.replace(self._path)
