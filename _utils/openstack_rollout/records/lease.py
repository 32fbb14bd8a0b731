"""One engine at a time on several masters: a lock in the Redis that they share, lent for a while.

Its holder has it renewed by a thread. A holder that is proven dead is followed at once: one of this process
table of this boot that does not run. Of any other host nobody here can tell, so that its time has to run out,
which Redis counts. A holder asks Redis before it writes anything: one that was held up until another followed
it finds its lock lost, and so does one that could not reach Redis until its time was about to run out.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import redis
import redis.lock
from pydantic import TypeAdapter, ValidationError

from openstack_rollout.errors import RolloutError, one_line
from openstack_rollout.records import processes
from openstack_rollout.records.lock import in_progress, me, named

log = logging.getLogger(__name__)

LASTS = 60.0  # seconds since it was taken, or renewed
RENEW_EVERY = 10.0
#: Seconds before its end at which it counts as lost where it could not be renewed: to stop what is under way.
MARGIN = 15.0


@dataclass(frozen=True)
class _Owner:
    """A process, and since when it has the lock (seconds since the epoch). table: its process table."""

    pid: int
    started: int
    boot: str
    host: str
    table: str
    since: float

    @property
    def is_here(self) -> bool:
        """Whether it would be seen from here, if it ran."""
        return self.boot == processes.boot() and self.table == processes.table()

    @property
    def is_dead(self) -> bool:
        """Whether that is proven."""
        return self.is_here and self.started != processes.started(self.pid)


class _Found(NamedTuple):
    """What Redis has: the owner, how it is written there, and for which run it is."""

    owner: _Owner
    token: bytes
    run: str

    def plain(self) -> dict[str, Any]:
        """As Lock.holder."""
        return {**asdict(self.owner), "run": self.run}


_OWNER = TypeAdapter(_Owner)


class Lease:
    """Implements records.lock.Lock. One for each process, since what it holds is kept here.

    server: a connection with limits of its own for every wait. name: the key of the lock.
    """

    def __init__(self, server: redis.Redis, name: str):
        self._server = server
        self._name = name
        self._lock = redis.lock.Lock(server, name, blocking=False, thread_local=False)
        self._token = b""  # what this process wrote as its owner; nothing where it has not taken it
        self._until = 0.0  # the monotonic time at which it counts as lost where nothing is heard of Redis
        self._lost = ""  # who has it instead
        self._guard = threading.RLock()
        self._ended = threading.Event()

    def acquire(self) -> None:
        """Take the lock, also from one that is proven dead, and have it renewed until it is released.

        Raises RolloutError RUN_IN_PROGRESS when another process has it, JOURNAL_FAILED, JOURNAL_VERSION.
        """
        with self._guard, self._asking():
            if self._token and not self._lost and self._renewed():
                return
            found = self._read()
            self._refuse(found)
            if found:
                self._release(found.token)  # nobody else's who takes it at this moment
            owner = {**me(), "table": processes.table(), "since": time.time()}
            token, began = json.dumps(owner), time.monotonic()
            self._lock.timeout = LASTS
            if not self._lock.acquire(token=token):
                self._refuse(self._read())
                raise RolloutError("RUN_IN_PROGRESS", "another process took the lock at this moment")
            self._token, self._lost, self._until = token.encode(), "", began + LASTS - MARGIN
            self._ended = threading.Event()
            threading.Thread(target=self._keep, args=(self._ended,), daemon=True).start()

    def refuse_others(self) -> None:
        """Raise RolloutError RUN_IN_PROGRESS, naming the owner, when another process has it that is not
        proven dead.
        """
        with self._asking():
            self._refuse(self._read())

    def refuse_lost(self) -> None:
        """Raise RolloutError LOCK_LOST when this process took the lock and has it no more, JOURNAL_FAILED
        when Redis does not tell; else its time begins anew.
        """
        with self._guard:
            if not self._token:
                return
            try:
                with self._asking():
                    if not self._lost and not self._renewed():
                        found = self._read()
                        who = named(found.plain()) if found else "nobody"
                        self._lost = f"{who} has the lock now"
            except RolloutError as error:
                if time.monotonic() < self._until:
                    raise
                self._lost = f"it could not be renewed in time: {error.message}"
            if self._lost:
                self._ended.set()
                raise RolloutError("LOCK_LOST", f"this process leaves all as it is: {self._lost}")

    def assign(self, run_id: str) -> None:
        """Write down for which run this process holds the lock."""
        with self._guard, self._asking():
            if self.mine():
                told = json.dumps({"of": self._token.decode(), "run": run_id})
                self._server.set(f"{self._name}:run", told)

    def release(self) -> None:
        """Give the lock back; where Redis is away, its time runs out. What was lost stays lost."""
        with self._guard:
            self._ended.set()
            if not self._token or self._lost:
                return
            try:
                self._release(self._token)
            except redis.RedisError as error:
                log.warning("the lock %s is not given back, and runs out: %s", self._name, error)
            self._token = b""

    def holder(self) -> dict[str, Any] | None:
        """The owner {"pid", "started", "boot", "host", "table", "run", "since"}, None when the lock is free
        or its owner is proven dead.
        """
        with self._asking():
            found = self._read()
        return found.plain() if found and not found.owner.is_dead else None

    def mine(self) -> dict[str, Any] | None:
        """As holder, but only when this process is the owner."""
        with self._asking():
            found = self._read()
        return found.plain() if found and found.token == self._token else None

    def _keep(self, ended: threading.Event) -> None:
        """Renew it until it is released, or lost."""
        while not ended.wait(RENEW_EVERY):
            try:
                self.refuse_lost()
            except RolloutError as error:
                log.warning("the lock %s: %s", self._name, error)

    def _renewed(self) -> bool:
        """Have its time begin anew; False when it is not this process's any more."""
        began = time.monotonic()
        self._lock.local.token = self._token
        try:
            self._lock.reacquire()
        except redis.lock.LockError:
            return False
        self._until = began + LASTS - MARGIN
        return True

    def _release(self, token: bytes) -> None:
        """Remove the lock where it is of that token."""
        self._lock.local.token = token
        try:
            self._lock.release()
        except redis.lock.LockError:
            return
        self._server.delete(f"{self._name}:run")

    def _refuse(self, found: _Found | None) -> None:
        """As refuse_others."""
        if not found or found.token == self._token or found.owner.is_dead:
            return
        left = max(0, self._server.pttl(self._name)) / 1000
        until = "" if found.owner.is_here else f"; unless it is renewed, it is free in {left:.0f} s"
        raise in_progress(found.plain(), until)

    def _read(self) -> _Found | None:
        """What Redis has, dead or alive. Raises RolloutError JOURNAL_VERSION."""
        token, told = self._server.mget(self._name, f"{self._name}:run")
        if not isinstance(token, bytes):  # the server's answers are not decoded
            return None
        try:
            owner = _OWNER.validate_json(token, strict=True)
        except ValidationError as error:
            text = f"the lock {self._name} in Redis is kept in another form than this program reads"
            raise RolloutError("JOURNAL_VERSION", text) from error
        run = json.loads(told) if told else {}
        return _Found(owner, token, run["run"] if run.get("of") == token.decode() else "")

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            raise RolloutError(
                "JOURNAL_FAILED", f"the lock {self._name} in Redis: {one_line(str(error))}"
            ) from error
