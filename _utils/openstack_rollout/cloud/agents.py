"""Whether the agents of a node tell of themselves, as Nova, Neutron and Cinder have it, through openstacksdk.

A unit that runs proves nothing of an agent that cannot reach its message bus. Clocks of nodes and controllers
differ, so nothing is compared but the API's own times: a heartbeat counts that is another one than was known
when the question was first asked, after the restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from openstack_rollout.cloud import neutron
from openstack_rollout.cloud.api import Cloud, match_host
from openstack_rollout.errors import RolloutError

_POLL_INTERVAL = 3.0  # seconds: many nodes may wait at once, and each asks for all agents of its kinds


class Heartbeat(NamedTuple):
    """What an API knows of an agent: whether it takes it for alive, and when it told of itself last, as the
    API writes it.
    """

    alive: bool
    at: str


def wait_until_renewed(cloud: Cloud, node: str, binaries: Iterable[str], timeout: float) -> str:
    """Wait until the agents of a node are alive, with heartbeats that are newer than this call.

    node (str): minion id. binaries: their names: nova-…, neutron-…, cinder-…; what the API does not know of
    this node is not waited for. timeout (float): seconds.

    Of an agent that a host has several times, one for each back end, those that are alive count, and one at
    least. Returns a line for people. Raises RolloutError SERVICE_FAILED that names those that do not tell of
    themselves, API_UNREACHABLE, INVALID_PILLAR as Cloud does.
    """
    wanted = sorted(set(binaries))
    deadline = time.monotonic() + timeout
    before = heartbeats(cloud, node, wanted)
    known = [binary for binary in wanted if before[binary]]
    while True:
        now = heartbeats(cloud, node, known)
        silent = [binary for binary in known if not _is_renewed(before[binary], now[binary])]
        if not silent:
            break
        if time.monotonic() > deadline:
            said = "; ".join(f"{binary} (last at {_last(now[binary])})" for binary in silent)
            text = f"{node}: no heartbeat after the restart within {timeout:.0f} s of {said}"
            raise RolloutError("SERVICE_FAILED", text, [node])
        time.sleep(_POLL_INTERVAL)
    return f"{', '.join(known)}: alive" if known else "OpenStack knows no agent of it"


def heartbeats(cloud: Cloud, node: str, binaries: Iterable[str]) -> dict[str, dict[str, Heartbeat]]:
    """What the APIs know of agents of a node: {binary: {host: its heartbeat}}, a host for each back end.

    node (str): minion id. binaries: as for `wait_until_renewed`. Raises RolloutError API_UNREACHABLE,
    INVALID_PILLAR as Cloud does.
    """
    found: dict[str, dict[str, Heartbeat]] = {}
    for binary in binaries:
        by_host: dict[str, dict[str, Heartbeat]] = {}
        for host, heartbeat in cloud.allowed(f"agents {binary}", partial(_told, cloud, binary)):
            by_host.setdefault(host.partition("@")[0], {})[host] = heartbeat
        found[binary] = match_host(node, by_host) or {}
    return found


def _told(cloud: Cloud, binary: str) -> list[tuple[str, Heartbeat]]:
    service, ask = _ASKED.get(binary.partition("-")[0], ("", None))
    return list(ask(cloud.api, binary)) if ask and cloud.has_service(service) else []


def _is_renewed(before: dict[str, Heartbeat], now: dict[str, Heartbeat]) -> bool:
    renewed = {
        host for host, one in now.items() if one.alive and one.at != getattr(before.get(host), "at", "")
    }
    alive = {host for host, one in before.items() if one.alive}
    return bool(renewed) and alive <= renewed


def _last(found: dict[str, Heartbeat]) -> str:
    return max((one.at for one in found.values()), default="") or "no time"


def _compute(api: Any, binary: str) -> Iterable[tuple[str, Heartbeat]]:
    for one in api.compute.services(binary=binary):
        # Who forced it down says nothing of whether it works: it tells of itself all the same.
        alive = one.state == "up" or bool(one.is_forced_down)
        yield one.host, Heartbeat(alive, str(one.updated_at))


def _network(api: Any, binary: str) -> Iterable[tuple[str, Heartbeat]]:
    for one in neutron.agents_called(api, binary):
        yield one.host, Heartbeat(bool(one.is_alive), str(one.last_heartbeat_at))


def _volume(api: Any, binary: str) -> Iterable[tuple[str, Heartbeat]]:
    for one in api.block_storage.services(binary=binary):
        yield one.host, Heartbeat(one.state == "up", str(one.updated_at))


#: the beginning of an agent's name → its service in Keystone's catalogue, and how that is asked
_ASKED: dict[str, tuple[str, Callable[[Any, str], Iterable[tuple[str, Heartbeat]]]]] = {
    "nova": ("compute", _compute),
    "neutron": ("network", _network),
    "cinder": ("block-storage", _volume),
}
