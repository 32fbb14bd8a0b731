"""How the services and agents of nodes stand in OpenStack before anything changes, through openstacksdk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from openstack_rollout.cloud.api import Cloud, match_host


class Standing(NamedTuple):
    """A service, or an agent, of a node (its minion id): its binary, whether it tells of itself, whether an
    operator lets it be used, and why not, as far as that is known.
    """

    node: str
    binary: str
    up: bool
    enabled: bool
    reason: str = ""


def of_nodes(cloud: Cloud, nodes: Sequence[str]) -> list[Standing]:
    """What Nova, Neutron and Cinder know of nodes (minion ids); of Cinder where the cloud has it.

    Raises RolloutError API_UNREACHABLE after the cloud's retry_timeout, INVALID_PILLAR as Cloud does.
    """
    found = []
    for service, ask in _ASKED.items():
        if cloud.has_service(service):
            told = cloud.allowed(f"{service} services", lambda ask=ask: list(ask(cloud.api)))  # type: ignore[misc]
            found += list(_of(nodes, told))
    return found


def _of(nodes: Sequence[str], told: Iterable[Standing]) -> Iterator[Standing]:
    """Those of nodes; until then a host's name stands in place of the node's."""
    by_host: dict[str, list[Standing]] = {}
    for one in told:
        by_host.setdefault(one.node.partition("@")[0], []).append(one)
    for node in nodes:
        for one in match_host(node, by_host) or ():
            yield one._replace(node=node)


def _compute(api: Any) -> Iterator[Standing]:
    for one in api.compute.services():
        up = one.state == "up" and not one.is_forced_down
        yield Standing(one.host, one.binary, up, one.status == "enabled", one.disabled_reason or "")


def _network(api: Any) -> Iterator[Standing]:
    for one in api.network.agents():
        yield Standing(one.host, one.binary, bool(one.is_alive), bool(one.is_admin_state_up))


def _volume(api: Any) -> Iterator[Standing]:
    for one in api.block_storage.services():
        up = one.state == "up"
        yield Standing(one.host, one.binary, up, one.status == "enabled", one.disabled_reason or "")


#: A service in Keystone's catalogue → how it is asked.
_ASKED = {"compute": _compute, "network": _network, "block-storage": _volume}
