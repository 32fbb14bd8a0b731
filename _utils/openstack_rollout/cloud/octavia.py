"""Octavia's work on load balancers, as an update needs it: one whose worker is stopped may stay PENDING.

No API tells which worker has a load balancer in hand.
https://docs.openstack.org/octavia/latest/admin/guides/upgrade.html
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from openstack_rollout.cloud.api import Cloud

_PENDING = ("PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE")
_WITHOUT_WORKER = ("ovn",)  # a provider that does its work in the API's own process
_STUCK = 3600  # seconds after which no worker is at it any more


def in_hand(cloud: Cloud, node: str, nodes: Sequence[str]) -> list[str]:
    """The load balancers that some worker works on now: `NAME (STATUS)` each; any may be the node's.

    node (str), nodes: not asked for. One that has been pending for an hour is in no worker's hands. Raises
    RolloutError API_UNREACHABLE after the cloud's retry_timeout, INVALID_PILLAR as Cloud does.
    """
    if not cloud.has_service("load-balancer"):
        return []

    def listed() -> list[Any]:
        ask = cloud.api.load_balancer.load_balancers
        return [one for state in _PENDING for one in ask(provisioning_status=state)]

    return sorted(
        f"{one.name or one.id} ({one.provisioning_status})"
        for one in cloud.allowed("load balancer API", listed)
        if one.provider not in _WITHOUT_WORKER and _since(one) < _STUCK
    )


def _since(one: Any) -> float:
    """The seconds since a load balancer changed."""
    told = one.updated_at or one.created_at
    if not told:
        return 0.0
    return time.time() - datetime.fromisoformat(told.rstrip("Z")).replace(tzinfo=UTC).timestamp()
