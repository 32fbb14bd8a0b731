"""Custom images by tag: which they are, and the model with what a run took for them."""

from __future__ import annotations

from openstack_rollout.declared import reading, tags, warnings
from tests.unit.cloud_pillar import NEW, digest, model, valid

FIXED = f"registry.example/x@{digest(NEW)}"
CUSTOM = {
    "nova_compute_image": "registry.example:5000/nova:hotfix",
    "glance_api_image": FIXED,
    "cinder_volume_images": {"default": "registry.example/volume:7", "pure": FIXED},
}


def declared(custom=None):
    return model({**valid(), "custom_images": CUSTOM if custom is None else custom})


def test_custom_images_may_have_tags_and_which_they_are():
    assert reading.reasons({**valid(), "custom_images": CUSTOM})[0] == []
    assert tags.of(declared()) == {
        "nova_compute_image": "registry.example:5000/nova:hotfix",
        "cinder_volume_images:default": "registry.example/volume:7",
    }
    assert tags.of(declared({"glance_api_image": FIXED})) == tags.of(declared({})) == {}
    warned = [line for line in warnings.of(declared()) if "is a tag" in line]
    assert [line.partition(": ")[0] for line in warned] == [
        "openstack:custom_images:nova_compute_image",
        "openstack:custom_images:cinder_volume_images:default",
    ]


def test_the_model_of_a_run_has_digests_in_place_of_tags():
    before = declared()
    content = before.content
    digests = {"registry.example:5000/nova:hotfix": digest("x"), "registry.example/volume:7": digest("y")}
    after = tags.pinned(before, digests)
    assert after.custom_images == {
        "nova_compute_image": f"registry.example:5000/nova@{digest('x')}",
        "glance_api_image": FIXED,
        "cinder_volume_images": {"default": f"registry.example/volume@{digest('y')}", "pure": FIXED},
    }
    assert after.content["services"] != content["services"], "each digest is another content"
    assert before.custom_images == CUSTOM and before.content == content
    other = tags.pinned(before, {**digests, "registry.example:5000/nova:hotfix": digest(NEW)})
    assert other.content["services"] != after.content["services"]


def test_what_is_not_known_stays_a_tag():
    before = declared()
    assert tags.pinned(before, {}) is before
    assert tags.pinned(before, {"registry.example/other:1": digest("x")}) is before
    after = tags.pinned(before, {"registry.example/volume:7": digest("y")})
    assert tags.of(after) == {"nova_compute_image": "registry.example:5000/nova:hotfix"}
