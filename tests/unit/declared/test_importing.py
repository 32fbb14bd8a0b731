"""What an imported release lacks, changes and is written as, and what becomes of tags."""

from __future__ import annotations

import pytest
import yaml

from openstack_rollout.declared import importing, reading
from openstack_rollout.declared.sources import telling
from openstack_rollout.errors import RolloutError
from tests.unit import cloud_pillar
from tests.unit.cloud_pillar import NEW, digest, valid

REGISTRY = "registry.example"


def imported(images, version="1.0.2", openstack=None, follows=None):
    model = cloud_pillar.model(openstack)
    found, _ = importing.read(
        model, telling.read(yaml.safe_dump(images, sort_keys=False)), version, (), follows
    )
    return model, found[0]


def of_release(change=None):
    images = {**valid()["releases"][NEW]["images"], **(change or {})}
    return {key: value for key, value in images.items() if value is not None}


def test_what_enabled_services_lack_is_told_by_key():
    model, one = imported(of_release({"nova_compute_image": None, "magnum_api_image": None}))
    assert importing.missing(model, one.content()["images"], "1.0.2") == {"nova_compute_image": ["nova"]}
    openstack = {**valid(), "custom_images": {"nova_compute_image": f"{REGISTRY}/hot@{digest(NEW)}"}}
    model, one = imported(of_release({"nova_compute_image": None}), openstack=openstack)
    assert importing.missing(model, one.content()["images"], "1.0.2") == {}


def test_a_back_end_is_served_by_the_default_of_its_map():
    openstack = valid()
    openstack["services"] = {
        "volume": {"type": "cinder-volume", "backend": "pure", "container": "volume", "enabled": True}
    }
    model, one = imported(
        of_release({"cinder_volume_images": {"other": f"{REGISTRY}/x:1"}}), openstack=openstack
    )
    assert importing.missing(model, one.content()["images"], "1.0.2") == {"cinder_volume_images": ["volume"]}
    model, one = imported(
        of_release({"cinder_volume_images": {"default": f"{REGISTRY}/x:1"}}), openstack=openstack
    )
    assert importing.missing(model, one.content()["images"], "1.0.2") == {}


def test_what_changes_is_told_since_the_release_before():
    change = {"nova_compute_image": f"{REGISTRY}/nova:2", "magnum_api_image": None}
    model, one = imported(of_release(change), version="1.0.2")
    before = valid()["releases"][NEW]["images"]["nova_compute_image"]
    assert importing.changes(model, None, one) == {
        "since": NEW,
        "changed": {"nova_compute_image": [before, f"{REGISTRY}/nova:2"]},
        "added": [],
        "gone": ["magnum_api_image"],
    }
    _, between = imported(of_release(), version="1.0.0.post1")
    assert importing.changes(model, None, between)["since"] == "1.0.0"
    _, oldest = imported(of_release(), version="0.9")
    assert importing.changes(model, None, oldest) == {"since": "", "changed": {}, "added": [], "gone": []}
    assert importing.changes(model, oldest, one)["since"] == "0.9"


def test_a_name_that_cannot_be_ordered_says_whom_it_follows():
    model, one = imported(of_release(), version="flamingo", follows=NEW)
    assert importing.changes(model, None, one)["since"] == NEW
    assert one.content()["follows"] == NEW


def of_file(releases):
    """The source of a release file, every release with one image."""
    images = {"images": {"nova_compute_image": f"{REGISTRY}/nova:1"}}
    return telling.read(
        yaml.safe_dump({"openstack": {"releases": {name: one | images for name, one in releases.items()}}})
    )


@pytest.mark.parametrize(
    ("says", "given", "follows"),
    [
        ({"follows": NEW}, None, NEW),
        ({"follows": "1.0.0"}, NEW, NEW),
        ({"order": 9}, None, None),
        ({"order": 9, "follows": "dalmatian"}, None, "dalmatian"),
    ],
)
def test_what_a_release_file_says_of_its_order_counts_and_what_is_asked_for_before_it(says, given, follows):
    openstack = valid()
    for number, one in enumerate(openstack["releases"].values()):
        one["order"] = number
    model = cloud_pillar.model(openstack)
    (one,), _ = importing.read(model, of_file({"flamingo": says}), None, (), given)
    assert one.content().get("follows") == follows and one.content().get("order") == says.get("order")
    assert importing.changes(model, None, one)["since"] == NEW


def test_releases_of_one_file_are_told_oldest_first_and_the_oldest_follows_what_is_asked_for():
    some = {"zed": {"follows": "yoga"}, "yoga": {}, "antelope": {"follows": "zed"}}
    model = cloud_pillar.model()
    found, _ = importing.read(model, of_file(some), None, (), NEW)
    assert [(one.version, one.content()["follows"]) for one in found] == [
        ("yoga", NEW),
        ("zed", "yoga"),
        ("antelope", "zed"),
    ]
    with pytest.raises(RolloutError, match=r"newer\?.*; version= takes one of them, and follows= says it of"):
        importing.read(model, of_file({"zed": {}, "yoga": {}}), None, (), NEW)


