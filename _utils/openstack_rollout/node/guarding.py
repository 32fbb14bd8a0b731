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


def require_no_copy(container: str, progress: dict | None, timeout: float) -> None:
    """Raise NodeError COPY_STALLED where a wait ended while something was copied that must not be stopped.

    container (str): its name. progress (dict): of its guard, or None. timeout (float): seconds of the wait.
    """
    if progress and progress["copies"]:
        raise NodeError(
            "COPY_STALLED",
            f"{container}: {progress['what']}; that did not end, and nothing moved for {timeout:.0f} s."
            " It is left as it is: another start would copy from the beginning",
        )


class Look(NamedTuple):
    """What one look at a cluster found.

    found: what the guard goes on with, None where there is nothing to guard. lacks (list): what the cluster
    lacks, a line each. member (str): the name of this member, as far as it is known. reason (str): the word
    for what it lacks, "" for the usual one of the wait. others (bool): whether this member does its work
    with some of the others, and it is only more of them that are missing.
    """

    found: Any = None
    lacks: list[str] = []  # noqa: RUF012 - never changed
    member: str = ""
    reason: str = ""
    others: bool = False


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

    def until(
        self, ask: Callable[[], Any], timeout: float, every: float = 1.0, *, mark: waiting.Mark | None = None
    ) -> Any:
        """As waiting.until, by this clock."""
        return waiting.until(ask, timeout, every, self._clock, mark=mark)

    def whole(
        self,
        look: Callable[[], Look],
        timeout: float,
        every: float = 1.0,
        *,
        mark: waiting.Mark | None = None,
    ) -> Look:
        """Look at a cluster until it lacks nothing, or the time is over.

        look (callable): one look; an exception of it ends the wait. timeout, every (float): seconds in all,
        and between two looks. mark (callable): as for waiting.until.

        Returns the last look, whose `lacks` is empty when the cluster is whole.
        """
        seen = Look()

        def is_whole() -> bool:
            nonlocal seen
            seen = look()
            return not seen.lacks

        self.until(is_whole, timeout, every, mark=mark)
        return seen

    def spare(self, container: str, look: Callable[[], Look], patience: float, *, every: float = 1.0) -> Any:
        """Wait until a cluster can spare the member in a container.

        container (str): its name. look, every: as for `whole`. patience (float): seconds.

        Returns what the last look found. Raises NodeError with what the cluster lacks, QUORUM_AT_RISK where
        the look has no word of its own for it.
        """
        seen = self.whole(look, patience, every)
        if seen.lacks:
            reason = seen.reason or "QUORUM_AT_RISK"
            raise NodeError(
                reason,
                f"{container} of {seen.member} is not stopped, its cluster cannot spare it:"
                f" {'; '.join(seen.lacks)}",
            )
        return seen.found

    def back(
        self,
        container: str,
        look: Callable[[], Look],
        timeout: float,
        *,
        every: float = 1.0,
        progress: Callable[[], dict | None] = lambda: None,
    ) -> Any:
        """Wait until the member in a container is back, and drop the record of its change.

        container (str): its name. look, every: as for `whole`. timeout (float): seconds, from the last moment
        at which it moved. progress (callable): as a guard's, for this container.

        Returns what the last look found. Raises NodeError COPY_STALLED while it copies, MEMBERS_AWAY where it
        is others that are away, else, with what is missing, QUORUM_NOT_RESTORED where the look has no word of
        its own for it.
        """
        seen = self.whole(look, timeout, every, mark=lambda: (progress() or {}).get("mark"))
        if seen.lacks:
            require_no_copy(container, progress(), timeout)
            if seen.others:
                text = f"member {seen.member} is back and left as it is, others are not after {timeout:.0f} s"
                raise NodeError("MEMBERS_AWAY", f"{container}: {text}: {'; '.join(seen.lacks)}")
            reason = seen.reason or "QUORUM_NOT_RESTORED"
            raise NodeError(
                reason,
                f"{container}: member {seen.member} is not back after {timeout:.0f} s:"
                f" {'; '.join(seen.lacks)}",
            )
        self.end(container)
        return seen.found

    def _file(self, container: str) -> StateFile:
        return StateFile(self._folder / f"{container}.json")
