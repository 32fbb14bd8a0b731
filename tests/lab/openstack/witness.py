"""Looks at servers and routers all the time, beside whatever happens to them.

Servers, and the status of routers, are what the API says. Which agents have a router is read from Neutron's
own table, all routers at one moment: the API tells it agent by agent, and a router that moves between two of
its answers would be on both or on none.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterable

from tests.lab import settings
from tests.lab.cloud import Lab
from tests.lab.enclosure import LabError

from .api import UNREACHABLE, Api

EVERY = 0.2
BINDINGS_EVERY = 0.02
_CLIENT = ("mariadb", "--batch", "--skip-column-names", "--unbuffered")
_INSIDE = ("podman", "exec", "-i", "mariadb")
_ASK = (
    "select group_concat(concat(r.name, '=', ifnull(a.host, '')) separator ' ') from routers r "
    "left join routerl3agentbindings b on b.router_id = r.id left join agents a on a.id = b.l3_agent_id;\n"
)


class Witness:
    """Samples while it is entered.

    Args:
        api: The cloud.
        pace: How many times more rarely it looks than it may: for a cloud that has no cores to spare.

    Attributes:
        servers: (seconds since the epoch, {name: (status, host)}) of each sample.
        routers: (seconds since the epoch, {name: status}).
        bindings: (seconds since the epoch, {name: hosts of the agents that have it}), ten times as often.
        deaf: Samples to which the API, or the database, gave no answer.
    """

    def __init__(self, api: Api, pace: float = 1) -> None:
        self._every = EVERY * pace
        self.servers: list[tuple[float, dict[str, tuple[str, str]]]] = []
        self.routers: list[tuple[float, dict[str, str]]] = []
        self.bindings: list[tuple[float, dict[str, list[str]]]] = []
        self.deaf = 0
        # A connection for each thread: sessions are not made for two.
        first, second = Api(api.lab), Api(api.lab)
        database = _Database(api.lab)
        looks: tuple[tuple[Callable[[float], None], float], ...] = (
            (lambda at: self.servers.append((at, first.servers())), self._every),
            (lambda at: self.routers.append((at, _statuses(second))), self._every),
            (lambda at: self.bindings.append((at, database.bindings())), BINDINGS_EVERY * pace),
        )
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=look, daemon=True) for look in looks]

    def __enter__(self) -> Witness:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(120)

    def unscheduled(self, routers: Iterable[str]) -> dict[str, float]:
        """The longest time (seconds) that each router was seen on no agent: from the first sample without one
        to the next with one.
        """
        longest = dict.fromkeys(routers, 0.0)
        since: dict[str, float] = {}
        for at, seen in self.bindings:
            for name in longest:
                if not seen.get(name):
                    since.setdefault(name, at)
                elif name in since:
                    longest[name] = max(longest[name], at - since.pop(name))
        return longest

    def twice(self) -> list[str]:
        """The routers that were seen on more than one agent."""
        seen = (item for _, routers in self.bindings for item in routers.items())
        return sorted({name for name, hosts in seen if len(hosts) > 1})

    def statuses(self) -> tuple[set[str], set[str]]:
        """Every status that a server, and a router, was ever seen in."""
        servers = {status for _, seen in self.servers for status, _ in seen.values()}
        return servers, {status for _, seen in self.routers for status in seen.values()}

    def summary(self) -> str:
        """What was seen of the routers, in one line."""
        by_api: dict[int, dict[str, list[str]]] = {}
        for at, seen in self.bindings:
            by_api.setdefault(int(at / self._every), seen)
        without = sum(not all(seen.values()) for seen in by_api.values())
        fine = sum(not all(seen.values()) for _, seen in self.bindings)
        names = self.bindings[0][1] if self.bindings else ()  # others come and go while it looks
        return (
            f"{len(self.servers)} samples of servers, {len(self.routers)} of routers; of agents "
            f"{len(self.bindings)} ({fine} with a router on none), one each {self._every:.1f} s: "
            f"{len(by_api)} ({without}); longest without an agent "
            f"{max(self.unscheduled(names).values(), default=0):.2f} s"
        )

    def _watch(self, look: Callable[[float], None], every: float) -> None:
        while not self._over.is_set():
            began = time.time()
            try:
                look(began)
            except (*UNREACHABLE, LabError):
                self.deaf += 1
                self._over.wait(EVERY)
            self._over.wait(max(0.0, every - (time.time() - began)))


class _Database:
    """One client of the lab's database that is asked again and again; another one when that has ended."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._client: subprocess.Popen[str] | None = None

    def bindings(self) -> dict[str, list[str]]:
        """Each router: name -> the hosts of the agents that have it. Raises OSError without an answer."""
        if self._client is None:
            inside = () if self._lab.profile in settings.PACKAGED else _INSIDE
            command = self._lab.exec_command("ctl1", [*inside, *_CLIENT, "neutron"])
            self._client = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        assert self._client.stdin and self._client.stdout
        try:
            self._client.stdin.write(_ASK)
            self._client.stdin.flush()
            line = self._client.stdout.readline()
            if not line:
                raise BrokenPipeError("the client of the database has ended")
        except OSError:
            self._client.kill()
            self._client.wait()
            self._client = None
            raise
        found: dict[str, list[str]] = {}
        for word in line.replace("NULL", "").split():
            name, _, host = word.partition("=")
            found.setdefault(name, []).extend([host] if host else [])
        return found


def _statuses(api: Api) -> dict[str, str]:
    return {router.name: router.status for router in api.sdk.network.routers()}
