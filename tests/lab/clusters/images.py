"""The images of the profile `controllers`: real clusters and the APIs over them, on the OpenStack layer."""

from __future__ import annotations

import json
from pathlib import Path

from tests.lab import cache, images, settings
from tests.lab.openstack import material

from . import configuration, layer

#: Image keys with a real service; the rest of a release stays the lab's small ones.
KEYS = (
    *("mariadb_image", "rabbitmq_image", "infra_memcached_image"),
    *("keystone_api_image", "placement_api_image", "glance_api_image"),
)
_FILES = settings.HERE / "files" / "clusters" / "image"


def ensure(plain: images.Images, machine_layer: Path) -> images.Images:
    """The lab's images, with those of the clusters in place of the small ones.

    Args:
        plain: The lab's images.
        machine_layer: Of `layer.ensure`; the image of memcached has its program.

    Raises:
        RuntimeError: A step failed; the message has the end of its output.
    """
    heavy = material.heavy()
    own = material.own_files(heavy) | configuration.files()
    own |= {f"openstack/{path.name}": path.read_bytes() for path in _FILES.iterdir()}
    own["openstack/memcached"] = layer.memcached(machine_layer)
    key = cache.digest_of(Path(__file__), sorted(own.items()), heavy.digest, plain.storage.parent.name)
    place = cache.ensure("clusters-images", key, lambda work: material.write(work, heavy, plain, KEYS, own))
    index = json.loads((place / "index.json").read_text())
    return images.Images(place / "storage", index, plain.extra, heavy.store)
