"""What guards do alike: the record of a change, the wait for a whole cluster, the errors at both ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from openstack_rollout.node import guard_record, waiting
from openstack_rollout.node.errors import NodeError

Lacks = Callable[[], list[str]]


class Steps:
    """The steps of a guard. folder (Path): of the records. clock: where `monotonic` and `sleep` are taken
    from.
    """

    def __init__(self, folder: Path = guard_record.FOLDER, clock: ModuleType = time):
        self._folder = folder
        self._clock = clock

    def pending(self, container: str) -> dict | None:
        """The token of a change that was begun and not finished, None when there is none."""
        return guard_record.read(container, self._folder)

    def begin(self, container: str, token: dict) -> None:
        """Record a change that takes a container out of service from now on."""
        guard_record.write(container, token, self._folder)

    def token(self, container: str, token: dict | None) -> dict:
        """The token at hand, or that of a run that died; {} without one."""
        return token or self.pending(container) or {}

    def end(self, container: str) -> None:
        """Drop the record: the change is finished, or undone."""
        guard_record.forget(container, self._folder)

    def until_whole(self, lacks: Lacks, patience: float, every: float = 1.0) -> list[str]:
        """As waiting.until_whole, by this clock."""
        return waiting.until_whole(lacks, patience, every, self._clock)

    def spare(
        self, container: str, member: Callable[[], str], lacks: Lacks, patience: float, *, every: float = 1.0
    ) -> None:
        """Wait until a cluster can spare a member. Raises NodeError QUORUM_AT_RISK with what it lacks.

        member (callable): the member's name, as it is known once it was asked.
        """
        if missing := self.until_whole(lacks, patience, every):
            raise NodeError(
                "QUORUM_AT_RISK",
                f"{container} of {member()} is not stopped, its cluster cannot spare it:"
                f" {'; '.join(missing)}",
            )

    def back(
        self, container: str, member: Callable[[], str], lacks: Lacks, timeout: float, *, every: float = 1.0
    ) -> None:
        """Wait until a member is back. Raises NodeError QUORUM_NOT_RESTORED with what it lacks.

        member (callable): as for `spare`.
        """
        if missing := self.until_whole(lacks, timeout, every):
            raise NodeError(
                "QUORUM_NOT_RESTORED",
                f"{container}: member {member()} is not back after {timeout:.0f} s: {'; '.join(missing)}",
            )
