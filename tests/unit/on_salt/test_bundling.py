"""A bundle's folder: what several images have in common, and what was left in it by earlier ones."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from openstack_rollout.on_salt import bundling, image_copies
from tests.unit.cloud_pillar import model, valid


def sha(content):
    return hashlib.sha256(content).hexdigest()


class Images:
    """Registries whose images are of one common blob and one of their own, as skopeo's dir: has them."""

    def __init__(self):
        self.manifests = {}

    def make(self, name):
        """The reference of a new image."""
        blobs = [b"of all of them", f"of {name}".encode()]
        layers = [{"digest": f"sha256:{sha(one)}"} for one in blobs]
        manifest = json.dumps({"config": layers[1], "layers": layers[:1]}).encode()
        self.manifests[f"sha256:{sha(manifest)}"] = manifest, blobs
        return f"registry.example/{name}@sha256:{sha(manifest)}"

    def copy(self, source, there, declared):
        """In place of image_copies.copy."""
        folder = Path(there.removeprefix("dir:"))
        folder.mkdir()
        manifest, blobs = self.manifests[source.partition("@")[2]]
        (folder / "manifest.json").write_bytes(manifest)
        (folder / "version").write_text("Directory Transport Version: 1.1\n", encoding="utf-8")
        for one in blobs:
            (folder / sha(one)).write_bytes(one)


@pytest.fixture
def images(monkeypatch):
    found = Images()
    monkeypatch.setattr(image_copies, "copy", found.copy)
    return found


def bundle(references, folder):
    openstack = valid()
    openstack["releases"]["1.0.1"]["images"] = references
    return bundling.bundle({}, model(openstack), "1.0.1", str(folder), needed=False, test=False)


def test_what_two_images_have_in_common_is_there_once(images, tmp_path):
    references = {key: images.make(key) for key in ("nova_compute_image", "glance_api_image")}
    bundle(references, tmp_path)
    first, second = tmp_path.glob(f"images/*/{sha(b'of all of them')}")
    assert first.samefile(second)


@pytest.mark.parametrize("left", ["0" * 64, "f" * 64, f"{'0' * 64}.part"])
def test_what_is_damaged_of_another_release_is_not_shared(images, tmp_path, left):
    """Of an earlier bundle, or of one that was interrupted: nobody looks at it any more."""
    damaged = tmp_path / "images" / left / sha(b"of all of them")
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"of all")
    references = {key: images.make(key) for key in ("nova_compute_image", "glance_api_image")}
    assert len(bundle(references, tmp_path)["fetched"]) == len(references)
    assert bundle(references, tmp_path)["fetched"] == []
