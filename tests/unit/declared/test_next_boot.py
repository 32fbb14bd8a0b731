"""What stands between a node and the boot that is wanted, by its cause."""

from __future__ import annotations

import pytest

from openstack_rollout.declared import facts, next_boot, words
from openstack_rollout.declared.comparison import Comparison
from tests.unit import cloud_pillar

READY = {
    "loader": "bls",
    "unknown": "",
    "entry": "machine-5.14.0-2.el9.x86_64",
    "release": "5.14.0-2.el9.x86_64",
    "wanted": "5.14.0-2.el9.x86_64",
    "missing": {"kernel": [], "initramfs": []},
    "room": {"free": 100, "need": 60},
}
FULL = {"room": {"free": 50, "need": 60}}


def causes(change, coming=()):
    found = next_boot.doubts(facts.NextBoot.model_validate({**READY, **change}), coming)
    assert all(words.doubt(one) for one in found)
    return [one.cause for one in found]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"release": "5.14.0-1.el9.x86_64"}, ["default_entry"]),
        ({"release": ""}, ["default_entry"]),
        ({"release": "5.14.0-1.el9.x86_64", "wanted": ""}, []),
        ({"missing": {"kernel": ["/vmlinuz-x"], "initramfs": ["/x.img"]}},
         ["kernel_missing", "initramfs_missing"]),
        ({"loader": "", "unknown": "no boot loader", "release": ""}, ["unknown"]),
        (FULL, []),
        ({"room": None}, []),
    ],
)  # fmt: skip
def test_each_cause_has_its_word(change, expected):
    assert causes(change) == expected


@pytest.mark.parametrize(
    ("coming", "expected"),
    [(["bash"], []), (["kernel-core"], ["no_room"]), (["linux-image-6.12.57+deb13-amd64"], ["no_room"])],
)
def test_room_counts_when_a_kernel_comes(coming, expected):
    assert causes(FULL, coming) == expected


def test_what_is_not_known_refuses_nothing():
    assert [one for one in next_boot.Cause if not next_boot.Doubt(one).refuses] == ["unknown"]


def test_a_node_that_was_not_asked_leaves_no_doubt():
    assert next_boot.doubts(None, ["kernel-core"]) == []


def test_a_node_is_judged_with_the_kernel_that_its_release_brings():
    where = cloud_pillar.node("compute")
    model = cloud_pillar.model()
    told = cloud_pillar.facts_at(cloud_pillar.valid(), cloud_pillar.OLD, where, next_boot={**READY, **FULL})
    compared = Comparison(model).compare(facts.read("node1", told), where.roles, None)
    assert [one.cause for one in compared.next_boot] == ["no_room"]
