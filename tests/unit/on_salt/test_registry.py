"""What the registry says of images: the reason under which skopeo's failure is raised on the master."""

from __future__ import annotations

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
    with pytest.raises(RolloutError) as refused:
        registry.digest("reg.example/x:1")
    assert refused.value.reason == reason
