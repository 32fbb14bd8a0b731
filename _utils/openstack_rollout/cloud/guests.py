"""Servers as those who use them reach them: by names or ids, with their addresses, through openstacksdk."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from openstack_rollout.cloud.api import Cloud, status_of

_ASKED_SINGLY = 32  # of more, all servers of the cloud are listed at once
_NOT_FOUND = 404


class Guest(NamedTuple):
    """A server: its id, its host, the addresses at which it is probed; problem: why it is not, else ""."""

    id: str = ""
    host: str = ""
    addresses: tuple[str, ...] = ()
    problem: str = ""


def find(cloud: Cloud, wanted: Sequence[str]) -> dict[str, Guest]:
    """The servers of some names or ids, of all projects, by what they are called there.

    Raises RolloutError API_UNREACHABLE after the cloud's retry_timeout, INVALID_PILLAR, LIBRARY_MISSING.
    """
    if len(wanted) > _ASKED_SINGLY:
        there = _listed(cloud, "servers")
        return {one: _guest(one, [each for each in there if one in (each.id, each.name)]) for one in wanted}
    return {one: _guest(one, _asked(cloud, one)) for one in wanted}


def _asked(cloud: Cloud, one: str) -> list[Any]:
    if _is_id(one):
        try:
            return [cloud.allowed(f"server {one}", lambda: cloud.api.compute.get_server(one))]
        except Exception as error:
            if status_of(error) != _NOT_FOUND:
                raise
    # Nova takes a name for a pattern, of its database: what it finds has to be called so.
    there = _listed(cloud, f"servers called {one}", name=f"^{re.escape(one)}$")
    return [each for each in there if each.name == one]


def _listed(cloud: Cloud, what: str, **query: str) -> list[Any]:
    return list(cloud.allowed(what, lambda: list(cloud.api.compute.servers(all_projects=True, **query))))


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _guest(called: str, found: Sequence[Any]) -> Guest:
    if not found:
        return Guest(problem=f"no server is called {called}")
    if len(found) > 1:
        return Guest(problem=f"{len(found)} servers are called {called}: give the id of one")
    (server,) = found
    addresses = tuple(_addresses(server.addresses or {}))
    problem = "" if addresses else f"{called} has no address"
    return Guest(server.id, server.compute_host or "", addresses, problem)


def _addresses(networks: dict[str, list[dict[str, Any]]]) -> Iterable[str]:
    """The floating addresses, else the first fixed one."""
    all_ = [one for network in networks.values() for one in network]
    floating = [one["addr"] for one in all_ if one.get("OS-EXT-IPS:type") == "floating"]
    return dict.fromkeys(floating) or [one["addr"] for one in all_][:1]
