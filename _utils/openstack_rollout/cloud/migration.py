"""One server on its way to another host: asked for, watched, bounded in time, and never believed unseen.

Nova's record of a migration and the host of the server are two answers to the same question. A server counts
as moved when both agree: a finished migration that left the server where it was is a failure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from openstack_rollout.cloud import nova
from openstack_rollout.cloud.api import Cloud, away, status_of
from openstack_rollout.cloud.nova import Guest, Migration
from openstack_rollout.errors import one_line

LIVE = "live"
COLD = "cold"
MOVED = "moved"
FAILED = "failed"  # it runs on its source as before
BROKEN = "broken"  # nobody can tell, or it is in error: nothing more may be moved before it is mended
GONE = "gone"  # its owner deleted it

_COMPLETED = ("completed", "finished", "confirmed")
_UNDONE = ("error", "failed", "cancelled", "reverted", "aborted")
_QUEUED = "queued"
_ABORTABLE = (_QUEUED, "preparing", "running")
_UNSEEN = 30.0  # seconds for Nova to make a record of what it accepted, and to settle what has ended
_TO_ABORT = 60.0
_TO_SETTLE = 180.0  # a source that cannot reach its target waits for the message bus to tell it so


@dataclass(frozen=True)
class Outcome:
    """How a journey ended: state (MOVED, FAILED, BROKEN or GONE), text (why), to (host when moved)."""

    state: str
    text: str = ""
    to: str = ""
    timed_out: bool = False


@dataclass(frozen=True)
class Way:
    """How a server is to go: LIVE or COLD, to which host (None: the scheduler chooses), in how many seconds,
    and what then (`abort` or `force_complete`).
    """

    how: str = LIVE
    target: str | None = None
    limit: float = 120.0
    on_timeout: str = "abort"


class Journey:
    """A server's move.

    guest: as it is now. entry (dict): its part of the drain's record, written by save before anything is
    asked of Nova.
    """

    def __init__(
        self,
        cloud: Cloud,
        guest: Guest,
        entry: dict[str, Any],
        save: Callable[[], None],
        way: Way,
    ):
        self.guest = guest
        self.entry = entry
        # What was asked for before is judged from where the server was then.
        self.source = str(entry["source"]) if entry.get("moving") else guest.host
        self._cloud = cloud
        self._save = save
        self._way = way
        self._deadline = 0.0
        self._unseen_until = 0.0
        self._pressed = ""  # what was asked of a migration that took too long
        self._settled_by: float | None = None
        self._confirmed = False
        self._runs = False

    def begin(self, newest: int) -> Outcome | None:
        """Ask Nova for the move, or take up the one that a killed drain had asked for.

        newest (int): a number that no migration from its source exceeds yet.
        """
        now = time.monotonic()
        self._deadline, self._unseen_until = now + self._way.limit, now + _UNSEEN
        if self.entry.get("moving"):
            if self._in_progress():
                return None
            if self.guest.host != self.source:
                return self._end(Outcome(MOVED, to=self.guest.host))
        self.entry.update(
            moving=True,
            name=self.guest.name,
            how=self._way.how,
            source=self.source,
            after=newest,
        )
        self._save()
        try:
            if self._way.how == LIVE:
                nova.live_migrate(self._cloud, self.guest.id, self._way.target)
            else:
                nova.cold_migrate(self._cloud, self.guest.id, self._way.target)
        except Exception as error:
            if away(error):
                return None  # it may have been taken in: the record of it will tell
            if status_of(error) == 404:
                return self._end(Outcome(GONE))
            if not status_of(error):
                raise
            return self._end(Outcome(FAILED, f"Nova refused: {one_line(str(error))}"))
        return None

    def look(self, migrations: Sequence[Migration]) -> Outcome | None:
        """Where it stands, None while it is under way. migrations: the newest ones from its source."""
        ours = self.ours(migrations)
        if ours is not None and ours.status not in (*_COMPLETED, *_UNDONE):
            if ours.status == _QUEUED and not self._pressed and self._others_run(ours, migrations):
                # Nova itself takes only so many from a host at a time: its limit has not begun.
                self._deadline = time.monotonic() + self._way.limit
            return self._hurry(ours)
        guest = nova.server(self._cloud, self.guest.id)
        if guest is None or guest.status == "ERROR":
            gone = Outcome(GONE) if guest is None else Outcome(BROKEN, f"is in ERROR on {guest.host}")
            return self._end(gone)
        if ours is None:
            return self._unrecorded(guest)
        if guest.task:
            return self._settling(guest, ours)
        if guest.status == "VERIFY_RESIZE":
            self._confirm()
            return None
        return self._judge(guest, ours)

    def ours(self, migrations: Sequence[Migration]) -> Migration | None:
        """The record of this journey among migrations (newest first)."""
        number = int(self.entry.get("after", 0))
        return next((one for one in migrations if one.server == self.guest.id and one.number > number), None)

    def _others_run(self, ours: Migration, migrations: Sequence[Migration]) -> bool:
        """Whether Nova is at another migration from its source."""
        waiting = (_QUEUED, *_COMPLETED, *_UNDONE)
        return any(one.number != ours.number and one.status not in waiting for one in migrations)

    def _unrecorded(self, guest: Guest) -> Outcome | None:
        """Nova took the request in, and has no record of it: not yet, or never."""
        if time.monotonic() < self._unseen_until:
            return None
        return self._hurry(None) if guest.task else self._end(Outcome(FAILED, "Nova made no migration of it"))

    def _settling(self, guest: Guest, ours: Migration) -> Outcome | None:
        """The record may end before the task does."""
        now = time.monotonic()
        self._settled_by = self._settled_by or now + _TO_SETTLE
        if now < self._settled_by:
            return None
        return self._end(Outcome(BROKEN, f"its migration is {ours.status}, but Nova is still {guest.task}"))

    def _judge(self, guest: Guest, ours: Migration) -> Outcome:
        """Nova is done with the server: does its host say what the record says?"""
        if ours.status in _UNDONE:
            if guest.host != self.source:
                return self._end(Outcome(MOVED, to=guest.host))
            hurried = self._pressed in ("abort", "force_complete")
            took = f" after more than {self._way.limit:.0f} s" if hurried else ""
            text = f"its migration ended as {ours.status}{took}"
            return self._end(Outcome(FAILED, text, timed_out=hurried))
        if guest.host == self.source:
            text = f"its migration to {ours.to} is {ours.status}, but it is still on {self.source}"
            return self._end(Outcome(BROKEN, text))
        if guest.host != ours.to:
            text = f"its migration went to {ours.to}, but it is on {guest.host}"
            return self._end(Outcome(BROKEN, text))
        return self._end(Outcome(MOVED, to=guest.host))

    def _hurry(self, ours: Migration | None) -> Outcome | None:
        """What becomes of a migration at its limit: forced if the policy says so, else aborted, else lost.

        What Nova does before a server's memory begins to move has the same limit, for itself.
        """
        if ours is not None and ours.status == "running" and not (self._runs or self._pressed):
            self._runs, self._deadline = True, time.monotonic() + self._way.limit
        if time.monotonic() < self._deadline:
            return None
        status = ours.status if ours else "without a record"
        if self._pressed == "abort":
            return self._end(
                Outcome(BROKEN, f"its migration ({status}) could not be aborted", timed_out=True)
            )
        if ours is None or self._way.how == COLD or status not in _ABORTABLE:
            if self._pressed == "patience":
                text = f"its migration ({status}) did not end within {2 * self._way.limit:.0f} s"
                return self._end(Outcome(BROKEN, f"{text}, nor can it be aborted", timed_out=True))
            self._pressed, self._deadline = "patience", time.monotonic() + self._way.limit
            return None
        try:
            if (
                self._way.on_timeout == "force_complete"
                and self._pressed != "force_complete"
                and status == "running"
            ):
                self._pressed, self._deadline = "force_complete", time.monotonic() + self._way.limit
                nova.force_complete(self._cloud, ours)
            else:
                self._pressed, self._deadline = "abort", time.monotonic() + _TO_ABORT
                nova.abort(self._cloud, ours)
        except Exception as error:
            # It may just have ended; what it is now is seen at the next look.
            if not status_of(error) and not away(error):
                raise
        return None

    def _confirm(self) -> None:
        if not self._confirmed:
            nova.confirm(self._cloud, self.guest.id)
            self._confirmed = True

    def _in_progress(self) -> bool:
        """Whether Nova has a record of what was asked before, or is still at it."""
        if self.ours(nova.migrations_of(self._cloud, self.guest.id)):
            return True
        guest = nova.server(self._cloud, self.guest.id)
        return bool(guest and guest.task)

    def _end(self, outcome: Outcome) -> Outcome:
        self.entry["moving"] = False
        if outcome.state == MOVED:
            self.entry["to"] = outcome.to
        self._save()
        return outcome


def limit_of(guest: Guest, seconds_per_gib: float) -> float:
    """How long a server's migration may take (seconds): by its memory, of which a part of a GiB is one."""
    return seconds_per_gib * max(1, -(-guest.memory // 1024))
