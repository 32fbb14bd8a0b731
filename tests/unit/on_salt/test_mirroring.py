"""A mirror filled from a bundle: what the bundle has to have before anything is copied."""

from __future__ import annotations

import pytest

from openstack_rollout.on_salt import image_copies, mirroring, registry
from openstack_rollout.on_salt.refusal import Refusal
from tests.unit.cloud_pillar import model, valid
from tests.unit.declared.test_trust import KEY, public
from tests.unit.on_salt.test_bundling import Images, bundle


@pytest.fixture
def images(monkeypatch):
    found = Images()
    monkeypatch.setattr(image_copies, "copy", found.copy)
    return found


def mirror(references, folder, **registries):
    openstack = valid() | {"registries": registries}
    openstack["releases"]["1.0.1"]["images"] = references
    given = {"needed": False, "bundle": str(folder), "test": True}
    return mirroring.mirror({}, model(openstack), "1.0.1", "mirror.example", **given)


def test_a_bundle_without_the_signatures_that_are_wanted_is_incomplete(images, tmp_path, monkeypatch):
    """Made where nobody wanted any: nodes would refuse what the mirror has."""
    monkeypatch.setattr(registry, "digests", lambda wanted, reach: dict.fromkeys(wanted, ""))
    references = {key: images.make(key) for key in ("nova_compute_image", "glance_api_image")}
    bundle(references, tmp_path)
    signed = {"registry.example/nova_compute_image": {"signed_by": [public(KEY)]}}
    with pytest.raises(Refusal) as refused:
        mirror(references, tmp_path, **signed)
    (line,) = str(refused.value).splitlines()
    assert line.startswith("BUNDLE_INCOMPLETE: openstack:releases:1.0.1:images:nova_compute_image: ")
    assert "signature" in line
    digest = references["nova_compute_image"].rpartition(":")[2]
    (tmp_path / "signatures" / digest).mkdir(parents=True)
    assert len(mirror(references, tmp_path, **signed)["copied"]) == len(references)