def test_releases_of_one_file_that_follow_each_other_in_a_circle_are_refused():
    follows = {"2.1-a": "2.3-c", "2.2-b": "2.1-a", "2.3-c": "2.2-b"}
    circle = of_file({name: {"follows": other} for name, other in follows.items()})
    with pytest.raises(RolloutError, match=r"^RELEASE_REFUSED: .* is newer than a release that is newer"):
        importing.read(cloud_pillar.model(), circle, None, (), None)


@pytest.mark.parametrize("other", ["2.0.0", "2.0.0.0"])
def test_one_version_under_two_names_is_refused(other):
    """A catalogue with both is refused as a whole."""
    two = of_file({"2.0": {}, "2.0.1": {}, other: {}})
    with pytest.raises(RolloutError, match=rf"^RELEASE_REFUSED: SOURCE: {other} is the same version as 2\.0"):
        importing.read(cloud_pillar.model(), two, None, (), None)
    assert importing.read(cloud_pillar.model(), two, other, (), None)[0][0].version == other


def test_what_is_written_is_a_release_of_the_catalogue():
    _, one = imported(of_release(), version="2026.1-ubuntu-noble")
    text = importing.file_text(one.version, one.content(), "release.import")
    assert text.startswith("#!yaml\n")
    openstack = valid()
    openstack["releases"] |= yaml.safe_load(text)["openstack"]["releases"]
    openstack["target_version"] = "2026.1-ubuntu-noble"
    assert reading.reasons(openstack)[0] == []
    assert cloud_pillar.model(openstack).ordered == ["1.0.0", NEW, "2026.1-ubuntu-noble"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"imagse": {}}, "1.0.2:imagse: unknown key"),
        ({"packages": 5}, "1.0.2:packages: has to be a mapping"),
        ({"follows": "../x"}, "1.0.2:follows: '../x': a release's name has letters"),
        ({"follows": 1.0}, "1.0.2:follows: 1.0 is a number"),
        ({"order": "last"}, "1.0.2:order: has to be a whole number"),
        (
            {"checks": [{"service": "nosuch", "call": "rabbitmq_cluster.stable_flags"}]},
            "1.0.2:checks:0:service:",
        ),
    ],
)
def test_what_the_catalogue_would_refuse_is_not_made(more, said):
    """A file of it would have the whole pillar refused."""
    text = yaml.safe_dump({"openstack": {"releases": {"1.0.2": {"images": of_release(), **more}}}})
    with pytest.raises(RolloutError) as refused:
        importing.read(cloud_pillar.model(), telling.read(text), None, (), None)
    assert refused.value.reason == "RELEASE_REFUSED" and said in refused.value.message
    with pytest.raises(RolloutError, match=r"^RELEASE_REFUSED: .*1\.0\.2:follows: "):
        imported(of_release(), follows="../x")


def test_a_version_that_yaml_would_read_as_a_number_is_written_in_quotes():
    _, one = imported(of_release(), version="2.0")
    assert list(
        yaml.safe_load(importing.file_text(one.version, one.content(), "x"))["openstack"]["releases"]
    ) == ["2.0"]


def test_tags_become_digests_and_what_nobody_needs_is_left_out_where_it_has_none():
    missing = RolloutError("IMAGE_MISSING", "r.example/ksm:1: is not in the registry")
    images = {
        "nova_compute_image": "r.example/nova:1",
        "ksm_image": "r.example/ksm:1",
        "heat_api_image": f"r.example/heat@{digest(NEW)}",
        "neutron_api_image": "r.example/neutron:1",
    }
    model, one = imported(images)
    assert importing.tags(one.taken) == ["r.example/nova:1", "r.example/ksm:1", "r.example/neutron:1"]
    answers = {
        "r.example/nova:1": digest("1"),
        "r.example/neutron:1": digest("2"),
        "r.example/ksm:1": missing,
    }
    assert importing.pin(model, one.taken, answers) == []
    assert one.content()["images"] == {
        "heat_api_image": f"r.example/heat@{digest(NEW)}",
        "infra_dnsmasq_image": f"r.example/neutron@{digest('2')}",
        "neutron_api_image": f"r.example/neutron@{digest('2')}",
        "nova_compute_image": f"r.example/nova@{digest('1')}",
    }
    assert one.taken.skipped == [
        {
            "name": "ksm_image",
            "why": "unpinned",
            "detail": "IMAGE_MISSING: r.example/ksm:1: is not in the registry",
        }
    ]


def test_what_is_needed_and_has_no_digest_is_a_problem_each():
    model, one = imported({"nova_compute_image": "r.example/nova:1", "glance_api_image": "down.example/g:1"})
    answers = {
        "r.example/nova:1": RolloutError("IMAGE_MISSING", "r.example/nova:1: is not in the registry"),
        "down.example/g:1": RolloutError("REGISTRY_UNREACHABLE", "down.example: no answer"),
    }
    assert importing.pin(model, one.taken, answers) == [
        ("IMAGE_MISSING", "nova_compute_image: r.example/nova:1: is not in the registry"),
        ("REGISTRY_UNREACHABLE", "down.example: no answer"),
    ]


def test_a_release_that_is_there_already_is_told():
    model = cloud_pillar.model()
    assert importing.same(model, "1.0.1") == importing.same(model, "1.0.1.0") == NEW
    assert importing.same(model, "1.0.2") == ""
