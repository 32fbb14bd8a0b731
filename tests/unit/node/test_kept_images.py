"""kept_images: the former images of a run, held by volumes of podman's driver `image`."""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import kept_images
from openstack_rollout.node.errors import NodeError
from tests.unit.image_volumes import Volumes

A, B, C = (letter * 64 for letter in "abc")


@pytest.fixture
def podman():
    return Volumes()


def test_images_are_held_once_and_by_the_last_run_that_moves_any(podman):
    assert kept_images.keep(podman.salt, "r1", [A, B]) == [A, B]
    assert podman.held == {A, B} and podman.volumes.keys() == {f"openstack-rollout-r1-{A[:12]}"} | {
        f"openstack-rollout-r1-{B[:12]}"
    }
    made = podman.made
    assert kept_images.keep(podman.salt, "r1", [B]) == [], "a run that goes on, one of its nodes has moved"
    assert kept_images.keep(podman.salt, "r2", []) == [], "a run that moves nothing"
    assert podman.held == {A, B} and podman.made == made
    assert kept_images.keep(podman.salt, "r2", [B, C]) == [B, C]
    assert podman.held == {B, C} and {name.split("-")[2] for name in podman.volumes} == {"r2"}


def test_what_the_last_run_held_goes_only_after_all_of_the_next_is_held(podman):
    kept_images.keep(podman.salt, "r1", [A])
    podman.broken = True
    with pytest.raises(CommandExecutionError, match="no locks"):
        kept_images.keep(podman.salt, "r2", [B])
    assert podman.held == {A}


def test_volumes_of_others_are_left_alone(podman):
    podman.volumes["ovn_db"] = {"driver": "local", "labels": {}, "image": None}
    podman.volumes["theirs"] = {"driver": "image", "labels": {}, "image": A}
    kept_images.keep(podman.salt, "r1", [A])
    kept_images.keep(podman.salt, "r2", [B])
    kept_images.release(podman.salt, [A, B])
    assert podman.volumes.keys() == {"ovn_db", "theirs"}


def test_a_volume_whose_image_was_taken_by_force_holds_nothing_and_is_made_anew(podman):
    kept_images.keep(podman.salt, "r1", [A])
    podman.volumes[f"openstack-rollout-r1-{A[:12]}"]["image"] = None  # image prune --external
    assert kept_images.held(podman.salt) == {}
    assert kept_images.keep(podman.salt, "r1", [A]) == [A] and podman.held == {A}


def test_images_are_released_by_name(podman):
    kept_images.keep(podman.salt, "r1", [A, B])
    kept_images.release(podman.salt, [A, C])
    assert podman.held == {B} and kept_images.held(podman.salt).keys() == {B}
    kept_images.release(podman.salt, [])
    assert podman.held == {B}


def test_where_it_would_copy_the_image_none_is_held(podman):
    podman.driver = "vfs"
    with pytest.raises(NodeError, match="vfs"):
        kept_images.keep(podman.salt, "r1", [A])
    assert podman.volumes == {}


def test_without_podman_there_is_nothing_to_release():
    assert kept_images.held({}) == {} and kept_images.release({}, [A]) is None
