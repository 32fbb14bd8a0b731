"""What Cinder has in hand, asked by openstacksdk of a server that answers as its API does."""

from __future__ import annotations

import pytest

from openstack_rollout.cloud import cinder
from openstack_rollout.errors import RolloutError
from tests.unit.cloud_api import PATHS

NODES = ("ctl1", "ctl2", "ctl3")


def volume(name, host, status="available", migration=None):
    return {"id": f"id-{name}", "name": name, "status": status, "migration_status": migration,
            "os-vol-host-attr:host": host}  # fmt: skip


def test_a_volume_is_in_the_hands_of_its_own_host(answering_api, answering_cloud):
    answering_api.volumes = [
        volume("a", "ctl1@lvm#pool", "retyping"), volume("b", "CTL2.example@lvm#pool", "uploading"),
        volume("", "ctl1@lvm#pool", "in-use", "migrating"), volume("d", "ctl1@lvm#pool"),
        volume("e", "ctl1@lvm#pool", "backing-up"), volume("f", None, "downloading"),
    ]  # fmt: skip
    answering_api.services = [
        {"binary": "cinder-volume", "host": f"{one}@lvm"} for one in ("ctl1", "CTL2.example")
    ]
    assert cinder.volumes_in_hand(answering_cloud, "ctl1", NODES) == ["a (retyping)", "id- (migrating)"]
    assert cinder.volumes_in_hand(answering_cloud, "ctl2", NODES) == ["b (uploading)"]
    assert cinder.volumes_in_hand(answering_cloud, "ctl3", NODES) == []


def test_a_host_that_is_no_nodes_may_be_any(answering_api, answering_cloud):
    answering_api.volumes = [volume("a", "hostgroup@lvm#pool", "downloading")]
    answering_api.services = [{"binary": "cinder-volume", "host": "hostgroup@lvm"},
                    {"binary": "cinder-scheduler", "host": "ctl1"}]  # fmt: skip
    assert cinder.volumes_in_hand(answering_cloud, "ctl3", NODES) == ["a (downloading)"]


def test_a_filter_that_is_not_allowed_puts_nothing_in_hand(answering_api, answering_cloud):
    answering_api.volumes, answering_api.ignores = [volume("a", "ctl1@lvm#pool")], {"migration_status"}
    assert cinder.volumes_in_hand(answering_cloud, "ctl1", NODES) == []


def test_backups_may_be_in_the_hands_of_any(answering_api, answering_cloud):
    answering_api.volumes = [volume("a", "ctl1@lvm", "backing-up"), volume("b", "x", "restoring-backup"),
                   volume("c", "ctl1@lvm", "retyping")]  # fmt: skip
    assert cinder.backups_in_hand(answering_cloud, "ctl3", NODES) == [
        "a (backing-up)",
        "b (restoring-backup)",
    ]


ASKED = (cinder.volumes_in_hand, cinder.backups_in_hand)


@pytest.mark.parametrize("ask", ASKED)
def test_a_cloud_without_the_service_has_nothing_in_hand(answering_api, answering_cloud, ask):
    answering_api.lacks = set(PATHS)
    assert ask(answering_cloud, "ctl1", NODES) == [] and answering_api.asked == []


@pytest.mark.parametrize("ask", ASKED)
def test_an_api_that_is_down_is_told(answering_api, answering_cloud, ask):
    answering_api.down = True
    with pytest.raises(RolloutError) as refused:
        ask(answering_cloud, "ctl1", NODES)
    assert refused.value.reason == "API_UNREACHABLE"
