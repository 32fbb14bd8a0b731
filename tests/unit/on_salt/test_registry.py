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


def manifest(*sizes):
    layers = [{"digest": f"sha256:{number}", "size": size} for number, size in enumerate(sizes)]
    return {"config": {"digest": "sha256:c", "size": 7}, "layers": layers}


def digest_of(content):
    return f"sha256:{hashlib.sha256(json.dumps(content).encode()).hexdigest()}"


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
    own, other = (digest_of(manifest(size)) for size in (5, 9))
    listed = {
        "manifests": [
            {"digest": other, "platform": {"architecture": "s390x"}},
            {"digest": own, "platform": {"architecture": "amd64"}},
        ]
    }
    registry_of(**{"x:list": listed, own: manifest(5), other: manifest(9)})
    monkeypatch.setattr(registry.platform, "machine", lambda: "x86_64")
    assert registry.layers(["reg.example/x:list"]) == {"reg.example/x:list": {"sha256:c": 7, "sha256:0": 5}}
    monkeypatch.setattr(registry.platform, "machine", lambda: "riscv64")
    assert registry.layers(["reg.example/x:list"])["reg.example/x:list"]["sha256:0"] == 9


def test_what_was_looked_up_by_its_digest_is_not_asked_again_for_its_size(registry_of):
    reference = f"reg.example/x@{digest_of(manifest(10))}"
    asked = registry_of(**{reference.rpartition(":")[2]: manifest(10)})
    assert registry.digest(reference) and len(asked) == 1
    assert registry.layers([reference])[reference]["sha256:0"] == 10 and len(asked) == 1
    assert registry.digest(reference) and len(asked) == 2  # whether it is there still is asked each time


def test_what_a_registry_gives_for_a_digest_has_that_digest(registry_of):
    """skopeo inspect --raw does not look: what is proven of such content would be proven of another image."""
    wanted = digest_of(manifest(10))
    registry_of(**{wanted: manifest(11)})
    with pytest.raises(RolloutError) as refused:
        registry.digest(f"reg.example/x@{wanted}")
    assert refused.value.reason == "IMAGE_MISSING" and digest_of(manifest(11)) in refused.value.message
    (problem,) = registry.problems({"key": f"reg.example/x@{wanted}"})
    assert problem == ("IMAGE_MISSING", f"key: {refused.value.message}")


def test_a_list_that_a_registry_makes_up_for_a_digest_is_not_asked_who_signed_it(registry_of, monkeypatch):
    """The registry has an image of nobody's by tag, and a list with a signed one for that image's digest."""
    signed = digest_of(manifest(1))
    listed = {"manifests": [{"digest": signed, "platform": {"architecture": "amd64"}}]}
    registry_of(**{"x:1": manifest(2), digest_of(manifest(2)): listed})
    monkeypatch.setattr(registry.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(registry.signatures, "require", lambda *_: None)
    declared = {"reg.example": {"signed_by": ["a key"]}}
    problems = registry.problems({"key": "reg.example/x:1"}, reach=lambda _: declared)
    assert [reason for reason, _ in problems] == ["IMAGE_MISSING"]


@pytest.mark.parametrize("told", ["text", [], {"manifests": [{"platform": {"architecture": "amd64"}}]}])
def test_a_manifest_that_makes_no_sense_is_named(registry_of, monkeypatch, told):
    registry_of(**{digest_of(told): told})
    monkeypatch.setattr(registry.platform, "machine", lambda: "x86_64")
    reference, declared = f"reg.example/x@{digest_of(told)}", {"reg.example": {"signed_by": ["a key"]}}
    ((reason, line),) = registry.problems({"key": reference}, reach=lambda _: declared)
    assert reason == "IMAGE_DAMAGED" and line.startswith(f"key: {reference}: ")
    with pytest.raises(RolloutError, match=r"^IMAGE_DAMAGED: reg\.example/x@"):
        registry.contained(reference, declared)


@pytest.mark.parametrize("question", ["digests", "configurations", "layers"])
def test_a_registry_that_falls_silent_is_waited_for_once_and_others_are_asked(monkeypatch, question):
    asked = []

    def run(command, timeout, **_):
        asked.append(command[-1])
        if len(asked) > 2 and "silent.example" in command[-1]:
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess(command, 0, json.dumps(manifest(1)).encode(), b"")

    monkeypatch.setattr(registry.subprocess, "run", run)
    places = ("silent.example", "other.example")
    wanted = [f"{place}/x{number}:1" for number in range(4 * registry.AT_ONCE) for place in places]
    found = getattr(registry, question)(wanted, timeout=0.1)
    errors = [one for one in found.values() if isinstance(one, RolloutError)]
    answered = [name for name, one in found.items() if not isinstance(one, RolloutError)]
    assert set(answered) == {name for name in wanted if "other.example" in name or name == wanted[0]}
    assert {one.message for one in errors} <= {"silent.example: no answer within 0.1 s"}
    assert len([name for name in asked if "silent.example" in name]) <= 1 + registry.AT_ONCE
    assert len(asked) <= 1 + registry.AT_ONCE + 4 * registry.AT_ONCE


def test_one_image_without_a_configuration_hides_no_other(monkeypatch):
    """Such as a chart, or a bill of materials, under an image key."""

    def run(command, **_):
        if command[-1].endswith("x0:1"):
            said = FATAL % "unsupported MIME type for image configuration"
            return subprocess.CompletedProcess(command, 1, b"", said.encode())
        return subprocess.CompletedProcess(command, 0, b'{"created": "2026"}', b"")

    monkeypatch.setattr(registry.subprocess, "run", run)
    monkeypatch.setattr(registry, "AGAIN_AFTER", ())
    found = registry.configurations(["reg.example/x0:1", "reg.example/x1:1"])
    assert found["reg.example/x0:1"].reason == "IMAGE_DAMAGED"
    assert found["reg.example/x1:1"] == {"created": "2026"}


def test_signatures_of_a_registry_that_falls_silent_are_waited_for_once(monkeypatch):
    asked = []

    def run(command, timeout, **_):
        if "copy" in command:
            asked.append(command[-2])
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess(command, 0, json.dumps(manifest(1)).encode(), b"")

    monkeypatch.setattr(registry.subprocess, "run", run)
    wanted = {f"key{number}": f"reg.example/x{number}:1" for number in range(4 * registry.AT_ONCE)}
    declared = {"reg.example": {"signed_by": ["a key"]}}
    problems = registry.problems(wanted, timeout=0.1, reach=lambda _: declared)
    assert {reason for reason, _ in problems} == {"REGISTRY_UNREACHABLE"}
    assert 0 < len(asked) <= registry.AT_ONCE
