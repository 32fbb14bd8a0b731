"""Instance-HA (Masakari), where a cloud has it: it must not evacuate a compute that we took down."""

from __future__ import annotations

from functools import partial
from typing import Any

from openstack_rollout.cloud.api import Cloud
from openstack_rollout.drains.contract import Record

_SERVICE = "instance-ha"


def stand_still(cloud: Cloud, host: str, record: Record) -> None:
    """Put a host under maintenance there, unless it is already; noted in the record before."""
    if "instance_ha" in record.data:
        if not record.data["instance_ha"]:
            return
    else:
        found = _find(cloud, host)
        ours = found is not None and not found.on_maintenance
        record.data["instance_ha"] = (
            {"segment": found.segment_id, "host": found.uuid} if found and ours else {}
        )
        record.save()
        if not record.data["instance_ha"]:
            return
    _set(cloud, record.data["instance_ha"], True)


def watch_again(cloud: Cloud, record: Record) -> None:
    """End the maintenance that we began."""
    if record.data.get("instance_ha"):
        _set(cloud, record.data["instance_ha"], False)


def _find(cloud: Cloud, host: str) -> Any:
    if not cloud.offers(_SERVICE):
        return None
    segments = cloud.patiently("instance-HA segments", lambda: list(cloud.api.instance_ha.segments()))
    for segment in segments:
        hosts = cloud.patiently("instance-HA hosts", partial(_hosts, cloud, segment.uuid))
        for one in hosts:
            if one.name == host:
                return one
    return None


def _set(cloud: Cloud, place: dict[str, str], on: bool) -> None:
    cloud.patiently(
        "instance-HA maintenance",
        lambda: cloud.api.instance_ha.update_host(place["host"], place["segment"], on_maintenance=on),
    )


def _hosts(cloud: Cloud, segment: str) -> list[Any]:
    return list(cloud.api.instance_ha.hosts(segment))
