"""Looks at servers and routers through the API all the time, beside whatever happens to them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from .api import UNREACHABLE, Api

EVERY = 0.2


class Witness:
    """Samples while it is entered.

    Attributes:
        servers: (seconds since the epoch, {name: (status, host)}) of each sample.
        routers: (seconds since the epoch, {name: (status, hosts of the agents that have it)}).
        deaf: Samples to which the API gave no answer.
    """

    def __init__(self, api: Api) -> None:
        self.servers: list[tuple[float, dict[str, tuple[str, str]]]] = []
        self.routers: list[tuple[float, dict[str, tuple[str, list[str]]]]] = []
        self.deaf = 0
        # A connection for each thread: sessions are not made for two.
        self._looks = ((Api(api.lab), self._look_at_servers), (Api(api.lab), self._look_at_routers))
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=look, daemon=True) for look in self._looks]

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
        for at, seen in self.routers:
            for name in longest:
                if not seen.get(name, ("", []))[1]:
                    since.setdefault(name, at)
                elif name in since:
                    longest[name] = max(longest[name], at - since.pop(name))
        return longest

    def twice(self) -> list[str]:
        """The routers that were seen on more than one agent."""
        seen = (item for _, routers in self.routers for item in routers.items())
        return sorted({name for name, (_, hosts) in seen if len(hosts) > 1})

    def statuses(self) -> tuple[set[str], set[str]]:
        """Every status that a server, and a router, was ever seen in."""
        servers = {status for _, seen in self.servers for status, _ in seen.values()}
        return servers, {status for _, seen in self.routers for status, _ in seen.values()}

    def _watch(self, api: Api, look: object) -> None:
        while not self._over.is_set():
            began = time.time()
            try:
                look(api, began)  # type: ignore[operator]
            except UNREACHABLE:
                self.deaf += 1
            self._over.wait(max(0.0, EVERY - (time.time() - began)))

    def _look_at_servers(self, api: Api, at: float) -> None:
        self.servers.append((at, api.servers()))

    def _look_at_routers(self, api: Api, at: float) -> None:
        agents = list(api.sdk.network.agents(binary="neutron-l3-agent"))
        found: dict[str, tuple[str, list[str]]] = {
            router.name: (router.status, []) for router in api.sdk.network.routers()
        }
        for agent in agents:
            for router in api.sdk.network.agent_hosted_routers(agent):
                found.setdefault(router.name, (router.status, []))[1].append(agent.host)
        self.routers.append((at, found))
