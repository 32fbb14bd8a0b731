"""Which of two releases is newer, and what is asked where nothing tells."""

from __future__ import annotations

import itertools
import random

import pytest

from openstack_rollout.declared import version_order
from openstack_rollout.declared.version_order import Said
from tests.unit.cloud_pillar import valid
from tests.unit.declared.pillars import changed, lines

#: Oldest first.
ORDERED = [
    ["1.0.0rc1", "1.0.0", "1.0.10", "2.0"],
    [
        "18.0.6-20250403.1",
        "18.0.6-20250403.2",
        "18.0.6-20250501.1",
        "18.0.9-20250605.1",
        "18.0.10-20250601.1",
    ],
    ["1.2.3.999999999.p", "1.2.4.3.p"],
    ["1.2.3.1234567890.p", "1.2.3.1734567890.p"],
    ["2024.2-rocky-9", "2025.1-ubuntu-noble", "2025.2-debian-bookworm"],
    ["17.1_20240827.1", "17.1_20250101.1", "18.0.1-20240901.1"],
    ["18.0-fr2", "18.0-fr6", "18.0-fr10"],
    ["0.0.1", "18.0.6-20250403.1", "2025.1-ubuntu-noble"],
    ["nightly-20250101", "nightly-20250102.3"],
    ["2025.1-ubuntu-noble-20250101", "2025.1-debian-bookworm-20250301"],
    ["caracal-7", "caracal-12"],
    ["1.2.3", "1.2.3.1734567890.p", "1.2.4"],
    ["18.0.6-20250403093000", "18.0.6-20250403113000"],
]
#: Two of which nobody can tell by their names.
UNCLEAR = [
    ("2025.1-ubuntu-noble", "2025.1-ubuntu-jammy"),
    ("2025.1", "2025.1-ubuntu-noble"),
    ("epoxy", "flamingo"),
    ("18.0-fr6", "18.0.6-20250403.1"),
    ("18.0.6-fr", "20250403-x"),
    ("build-1a2b3c4d", "build-2a2b3c4d"),
    ("18.0.6-2", "18.0.6-20250403.x"),
    ("1.0-rc1-x", "1.0-x"),
    ("1.0.dev1-a-20250101", "1.0-q-20240601"),
    ("18.0.6-20250403.1", "18.0.6-20250403-hotfix"),
]


@pytest.mark.parametrize("versions", ORDERED)
def test_names_tell_the_order(versions):
    for older, newer in itertools.combinations(versions, 2):
        assert version_order.by_name(older, newer) == -1, (older, newer)
        assert version_order.by_name(newer, older) == 1
        assert version_order.newer(newer, older, {}) is True
        assert version_order.newer(older, newer, {}) is False
    mixed = random.Random(1).sample(versions, len(versions))
    assert version_order.in_order(dict.fromkeys(mixed, Said())) == (versions, [])


@pytest.mark.parametrize(("one", "other"), UNCLEAR)
def test_what_names_do_not_tell_is_asked(one, other):
    assert version_order.by_name(one, other) is None
    assert version_order.by_name(other, one) is None
    assert version_order.newer(one, other, {}) is None
    openstack = changed("releases", {one: {}, other: {}})
    openstack["target_version"] = one
    (line,) = lines(openstack, target_needed=False)
    assert one in line and other in line and "newer?" in line and "follows:" in line


@pytest.mark.parametrize("said", [{"follows": "2025.1-ubuntu-jammy"}, {"order": 2}])
def test_releases_tell_what_their_names_do_not(said):
    releases = {"2025.1-ubuntu-noble": said, "2025.1-ubuntu-jammy": {"order": 1}}
    openstack = changed("releases", releases)
    openstack["target_version"] = "9.9"
    (line,) = lines(openstack)
    assert "is not a release" in line
    assert "2025.1-ubuntu-jammy, 2025.1-ubuntu-noble" in line


def test_what_releases_say_counts_along_a_chain():
    said = {"epoxy": Said(), "flamingo": Said(follows="epoxy"), "gazpacho": Said(follows="flamingo")}
    assert version_order.in_order(said) == (["epoxy", "flamingo", "gazpacho"], [])
    assert version_order.newer("gazpacho", "epoxy", said) is True
    assert version_order.newer("epoxy", "gazpacho", said) is False
    # One that is no release of the catalogue any more.
    del said["epoxy"]
    assert version_order.newer("gazpacho", "epoxy", said) is True
    assert version_order.newer("gazpacho", "dalmatian", said) is None


def test_each_question_is_asked_once_and_answers_settle_it():
    said = dict.fromkeys(("a", "b", "c"), Said())
    _, unclear = version_order.in_order(said)
    assert len(unclear) == 2
    for older, newer in unclear:
        said[newer] = Said(follows=older)
    assert version_order.in_order(said)[1] == []


@pytest.mark.parametrize("follows", [{"a": "c", "b": "a", "c": "b"}, {"a": "a"}])
def test_a_circle_is_refused(follows):
    openstack = valid()
    openstack["releases"] = {name: {"follows": other} for name, other in follows.items()}
    openstack["target_version"] = "a"
    (line,) = lines(openstack)
    assert "newer than a release that is newer than it" in line


@pytest.mark.parametrize(
    ("one", "other"), [("1.0", "1.0.0"), ("18.0-FR6", "18.0-fr6"), ("18.0-fr6", "18.0-fr06")]
)
def test_two_names_of_one_version_are_refused(one, other):
    openstack = changed("releases", {one: {}, other: {}})
    openstack["target_version"] = one
    assert lines(openstack) == [f"openstack:releases:{other}: is the same version as {one}"]


@pytest.mark.parametrize(
    "name",
    [
        "../etc",
        "a/b",
        "a b",
        ".hidden",
        "-rf",
        "a\nb",
        "a'b",
        'a"b',
        "a..b",
        "a;b",
        "$a",
        "a\\b",
        "",
        "x" * 65,
    ],
)
def test_unsafe_names_are_refused_in_one_line(name):
    found = [line for line in lines(changed("releases", {"1.0.0": {}, "1.0.1": {}, name: {}}))]
    assert len(found) == 1
    assert found[0].startswith("openstack:releases:") and found[0].isprintable()
