"""docker_engine: what is asked of dockerd where images have to be signed, which docker cannot check."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from openstack_rollout.node import docker_api, storage
from openstack_rollout.node.errors import NodeError
from tests.unit.loading import load

DIGEST = f"sha256:{'a' * 64}"
NAME = "r.example/ns/nova"
KEY = "-----BEGIN PUBLIC KEY-----"
WAYS = [
    {"signed_by": [KEY]},
    {"signed_by_gpg": {"keys": ["x"], "lookaside": "https://s.example"}},
    {"signed_by_identity": {"email": "me@example.org"}},
]


class Dockerd:
    """A client of dockerd that has every image it is asked for."""

    def __init__(self):
        self.asked = []

    def info(self):
        return {"DockerRootDir": "/var/lib/docker"}

    def pull(self, reference, **_):
        self.asked.append(reference)
        return iter(())

    def inspect_image(self, reference):
        return {"Id": DIGEST, "RepoDigests": [reference]}


@pytest.fixture
def dockerd(monkeypatch):
    client = Dockerd()

    @contextmanager
    def talking(*_, **__):
        yield client

    monkeypatch.setattr(docker_api, "talking", talking)
    monkeypatch.setattr(storage, "require_room", lambda *_: None)
    return client


def engine(**said):
    return load("modules", "docker_engine", pillar={"openstack_registries": {"r.example": said}})


@pytest.mark.parametrize("said", [{}, *WAYS], ids=lambda one: next(iter(one), "none"))
def test_an_image_is_pulled_by_its_digest_without_the_tag_beside_it(dockerd, said):
    engine(**said).pull(f"{NAME}:1@{DIGEST}")
    assert dockerd.asked == [f"{NAME}@{DIGEST}"]


@pytest.mark.parametrize("said", WAYS, ids=lambda one: next(iter(one)))
def test_no_tag_is_pulled_where_images_have_to_be_signed(dockerd, said):
    with pytest.raises(NodeError, match=f"^SIGNATURE_WRONG: {NAME}:1: "):
        engine(**said).pull(f"{NAME}:1")
    assert dockerd.asked == []
    engine(**said).pull("other.example/ns/nova:1")
    assert dockerd.asked == ["other.example/ns/nova:1"]
