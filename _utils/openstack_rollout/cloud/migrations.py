"""The migrations of several servers, a limited number at a time from one host and in the whole cloud."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from openstack_rollout.cloud import nova
from openstack_rollout.cloud.api import Cloud
from openstack_rollout.cloud.nova import Migration
from openstack_rollout.cloud.server_migration import MigrationResult, MigrationState, ServerMigration

POLL_INTERVAL = 0.5  # seconds
ATTEMPTS = 2
#: Seconds until Nova's scheduler knows that a server has left a host. After a live migration the source tells
#: it the contrary, and corrects that every 120 s (scheduler_instance_sync_interval; seen in nova 31.0): until
#: then it lets no other member of the server's group go there.
SCHEDULER_LAG = 150.0
_RETRY_INTERVAL = 10.0  # seconds


class MigrationLimit:
    """How many migrations may run at a time; shared by all nodes that one process drains. Thread-safe.

    per_host (int): from one host. per_cloud (int): in the whole cloud.
    """

    def __init__(self, per_host: int, per_cloud: int):
        self._per_host = per_host
        self._per_cloud = per_cloud
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    def acquire(self, host: str) -> bool:
        """Count one more migration from a host; False, without waiting, where the limit is reached."""
        with self._lock:
            if self._running[host] >= self._per_host or self._running.total() >= self._per_cloud:
                return False
            self._running[host] += 1
            return True

    def release(self, host: str) -> None:
        """Count one migration from a host less."""
        with self._lock:
            self._running[host] -= 1


@dataclass
class Migrations:
    """Moves servers, and tries again those that fail.

    create: makes the migration of a server, given its id, from where it is now; None when it need not move
    any more. apart: server id -> what it shares with others, of which only one moves at a time.
    continue_after_failure (bool): whether others still start when a server has failed for good.
    results: how each ended, by server id.
    """

    cloud: Cloud
    limit: MigrationLimit
    create: Callable[[str], ServerMigration | None]
    apart: Mapping[str, frozenset[str]] = field(default_factory=dict)
    continue_after_failure: bool = True
    results: dict[str, MigrationResult] = field(default_factory=dict)
    #: source -> the highest id of a migration from there that was seen
    newest: dict[str, int] = field(default_factory=dict)
    #: server id -> when it failed first, and when it may be tried again; monotonic seconds
    _failed_first: dict[str, float] = field(default_factory=dict)
    _not_before: dict[str, float] = field(default_factory=dict)

    def run(self, server_ids: Iterable[str]) -> dict[str, MigrationResult]:
        """Move servers and wait for them; returns how each one ended, by its id.

        A migration that was started is always waited for. No further one starts when a server is BROKEN, or
        has failed where continue_after_failure is false: such servers are not in what is returned. Raises
        RolloutError API_UNREACHABLE.
        """
        waiting = list(server_ids)
        attempts: Counter[str] = Counter()
        running: dict[str, ServerMigration] = {}
        try:
            while running or (waiting and not self._is_stopped()):
                if not self._is_stopped():
                    self._start(waiting, running, attempts)
                for server_id, result in self._poll(running):
                    self.limit.release(running.pop(server_id).source)
                    if self._tries_again(server_id, result, attempts[server_id]):
                        waiting.append(server_id)
                    else:
                        self.results[server_id] = result
                if running or waiting:
                    time.sleep(POLL_INTERVAL)
        finally:
            for migration in running.values():
                self.limit.release(migration.source)
        return self.results

    def _is_stopped(self) -> bool:
        states = {result.state for result in self.results.values()}
        failed = MigrationState.FAILED in states and not self.continue_after_failure
        return MigrationState.BROKEN in states or failed

    def _tries_again(self, server_id: str, result: MigrationResult, attempts: int) -> bool:
        """Whether a server is to be moved once more; of one whose turn is later, notes when."""
        if result.state != MigrationState.FAILED or result.timed_out:
            return False
        now = time.monotonic()
        first = self._failed_first.setdefault(server_id, now)
        if attempts < ATTEMPTS:
            return True
        # No target in the record: the scheduler found none.
        if result.target or not self.apart.get(server_id) or now - first >= SCHEDULER_LAG:
            return False
        self._not_before[server_id] = now + _RETRY_INTERVAL
        return True

    def _start(self, waiting: list[str], running: dict[str, ServerMigration], attempts: Counter[str]) -> None:
        for server_id in list(waiting):
            busy = frozenset[str]().union(*(self.apart.get(one, frozenset()) for one in running))
            if busy & self.apart.get(server_id, frozenset()):
                continue
            if time.monotonic() < self._not_before.get(server_id, 0.0):
                continue
            migration = self.create(server_id)
            if migration is None:
                waiting.remove(server_id)
                continue
            if not self.limit.acquire(migration.source):
                continue
            waiting.remove(server_id)
            attempts[server_id] += 1
            running[server_id] = migration
            if migration.source not in self.newest:
                self._migrations_from(migration.source)
            result = migration.start(self.newest[migration.source])
            if result is not None:
                self.limit.release(running.pop(server_id).source)
                if self._tries_again(server_id, result, attempts[server_id]):
                    waiting.append(server_id)
                else:
                    self.results[server_id] = result

    def _poll(self, running: dict[str, ServerMigration]) -> list[tuple[str, MigrationResult]]:
        """The migrations that have ended: server id and result."""
        sources = {migration.source for migration in running.values()}
        found = {source: self._migrations_from(source) for source in sources}
        polled = [
            (server_id, migration.poll(found[migration.source])) for server_id, migration in running.items()
        ]
        return [(server_id, result) for server_id, result in polled if result is not None]

    def _migrations_from(self, source: str) -> list[Migration]:
        found = nova.migrations_from(self.cloud, source)
        self.newest[source] = max([self.newest.get(source, 0), *(one.id for one in found)])
        return found
