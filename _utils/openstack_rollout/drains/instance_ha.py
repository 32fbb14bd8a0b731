"""Instance-HA (Masakari), where a cloud has it: it must not evacuate a compute that is down for an update.

Its key in a record: `instance_ha`, the `segment` and `host` ids whose maintenance was begun here, or {} for
none.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from openstack_rollout.cloud.api import Cloud
from openstack_rollout.drains.contract import Record

_SERVICE_TYPE = "instance-ha"


def begin_maintenance(cloud: Cloud, host: str, record: Record) -> None:
    """Begin the maintenance of a host, unless it has begun already; written to the record before.

    host (str): OpenStack's host name; does nothing when Masakari does not know it. Raises RolloutError
    API_UNREACHABLE.
    """
    if "instance_ha" in record.data:
        if not record.data["instance_ha"]:
            return
    else:
        found = _find_host(cloud, host)
        begins = found is not None and not found.on_maintenance
        record.data["instance_ha"] = (
            {"segment": found.segment_id, "host": found.uuid} if found and begins else {}
        )
        record.save()
        if not record.data["instance_ha"]:
            return
    _set_maintenance(cloud, record.data["instance_ha"], True)


def end_maintenance(cloud: Cloud, record: Record) -> None:
    """End the maintenance that begin_maintenance had begun. Raises RolloutError API_UNREACHABLE."""
    if record.data.get("instance_ha"):
        _set_maintenance(cloud, record.data["instance_ha"], False)


def _find_host(cloud: Cloud, host: str) -> Any:
    if not cloud.has_service(_SERVICE_TYPE):
        return None
    segments = cloud.retry("instance-HA segments", lambda: list(cloud.api.instance_ha.segments()))
    for segment in segments:
        for one in cloud.retry("instance-HA hosts", partial(_hosts, cloud, segment.uuid)):
            if one.name == host:
                return one
    return None


def _set_maintenance(cloud: Cloud, entry: dict[str, str], on: bool) -> None:
    cloud.retry(
        "instance-HA maintenance",
        lambda: cloud.api.instance_ha.update_host(entry["host"], entry["segment"], on_maintenance=on),
    )


def _hosts(cloud: Cloud, segment_id: str) -> list[Any]:
    return list(cloud.api.instance_ha.hosts(segment_id))
