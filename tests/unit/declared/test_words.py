"""The sentences that people read of records."""

from __future__ import annotations

import pytest

from openstack_rollout.declared import words
from openstack_rollout.declared.comparison import CUSTOM, Comparison
from openstack_rollout.declared.differences import Difference, Kind
from openstack_rollout.declared.facts import read
from tests.unit.cloud_pillar import NEW, OLD, digest, facts_at, model, node, valid

pytestmark = pytest.mark.wording

COMPUTE = node("compute")
IMAGE = f"registry.example/ovn-controller@{digest(NEW)}"
SENTENCES = [
    (Kind.CONTAINER_ABSENT, "a", None, IMAGE, f"container a: does not exist, wants {IMAGE}"),
    (
        Kind.CONTAINER_IMAGE,
        "a",
        "0123456789abcdef",
        IMAGE,
        f"container a: runs image 0123456789ab, wants {IMAGE}",
    ),
    (Kind.CONTAINER_STOPPED, "a", None, IMAGE, "container a: is not running"),
    (
        Kind.CONTAINER_FOREIGN,
        "a",
        "edpm_a.service",
        IMAGE,
        f"container a: is somebody else's (edpm_a.service), wants {IMAGE}",
    ),
    (
        Kind.CONTAINER_DEFINED,
        "a",
        "registry.example/a:1",
        IMAGE,
        f"container a: starts as registry.example/a:1 the next time, wants {IMAGE}",
    ),
    (Kind.CHANGE_UNFINISHED, "a", None, None, "container a: its change was begun and not finished"),
    (Kind.PACKAGE, "curl", ["7-1", "7-2"], "8", "package curl: 7-1, 7-2, wants 8"),
    (Kind.PACKAGE, "curl", [], ">=8", "package curl: not installed, wants >=8"),
    (
        Kind.PACKAGE_LEFT,
        "openvswitch3.4",
        None,
        None,
        "package openvswitch3.4: of a stream that the release left",
    ),
    (Kind.PACKAGE_DOUBLE, "x-4", None, None, "package x-4: is still there beside the wanted version"),
    (Kind.PACKAGE_DOUBLE, "x", ["3", "4"], None, "package x: is installed more than once: 3, 4"),
    (Kind.PACKAGE_HALF, "x", ["4"], None, "package x: its transaction died in the middle: 4"),
    (
        Kind.PACKAGES_UNKNOWN,
        "packages",
        "no dnf",
        None,
        "whether packages are whole cannot be told: no dnf",
    ),
    (Kind.SYSTEM_IMAGE, "system image", "old", IMAGE, f"system image: old, wants {IMAGE}"),
    (Kind.SWITCH_DISABLED, "ovs.service", None, None, "unit ovs.service: is not enabled"),
    (Kind.SWITCH_STALE, "switch", "3.4.0", "3.5.0", "switch: 3.4.0 runs, 3.5.0 is installed"),
    (
        Kind.SWITCH_STALE,
        "switch",
        "3.4.0",
        "3.4.0",
        "switch: 3.4.0 runs and is the version on disk, but its programs were replaced on disk since they"
        " started",
    ),
    (
        Kind.SERVICE_UNKNOWN,
        "nova-api",
        "no repository answers",
        None,
        "service nova-api: whether its packages are the newest cannot be told: no repository answers",
    ),
    (
        Kind.SERVICE_PACKAGES,
        "nova-api",
        {"nova-api": ["1"], "nova-common": []},
        {"nova-api": "2", "nova-common": "2"},
        "service nova-api: package nova-api 1, wants 2; package nova-common not installed, wants 2",
    ),
    (
        Kind.SERVICE_LIBRARIES,
        "nova-api",
        None,
        ["python3-oslo.log", "python3-requests"],
        "service nova-api: newer libraries: python3-oslo.log, python3-requests",
    ),
    (
        Kind.SERVICE_STALE,
        "nova-api",
        None,
        ["python3-nova"],
        "service nova-api: runs what was there before python3-nova",
    ),
    (
        Kind.SERVICE_STOPPED,
        "nova-api",
        ["nova-api.service"],
        None,
        "service nova-api: nova-api.service does not run",
    ),
    (Kind.NEWER, "packages", None, ["a"], "newer packages: a"),
    (Kind.NEWER, "packages", None, list("abcdefg"), "newer packages: a, b, c, d, e and 2 more"),
    (Kind.NEWER_UNKNOWN, "packages", "no repository", None, "newer packages: no repository"),
    (Kind.LIVE_PATCHES, "kernel", None, ["k1", "k2"], "live patches: k1, k2"),
    (Kind.MINION, "salt-minion", "waiting", None, "salt-minion: its renewal is waiting"),
    (Kind.MIGRATION, "move-cache", None, None, "migration move-cache: is due"),
    (Kind.REBOOT, "node", "kernel: 1 runs", None, "reboot is needed: kernel: 1 runs"),
    (Kind.NOT_RUNNING, "a", None, None, "container a: not running"),
    (Kind.UNHEALTHY, "a", None, None, "container a: unhealthy"),
    (Kind.SWITCH_INACTIVE, "ovs.service", None, None, "unit ovs.service: not active"),
    (Kind.DATAPATH, "data path", "br-int has no flows", None, "br-int has no flows"),
    (Kind.OVN_WAIT, "x", "8000", "48000", "setting x: 8000, wants 48000"),
    (Kind.OVN_WAIT, "x", None, "8000", "setting x: none, wants 8000"),
    (Kind.OVN_WAIT, "x", "8000", None, "setting x: 8000, wants none"),
]


