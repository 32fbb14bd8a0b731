"""Cinder's work on volumes, as an update needs it: what a service that is stopped would leave in error.

A volume names the host of its cinder-volume. No API tells which cinder-backup has a backup in hand.
https://docs.openstack.org/cinder/latest/admin/upgrades.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from openstack_rollout.cloud.api import Cloud, hosts_of

_VOLUMES = {"status": ("retyping", "uploading", "downloading"), "migration_status": ("migrating",)}
_BACKUPS = {"status": ("backing-up", "restoring-backup")}
_HOST = "os-vol-host-attr:host"


def volumes_in_hand(cloud: Cloud, node: str, nodes: Sequence[str]) -> list[str]:
    """The volumes that the cinder-volume of a node works on now: `NAME (STATUS)` each.

    node (str): minion id. nodes: the ids of all nodes; where none of Cinder's hosts is this one's, those that
    are no other node's may be. Raises RolloutError API_UNREACHABLE after the cloud's retry_timeout,
    INVALID_PILLAR as Cloud does.
    """
    found = list(_found(cloud, _VOLUMES))
    if not found:
        return []
    services = cloud.allowed("block storage API", lambda: list(cloud.api.block_storage.services()))
    told = [one.host for one in services if one.binary == "cinder-volume"]
    hosts = {_machine(host) for host in (*told, *(one.get(_HOST) or "" for one, _ in found))} - {""}
    mine = hosts_of(node, nodes, hosts)
    return _named((one, state) for one, state in found if _machine(one.get(_HOST) or "") in mine)


def backups_in_hand(cloud: Cloud, node: str, nodes: Sequence[str]) -> list[str]:
    """The volumes that some cinder-backup copies or restores now, which may be the node's: `NAME (STATUS)`.

    cloud, node, nodes: as for volumes_in_hand, and raises as that.
    """
    return _named(_found(cloud, _BACKUPS))


def _found(cloud: Cloud, wanted: Mapping[str, Collection[str]]) -> Iterator[tuple[dict[str, Any], str]]:
    """The volumes of all projects in some states, each with its state."""
    if not cloud.has_service("block-storage"):
        return
    for key, states in wanted.items():
        for state in states:
            url = f"/volumes/detail?all_tenants=True&{key}={state}"
            volumes = cloud.get_json("block_storage", url, "3.0")["volumes"]
            # Cinder drops a filter that it does not allow, without a word.
            yield from ((one, state) for one in volumes if one.get(key) == state)


def _machine(host: str) -> str:
    """A host without its back end and pool."""
    return host.partition("@")[0]


def _named(found: Iterable[tuple[dict[str, Any], str]]) -> list[str]:
    return sorted(f"{one['name'] or one['id']} ({state})" for one, state in found)
