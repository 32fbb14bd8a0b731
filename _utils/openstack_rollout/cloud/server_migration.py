"""The migration of one server: requested, watched, limited in time, and checked against the server's host.

Nova's record of a migration and the host of the server are two separate answers. A server counts as moved
only when both agree: a completed migration whose server is still on its source has failed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from openstack_rollout.cloud import faults, nova
from openstack_rollout.cloud.api import Cloud, is_unreachable, status_of
from openstack_rollout.cloud.nova import Migration, Server
from openstack_rollout.errors import one_line

LIVE = "live"
COLD = "cold"
ABORT = "abort"
FORCE_COMPLETE = "force_complete"

_COMPLETED = ("completed", "finished", "confirmed")
_UNDONE = ("error", "failed", "cancelled", "reverted", "aborted")
_QUEUED = "queued"
#: of a migration that Nova carries out, or is about to
UNDER_WAY = (_QUEUED, "accepted", "pre-migrating", "migrating", "preparing", "running", "post-migrating")
_ABORTABLE = (_QUEUED, "preparing", "running")
_RECORD_TIMEOUT = 30.0  # seconds for Nova to record a migration that it has accepted
_ABORT_TIMEOUT = 60.0  # seconds
_TASK_TIMEOUT = 180.0  # seconds; covers the message bus telling a source that its target is unreachable


class MigrationState(StrEnum):
    """How the migration of a server ended."""

    MOVED = "moved"
    FAILED = "failed"
    """The server runs on its source as before."""
    BROKEN = "broken"
    """The server is in ERROR, or its state is unknown: no other is moved before it is repaired."""
    DELETED = "deleted"
    """The server was deleted by its owner."""


@dataclass(frozen=True)
class MigrationResult:
    """How the migration of a server ended.

    text: why, unless it moved. host: where it is now, if it moved. target: where it was to go, if that is
    known and it failed. timed_out: whether the time limit ended it.
    """

    state: MigrationState
    text: str = ""
    host: str = ""
    target: str = ""
    timed_out: bool = False


@dataclass(frozen=True)
class MigrationRequest:
    """How a server is to be moved.

    method: LIVE or COLD. target: a host, or None to let the scheduler choose. timeout: seconds. on_timeout:
    ABORT or FORCE_COMPLETE.
    """

    method: str = LIVE
    target: str | None = None
    timeout: float = 120.0
    on_timeout: str = ABORT


class ServerMigration:
    """The migration of one server.

    server: as it is now. entry (dict): what the drain's record says about this migration, changed here:
    `in_progress`, `name`, `method`, `source`, `after` (the newest migration's id before it), `host` (where it
    moved to) and `failed` (the targets of those that failed). save: writes the record, and is called before
    Nova is asked for anything.
    """

    def __init__(
        self,
        cloud: Cloud,
        server: Server,
        entry: dict[str, Any],
        save: Callable[[], None],
        request: MigrationRequest,
    ):
        self.server = server
        self.entry = entry
        # A migration that was interrupted is compared with the host that it began on.
        self.source = str(entry["source"]) if entry.get("in_progress") else server.host
        self._cloud = cloud
        self._save = save
        self._request = request
        self._deadline = 0.0
        self._record_deadline = 0.0
        self._task_deadline: float | None = None
        self._timeout_action = ""  # what was done when the time was over: "", "wait", ABORT or FORCE_COMPLETE
        self._confirmed = False
        self._memory_copied = False  # whether Nova has begun to copy the server's memory

    def start(self, newest: int) -> MigrationResult | None:
        """Request the migration, or continue the one that an interrupted drain had requested.

        newest (int): no migration from its source has a higher id yet. Returns None while it is under way.
        Raises what is no answer of Nova's.
        """
        now = time.monotonic()
        self._deadline, self._record_deadline = now + self._request.timeout, now + _RECORD_TIMEOUT
        if self.entry.get("in_progress"):
            if self._is_in_progress():
                return None
            if self.server.host != self.source:
                return self._finish(MigrationResult(MigrationState.MOVED, host=self.server.host))
        self.entry.update(
            in_progress=True,
            name=self.server.name,
            method=self._request.method,
            source=self.source,
            after=newest,
        )
        self._save()
        try:
            if self._request.method == LIVE:
                nova.live_migrate(self._cloud, self.server.id, self._request.target)
            else:
                nova.cold_migrate(self._cloud, self.server.id, self._request.target)
        except Exception as error:
            if is_unreachable(error):
                return None  # Nova may have accepted it: whether a record appears will show
            if status_of(error) == 404:
                return self._finish(MigrationResult(MigrationState.DELETED))
            if not status_of(error):
                raise
            text = f"Nova refused: {one_line(str(error))}"
            target = self._request.target or ""
            return self._finish(MigrationResult(MigrationState.FAILED, text, target=target))
        return None

    def poll(self, migrations: Sequence[Migration]) -> MigrationResult | None:
        """How it ended, None while it is under way.

        migrations: the latest ones from its source, newest first. Enforces the time limit. Raises
        RolloutError API_UNREACHABLE.
        """
        record = self.record_in(migrations)
        if record is not None and record.status not in (*_COMPLETED, *_UNDONE):
            queued = record.status == _QUEUED and not self._timeout_action
            if queued and self._others_run(record, migrations):
                # Nova itself migrates a limited number from a host at a time: this one's time has not begun.
                self._deadline = time.monotonic() + self._request.timeout
            return self._enforce_timeout(record)
        server = nova.find_server(self._cloud, self.server.id)
        if server is None or server.status == "ERROR":
            return self._finish(self._lost(server))
        if record is None:
            return self._without_record(server)
        if server.task:
            return self._with_task(server, record)
        if server.status == "VERIFY_RESIZE":
            self._confirm()
            return None
        return self._finish(self._compared(server, record))

    def record_in(self, migrations: Sequence[Migration]) -> Migration | None:
        """Nova's record of this migration, None when it is not among them. migrations: newest first."""
        after = int(self.entry.get("after", 0))
        return next((one for one in migrations if one.server_id == self.server.id and one.id > after), None)

    def _others_run(self, record: Migration, migrations: Sequence[Migration]) -> bool:
        """Whether Nova is carrying out another migration from the source."""
        not_running = (_QUEUED, *_COMPLETED, *_UNDONE)
        return any(one.id != record.id and one.status not in not_running for one in migrations)

    def _without_record(self, server: Server) -> MigrationResult | None:
        """Nova accepted the request and has not recorded it, or never will."""
        if time.monotonic() < self._record_deadline:
            return None
        if server.task:
            return self._enforce_timeout(None)
        return self._finish(MigrationResult(MigrationState.FAILED, "Nova made no migration of it"))

    def _with_task(self, server: Server, record: Migration) -> MigrationResult | None:
        """The record may end before Nova's task does."""
        now = time.monotonic()
        self._task_deadline = self._task_deadline or now + _TASK_TIMEOUT
        if now < self._task_deadline:
            return None
        text = f"its migration is {record.status}, but Nova is still {server.task}"
        return self._finish(MigrationResult(MigrationState.BROKEN, text))

    def _compared(self, server: Server, record: Migration) -> MigrationResult:
        """The result once Nova has finished, by both the record and the server's host."""
        if record.status in _UNDONE:
            if server.host != self.source:
                return MigrationResult(MigrationState.MOVED, host=server.host)
            timed_out = self._timeout_action in (ABORT, FORCE_COMPLETE)
            took = f" after more than {self._request.timeout:.0f} s" if timed_out else ""
            target = record.target or self._request.target or ""
            where = f" to {target}" if target else ""
            text = f"its migration{where} ended as {record.status}{took}"
            if not timed_out:
                text += self._cause()
            return MigrationResult(MigrationState.FAILED, text, target=target, timed_out=timed_out)
        if server.host == self.source:
            text = f"its migration to {record.target} is {record.status}, but it is still on {self.source}"
            return MigrationResult(MigrationState.BROKEN, text)
        if server.host != record.target:
            text = f"its migration went to {record.target}, but it is on {server.host}"
            return MigrationResult(MigrationState.BROKEN, text)
        return MigrationResult(MigrationState.MOVED, host=server.host)

    def _enforce_timeout(self, record: Migration | None) -> MigrationResult | None:
        """Force or abort a migration whose time is over; give it up when neither ends it.

        Nova's preparations before it copies memory have the same limit of their own. What cannot be aborted
        is given the limit once more.
        """
        timeout = self._request.timeout
        copies_memory = record is not None and record.status == "running"
        if copies_memory and not (self._memory_copied or self._timeout_action):
            self._memory_copied, self._deadline = True, time.monotonic() + timeout
        if time.monotonic() < self._deadline:
            return None
        status = record.status if record else "without a record"
        if self._timeout_action == ABORT:
            text = f"its migration ({status}) could not be aborted"
            return self._finish(MigrationResult(MigrationState.BROKEN, text, timed_out=True))
        if record is None or self._request.method == COLD or status not in _ABORTABLE:
            if self._timeout_action == "wait":
                text = (
                    f"its migration ({status}) did not end within {2 * timeout:.0f} s and cannot be aborted"
                )
                return self._finish(MigrationResult(MigrationState.BROKEN, text, timed_out=True))
            self._timeout_action, self._deadline = "wait", time.monotonic() + timeout
            return None
        forces = self._request.on_timeout == FORCE_COMPLETE and self._timeout_action != FORCE_COMPLETE
        try:
            if forces and status == "running":
                self._timeout_action, self._deadline = FORCE_COMPLETE, time.monotonic() + timeout
                nova.force_complete(self._cloud, record)
            else:
                self._timeout_action, self._deadline = ABORT, time.monotonic() + _ABORT_TIMEOUT
                nova.abort(self._cloud, record)
        except Exception as error:
            # It may have ended in the meantime: the next poll will show.
            if not status_of(error) and not is_unreachable(error):
                raise
        return None

    def _confirm(self) -> None:
        if not self._confirmed:
            nova.confirm_resize(self._cloud, self.server.id)
            self._confirmed = True

    def _is_in_progress(self) -> bool:
        """Whether Nova has recorded the earlier request, or is still working on it."""
        if self.record_in(nova.migrations_of(self._cloud, self.server.id)):
            return True
        server = nova.find_server(self._cloud, self.server.id)
        return bool(server and server.task)

    def _finish(self, result: MigrationResult) -> MigrationResult:
        self.entry["in_progress"] = False
        if result.state == MigrationState.MOVED:
            self.entry["host"] = result.host
        if result.state == MigrationState.FAILED and result.target:
            self.entry["failed"] = [*self.entry.get("failed", ()), result.target]
        self._save()
        return result

    def _lost(self, server: Server | None) -> MigrationResult:
        """The result for a server that is deleted (None) or in ERROR."""
        if server is None:
            return MigrationResult(MigrationState.DELETED)
        return MigrationResult(MigrationState.BROKEN, f"is in ERROR on {server.host}{self._cause()}")

    def _cause(self) -> str:
        """What Nova says of the failure, to be put after the text."""
        said = faults.why(self._cloud, self.server.id)
        return f": {said}" if said else ""


def timeout_of(server: Server, seconds_per_gib: float) -> float:
    """How long a server's migration may take (seconds), by its memory rounded up to whole GiB."""
    return seconds_per_gib * max(1, -(-server.memory // 1024))