@pytest.mark.parametrize(("kind", "subject", "have", "want", "sentence"), SENTENCES)
def test_a_sentence(kind, subject, have, want, sentence):
    assert words.difference(Difference("ovs", kind, subject, have, want)) == sentence


def test_every_kind_has_one():
    assert {kind for kind, *_ in SENTENCES} == set(Kind)
    assert set(words._SENTENCES) == {kind.value for kind in Kind}


def compared(version, openstack=None):
    openstack = openstack or valid()
    facts = read("node1", facts_at(openstack, version, COMPUTE))
    return Comparison(model(openstack)).compare(facts, ("compute",), None)


def test_sentences_name_the_release_whose_image_runs():
    found = compared(OLD)
    assert words.differences(found.stages["ovn"], found) == [
        f"container ovn_controller: runs image 1.0.0 (aaaaaaaaaaaa), wants {IMAGE}"
    ]
    assert words.differences(found.stages["ovs"], found) == [
        "package lab-openvswitch: 3-1.0.0, wants 3-1.0.1",
        "package openvswitch3.5: not installed, wants 3-1.0.1",
        "package openvswitch3.4: of a stream that the release left",
    ]


def test_a_custom_image_is_called_so():
    openstack = {**valid(), "custom_images": {"ovn_controller_image": f"registry.example/fix@{digest('x')}"}}
    facts = read("node1", facts_at(openstack, NEW, COMPUTE))
    found = Comparison(model({**openstack, "custom_images": openstack["custom_images"]})).compare(
        facts, ("compute",), None
    )
    assert found.services["ovn"]["release"] == CUSTOM
    other = Difference("ovn", Kind.CONTAINER_IMAGE, "ovn_controller", "c" * 64, IMAGE)
    assert words.difference(other, found).startswith(
        "container ovn_controller: runs image custom (cccccccccccc), "
    )


@pytest.mark.parametrize(
    ("kind", "detail", "sentence"),
    [
        ("beside", "", "container a: runs beside the catalogue"),
        ("orphan", "", "container a: started by us, and not wanted on this node"),
        ("exited", "3", "container a: ended with 3 when it ran last"),
        ("wait_stays", "8000", "setting a: 8000 ms of somebody else's stay, the pillar wants less"),
        ("legacy", "edpm_a", "container a: the earlier installer's unit edpm_a is still there"),
    ],
)
def test_a_note(kind, detail, sentence):
    assert words.note({"kind": kind, "subject": "a", "detail": detail}) == sentence


def test_a_subject_with_braces_is_told_as_it_is():
    assert words.note({"kind": "beside", "subject": "{kind}", "detail": ""}).startswith("container {kind}: ")


def test_the_note_of_sidecars_counts_them():
    note = {"kind": "old_sidecars", "subject": "a", "detail": "b, c", "old": "2", "all": "3", "image": OLD}
    assert words.note(note) == (
        f"container a: 2 of the 3 containers that it started run {OLD} until it starts them again: b, c"
    )
