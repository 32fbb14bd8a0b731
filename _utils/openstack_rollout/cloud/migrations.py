"""Several servers on their way, a bounded number at a time from one host and in the whole cloud."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from openstack_rollout.cloud import nova
from openstack_rollout.cloud.api import Cloud
from openstack_rollout.cloud.migration import BROKEN, FAILED, Journey, Outcome
from openstack_rollout.cloud.nova import Migration

LOOK = 0.5
ATTEMPTS = 2


class Slots:
    """Migrations that may be under way together; shared by all nodes that are drained in this process."""

    def __init__(self, per_host: int, per_cloud: int):
        self._per_host = per_host
        self._per_cloud = per_cloud
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, host: str) -> bool:
        """A place for a migration from a host, if one is free."""
        with self._lock:
            if self._taken[host] >= self._per_host or self._taken.total() >= self._per_cloud:
                return False
            self._taken[host] += 1
            return True

    def give(self, host: str) -> None:
        """The migration has ended."""
        with self._lock:
            self._taken[host] -= 1


@dataclass
class Convoy:
    """Takes journeys to their ends.

    make(server id) gives the journey of a server from where it is now, None when it has nowhere to go any
    more. stubborn (bool): whether others still start when one has failed for good.
    """

    cloud: Cloud
    slots: Slots
    make: Callable[[str], Journey | None]
    stubborn: bool = True
    ended: dict[str, Outcome] = field(default_factory=dict)
    #: by source: the newest migration from there that was seen
    newest: dict[str, int] = field(default_factory=dict)

    def run(self, servers: Iterable[str]) -> dict[str, Outcome]:
        """Move servers (ids); returns how each that was started ended. Servers in flight always finish."""
        waiting = list(servers)
        attempts: Counter[str] = Counter()
        flying: dict[str, Journey] = {}
        try:
            while flying or (waiting and not self._halted()):
                if not self._halted():
                    self._start(waiting, flying, attempts)
                for server, outcome in self._look(flying):
                    self.slots.give(flying.pop(server).source)
                    again = outcome.state == FAILED and not outcome.timed_out
                    if again and attempts[server] < ATTEMPTS:
                        waiting.append(server)
                    else:
                        self.ended[server] = outcome
                if flying or waiting:
                    time.sleep(LOOK)
        finally:
            for journey in flying.values():
                self.slots.give(journey.source)
        return self.ended

    def _halted(self) -> bool:
        states = {outcome.state for outcome in self.ended.values()}
        return BROKEN in states or (FAILED in states and not self.stubborn)

    def _start(self, waiting: list[str], flying: dict[str, Journey], attempts: Counter[str]) -> None:
        for server in list(waiting):
            journey = self.make(server)
            if journey is None:
                waiting.remove(server)
                continue
            if not self.slots.take(journey.source):
                continue
            waiting.remove(server)
            attempts[server] += 1
            flying[server] = journey
            if journey.source not in self.newest:
                self._migrations(journey.source)
            outcome = journey.begin(self.newest[journey.source])
            if outcome is not None:
                self.slots.give(flying.pop(server).source)
                if outcome.state == FAILED and attempts[server] < ATTEMPTS:
                    waiting.append(server)
                else:
                    self.ended[server] = outcome

    def _look(self, flying: dict[str, Journey]) -> list[tuple[str, Outcome]]:
        sources = {journey.source for journey in flying.values()}
        found = {source: self._migrations(source) for source in sources}
        looked = [(server, journey.look(found[journey.source])) for server, journey in flying.items()]
        return [(server, outcome) for server, outcome in looked if outcome is not None]

    def _migrations(self, source: str) -> list[Migration]:
        found = nova.migrations_from(self.cloud, source)
        self.newest[source] = max([self.newest.get(source, 0), *(one.number for one in found)])
        return found
