"""What Octavia has in hand, asked by openstacksdk of a server that answers as its API does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from openstack_rollout.cloud import octavia
from openstack_rollout.errors import RolloutError
from tests.unit.cloud_api import PATHS

NODES = ("ctl1", "ctl2", "ctl3")


def balancer(name, status, provider="amphora", age=60.0):
    changed = (datetime.now(UTC) - timedelta(seconds=age)).replace(tzinfo=None).isoformat(timespec="seconds")
    return {"id": f"id-{name}", "name": name, "provisioning_status": status, "provider": provider,
            "created_at": changed, "updated_at": None if status == "PENDING_CREATE" else changed}  # fmt: skip


def test_a_load_balancer_is_in_hand_while_it_is_pending_and_not_stuck(answering_api, answering_cloud):
    answering_api.balancers = [
        *(balancer("a", "PENDING_CREATE"), balancer("b", "PENDING_UPDATE"), balancer("", "PENDING_DELETE")),
        *(balancer("d", "ACTIVE"), balancer("e", "PENDING_UPDATE", "ovn"), balancer("f", "ERROR")),
        balancer("g", "PENDING_UPDATE", age=4000),
    ]
    assert octavia.in_hand(answering_cloud, "ctl1", NODES) == [
        "a (PENDING_CREATE)", "b (PENDING_UPDATE)", "id- (PENDING_DELETE)",
    ]  # fmt: skip


def test_a_cloud_without_the_service_has_nothing_in_hand(answering_api, answering_cloud):
    answering_api.lacks = set(PATHS)
    assert octavia.in_hand(answering_cloud, "ctl1", NODES) == [] and answering_api.asked == []


def test_an_api_that_is_down_is_told(answering_api, answering_cloud):
    answering_api.down = True
    with pytest.raises(RolloutError) as refused:
        octavia.in_hand(answering_cloud, "ctl1", NODES)
    assert refused.value.reason == "API_UNREACHABLE"


def test_a_user_who_may_not_ask_is_named_by_the_pillars_key(answering_api, answering_cloud):
    answering_api.forbids = ("/loadbalancers",)
    with pytest.raises(RolloutError, match=r"openstack:cloud: load balancer API: test: .*Policy") as refused:
        octavia.in_hand(answering_cloud, "ctl1", NODES)
    assert refused.value.reason == "INVALID_PILLAR"
