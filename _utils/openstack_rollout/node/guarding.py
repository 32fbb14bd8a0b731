"""What all guards do alike: the record of a change, and the waits for a whole cluster at both ends of it.

The contract of a guard is in node/guards.py; each guard is an execution module, which asks its own kind of
cluster.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from openstack_rollout.node import waiting
from openstack_rollout.node.errors import NodeError
from openstack_rollout.records.state_file import StateFile

FOLDER = Path("/var/lib/openstack-rollout/guard")


class Look(NamedTuple):
    """What one look at a cluster found.

    found: what the guard goes on with, None where there is nothing to guard. lacks (list): what the cluster
    lacks, a line each. member (str): the name of this member, as far as it is known.
    """

    found: Any = None
    lacks: list[str] = []  # noqa: RUF012 - never changed
    member: str = ""


class Steps:
    """The steps of a guard.

    folder (Path): where the records of changes are kept, a small file for each container; they outlive a run
    that dies. clock: a module with `monotonic` and `sleep`, for tests.
    """

    def __init__(self, folder: Path = FOLDER, clock: ModuleType = time):
        self._folder = folder
        self._clock = clock

    def pending(self, container: str) -> dict | None:
        """The token of a change that was begun and not finished, None when there is none.

        container (str): its name. Raises NodeError NODE_ERROR when the record cannot be read.
        """
        file = self._file(container)
        try:
            return file.read()
        except (OSError, ValueError) as error:
            raise NodeError("NODE_ERROR", f"{file.path}: {error}") from error

    def begin(self, container: str, token: dict) -> None:
        """Record a change that takes a container out of service from now on.

        container (str): its name. token (dict): what finishes the change, or undoes it. Raises NodeError
        NODE_ERROR when the disk refuses.
        """
        file = self._file(container)
        try:
            file.write(token)
        except OSError as error:
            raise NodeError("NODE_ERROR", f"{file.path}: {error}") from error

    def token(self, container: str, token: dict | None) -> dict:
        """The token at hand, else that of a run that died; {} without one.

        container (str): its name. token (dict): the one at hand, or None.
        """
        return token or self.pending(container) or {}

    def end(self, container: str) -> None:
        """Drop the record of a change that is finished or undone.

        container (str): its name. Nothing happens without a record.
        """
        self._file(container).forget()

    def until(self, ask: Callable[[], Any], timeout: float, every: float = 1.0) -> Any:
        """As waiting.until, by this clock."""
        return waiting.until(ask, timeout, every, self._clock)

    def whole(self, look: Callable[[], Look], timeout: float, every: float = 1.0) -> Look:
        """Look at a cluster until it lacks nothing, or the time is over.

        look (callable): one look; an exception of it ends the wait. timeout, every (float): seconds in all,
        and between two looks.

        Returns the last look, whose `lacks` is empty when the cluster is whole.
        """
        seen = Look()

        def is_whole() -> bool:
            nonlocal seen
            seen = look()
            return not seen.lacks

        self.until(is_whole, timeout, every)
        return seen

    def spare(self, container: str, look: Callable[[], Look], patience: float, *, every: float = 1.0) -> Any:
        """Wait until a cluster can spare the member in a container.

        container (str): its name. look, every: as for `whole`. patience (float): seconds.

        Returns what the last look found. Raises NodeError QUORUM_AT_RISK with what the cluster lacks.
        """
        seen = self.whole(look, patience, every)
        if seen.lacks:
            raise NodeError(
                "QUORUM_AT_RISK",
                f"{container} of {seen.member} is not stopped, its cluster cannot spare it:"
                f" {'; '.join(seen.lacks)}",
            )
        return seen.found

    def back(self, container: str, look: Callable[[], Look], timeout: float, *, every: float = 1.0) -> Any:
        """Wait until the member in a container is back, and drop the record of its change.

        container (str): its name. look, every: as for `whole`. timeout (float): seconds.

        Returns what the last look found. Raises NodeError QUORUM_NOT_RESTORED with what is missing.
        """
        seen = self.whole(look, timeout, every)
        if seen.lacks:
            raise NodeError(
                "QUORUM_NOT_RESTORED",
                f"{container}: member {seen.member} is not back after {timeout:.0f} s:"
                f" {'; '.join(seen.lacks)}",
            )
        self.end(container)
        return seen.found

    def _file(self, container: str) -> StateFile:
        return StateFile(self._folder / f"{container}.json")
