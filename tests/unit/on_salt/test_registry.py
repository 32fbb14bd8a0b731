"""What the registry says of images: the reason under which skopeo's failure is raised on the master."""

from __future__ import annotations

import hashlib
import json
import subprocess

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import registry

FATAL = 'time="2026-01-01T00:00:00Z" level=fatal msg="Error parsing image name \\"docker://r.e/x\\": %s"'


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("reading manifest 1 in reg.example/x: manifest unknown", "IMAGE_MISSING"),
        ("reading manifest 1 in reg.example/x: denied", "REGISTRY_LOGIN"),
        ('pinging container registry: Get \\"https://reg.example/v2/\\": EOF', "REGISTRY_UNREACHABLE"),
        ('Get \\"https://reg.example/v2/\\": Proxy Authentication Required', "PROXY_LOGIN"),
        ("server gave HTTP response to HTTPS client", "REGISTRY_CERTIFICATE"),
        ("something that nobody has seen", "REGISTRY_UNREACHABLE"),
    ],
)
def test_what_skopeo_says_tells_the_reason(monkeypatch, said, reason):
    def run(command, **_):
        return subprocess.CompletedProcess(command, 1, b"", (FATAL % said).encode())

    monkeypatch.setattr(registry.subprocess, "run", run)
    monkeypatch.setattr(registry, "AGAIN_AFTER", ())
    with pytest.raises(RolloutError) as refused:
        registry.digest("reg.example/x:1")
    assert refused.value.reason == reason


OWN = "sha256:" + "1" * 64


def manifest(*sizes):
    layers = [{"digest": f"sha256:{number}", "size": size} for number, size in enumerate(sizes)]
    return {"config": {"digest": "sha256:c", "size": 7}, "layers": layers}


@pytest.fixture
def registry_of(monkeypatch):
    """A registry that has some manifests, by the end of their reference; and what it was asked for."""
    asked = []

    def of(**manifests):
        def run(command, **_):
            name = command[-1]
            asked.append(name)
            found = next((one for key, one in manifests.items() if name.endswith(key)), None)
            if found is None:
                return subprocess.CompletedProcess(command, 1, b"", b"manifest unknown")
            return subprocess.CompletedProcess(command, 0, json.dumps(found).encode(), b"")

        monkeypatch.setattr(registry.subprocess, "run", run)
        monkeypatch.setattr(registry, "_MANIFESTS", {})
        return asked

    return of


def test_what_has_to_be_fetched_of_images_is_told_by_layer(registry_of):
    registry_of(a=manifest(10, 20), b={"schemaVersion": 1, "fsLayers": []})
    found = registry.layers(["reg.example/x:a", "reg.example/x:b", "reg.example/x:absent"])
    assert found == {"reg.example/x:a": {"sha256:c": 7, "sha256:0": 10, "sha256:1": 20}}


def test_of_a_list_of_images_that_of_this_machine_counts(registry_of, monkeypatch):
    other = "sha256:" + "2" * 64
    listed = {
        "manifests": [
            {"digest": other, "platform": {"architecture": "s390x"}},
            {"digest": OWN, "platform": {"architecture": "amd64"}},
        ]
    }
    registry_of(**{"x:list": listed, OWN: manifest(5), other: manifest(9)})
    monkeypatch.setattr(registry.platform, "machine", lambda: "x86_64")
    assert registry.layers(["reg.example/x:list"]) == {"reg.example/x:list": {"sha256:c": 7, "sha256:0": 5}}
    monkeypatch.setattr(registry.platform, "machine", lambda: "riscv64")
    assert registry.layers(["reg.example/x:list"])["reg.example/x:list"]["sha256:0"] == 9


def test_what_was_looked_up_by_its_digest_is_not_asked_again_for_its_size(registry_of):
    text = json.dumps(manifest(10))
    reference = f"reg.example/x@sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    asked = registry_of(**{reference.rpartition(":")[2]: manifest(10)})
    assert registry.exists(reference) and len(asked) == 1
    assert registry.layers([reference])[reference]["sha256:0"] == 10 and len(asked) == 1
    assert registry.exists(reference) and len(asked) == 2  # whether it is there still is asked each time
