"""What is refused before a node is touched: forgotten custom images, downgrades."""

from __future__ import annotations

import copy

import pytest

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
