"""What is refused before a node is touched: forgotten custom images, images that are nowhere, downgrades."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from openstack_rollout.declared.differences import Difference, Kind
from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout import preconditions
from tests.unit.cloud_pillar import NEW, OLD, digest, model, valid

GOOD = f"registry.example/x@{digest(NEW)}"


def test_custom_images_left_over_from_the_old_target_are_refused():
    openstack = valid()
    openstack["custom_images"] = {"glance_api_image": GOOD, "cinder_volume_images": {"pure": GOOD}}
    tracked = {"version": OLD, "custom_images": copy.deepcopy(openstack["custom_images"])}
    with pytest.raises(RolloutError) as error:
        preconditions.refuse_forgotten_images(model(openstack), tracked)
    assert error.value.reason == "CUSTOM_IMAGES_UNCHANGED"
    assert error.value.message == (
        "openstack:custom_images: all are still those of 1.0.0: cinder_volume_images:pure, glance_api_image"
    )
    preconditions.refuse_forgotten_images(model(openstack, keep_custom_images_for=NEW), tracked)
    with pytest.raises(RolloutError):
        preconditions.refuse_forgotten_images(model(openstack, keep_custom_images_for=OLD), tracked)
    preconditions.refuse_forgotten_images(model(openstack), None)
    preconditions.refuse_forgotten_images(model(openstack), tracked | {"version": NEW})
    preconditions.refuse_forgotten_images(model(openstack, custom_images={}), tracked)
    preconditions.refuse_forgotten_images(model(openstack, target_version=""), tracked)
    openstack["custom_images"]["glance_api_image"] = GOOD.replace("b", "c")
    preconditions.refuse_forgotten_images(model(openstack), tracked)


def test_a_custom_image_that_is_new_is_none_that_was_forgotten():
    openstack = {**valid(), "custom_images": {"glance_api_image": GOOD, "heat_api_image": GOOD}}
    preconditions.refuse_forgotten_images(
        model(openstack), {"version": OLD, "custom_images": {"glance_api_image": GOOD}}
    )
    fewer = model({**valid(), "custom_images": {"glance_api_image": GOOD}})
    with pytest.raises(RolloutError, match=r"^CUSTOM_IMAGES_UNCHANGED"):
        tracked = {"version": OLD, "custom_images": openstack["custom_images"]}
        preconditions.refuse_forgotten_images(fewer, tracked)


class Node(NamedTuple):
    """A node that is to run an image which it lacks."""

    image: str
    local: bool = False

    @property
    def services(self):
        return {"glance": {"container": "glance_api", "image": self.image, "local": self.local}}

    def open(self, stages):
        return [Difference("control_plane", Kind.CONTAINER_IMAGE, "glance_api", "x", "y")] if stages else []


def test_each_image_that_nodes_lack_is_asked_for_and_named_with_its_nodes():
    """Also where nodes that go back had different images of one service."""
    other = f"registry.example/x@{digest(OLD)}"
    nodes = {"ctl1": Node(GOOD), "ctl2": Node(other), "ctl3": Node(GOOD), "ctl4": Node(other, local=True)}
    wanted = {}

    def registry(asked):
        wanted.update(asked)
        return [("IMAGE_MISSING", f"{key}: {one} is gone") for key, one in asked.items() if one == other]

    ports = SimpleNamespace(registry=registry)
    with pytest.raises(RolloutError, match=f"^IMAGE_MISSING: service glance on ctl2: {other} is gone$"):
        preconditions.refuse_missing_images(nodes, ["control_plane"], ports)
    assert wanted == {"service glance on ctl1, ctl3": GOOD, "service glance on ctl2": other}
    preconditions.refuse_missing_images({"ctl1": Node(GOOD)}, ["control_plane"], ports)
    preconditions.refuse_missing_images(nodes, [], ports)


def test_all_that_is_missing_is_told_as_far_as_it_can_be_read():
    nodes = {f"cmp{number}": Node(f"{GOOD[:-2]}{number:02}") for number in range(12)}
    ports = SimpleNamespace(registry=lambda asked: [("IMAGE_MISSING", key) for key in asked])
    with pytest.raises(RolloutError, match=r"on cmp9 \(and 2 more\)$"):
        preconditions.refuse_missing_images(nodes, ["control_plane"], ports)


def test_a_downgrade_is_refused_with_its_nodes():
    declared = model(target_version=OLD)
    preconditions.refuse_downgrade(declared, {"cmp1": OLD, "cmp2": None})
    with pytest.raises(RolloutError) as error:
        preconditions.refuse_downgrade(declared, {"cmp1": OLD, "cmp2": NEW})
    assert error.value.reason == "DOWNGRADE_REFUSED"
    assert error.value.nodes == ("cmp2",)
    assert "1.0.0 would be a downgrade, cmp2 is at 1.0.1" in error.value.message


@pytest.mark.parametrize(
    ("deployed", "target", "said"),
    [
        ("18.0.9-20250605.1", "18.0.6-20250403.1", "would be a downgrade, cmp1 is at 18.0.9-20250605.1"),
        (
            "2025.1-ubuntu-noble",
            "2025.1-ubuntu-jammy",
            "is 2025.1-ubuntu-noble or 2025.1-ubuntu-jammy newer?",
        ),
    ],
)
def test_a_downgrade_is_one_by_the_order_of_the_releases(deployed, target, said):
    """Also where the deployed release is none of the catalogue any more."""
    openstack = valid()
    openstack |= {"releases": {target: openstack["releases"][NEW]}, "target_version": target}
    with pytest.raises(RolloutError) as error:
        preconditions.refuse_downgrade(model(openstack), {"cmp1": deployed, "cmp2": target})
    assert (error.value.reason, error.value.nodes) == ("DOWNGRADE_REFUSED", ("cmp1",))
    assert said in error.value.message
    openstack["releases"][target] = {**openstack["releases"][target], "follows": deployed}
    preconditions.refuse_downgrade(model(openstack), {"cmp1": deployed})


def test_without_a_target_nothing_is_a_downgrade():
    assert preconditions.refuse_downgrade(model(target_version=""), {"cmp1": NEW}) is None
