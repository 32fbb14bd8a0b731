"""What is in images: of a bill beside one, else of the uppermost databases in its layers."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import image_copies, image_packages
from tests.unit.declared.test_package_lists import STATUS

IMAGE = f"registry.example/os/nova@sha256:{'a' * 64}"
BILL = f"registry.example/os/nova:sha256-{'a' * 64}"


def layer(**files):
    """A layer with files, by their path with __ for a slash."""
    found = io.BytesIO()
    with tarfile.open(fileobj=found, mode="w:gz") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo("./" + path.replace("__", "/").replace("_D_", "-"))
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
    return found.getvalue()


@pytest.fixture
def registry(monkeypatch):
    """What a registry has: reference → its layers."""
    there: dict[str, list[bytes]] = {}

    def copy(source, place, declared, *, whole):
        assert whole is False and declared == {"registry.example": {}}
        name = source.removeprefix("docker://")
        if name not in there:
            raise RolloutError("IMAGE_MISSING", f"{name} is not there")
        folder = Path(place.removeprefix("dir:"))
        folder.mkdir()
        entries = [{"digest": f"sha256:{hashlib.sha256(one).hexdigest()}"} for one in there[name]]
        (folder / "manifest.json").write_text(json.dumps({"layers": entries}))
        for entry, content in zip(entries, there[name], strict=True):
            (folder / entry["digest"].removeprefix("sha256:")).write_bytes(content)

    monkeypatch.setattr(image_copies, "copy", copy)
    return there


def contents():
    return image_packages.of([IMAGE], lambda names: {"registry.example": {}})[IMAGE]


def test_the_uppermost_database_counts_and_nothing_of_the_image_is_run(registry):
    older = STATUS.replace("12u3", "12u1")
    registry[IMAGE] = [
        layer(var__lib__dpkg__status=older, usr__lib__os_D_release="VERSION_CODENAME=bullseye\n"),
        layer(var__lib__dpkg__status=STATUS, etc__os_D_release='ID=debian\nVERSION_CODENAME="bookworm"\n'),
        layer(etc__else="x"),
    ]
    found = contents()
    assert found.packages["libc6"].version == "2.36-9+deb12u3" and found.suite == "bookworm"


def test_images_without_a_database_have_parts_of_one_or_nothing(registry):
    one = "Package: base-files\nVersion: 12.4\n"
    registry[IMAGE] = [layer(var__lib__dpkg__status__d="x"), layer(etc__x="x")]
    assert contents().packages == {}
    registry[IMAGE] = [layer(**{"var__lib__dpkg__status.d__base": one})]
    assert contents().packages["base-files"].version == "12.4"


@pytest.mark.parametrize("suffix", [".sbom", ".att"])
def test_a_bill_beside_an_image_is_enough(registry, suffix):
    bill = json.dumps({"components": [{"purl": "pkg:rpm/rocky/bash@5.1-6?arch=x86_64"}]}).encode()
    if suffix == ".att":
        statement = json.dumps({"predicate": json.loads(bill)}).encode()
        bill = json.dumps({"payload": base64.b64encode(statement).decode()}).encode()
    registry[BILL + suffix] = [bill]
    found = contents()
    assert found.packages["bash"].version == "5.1-6" and IMAGE not in registry


def test_what_is_beside_an_image_and_is_no_bill_is_passed_over(registry):
    registry[BILL + ".att"] = [b'{"payload": "e30="}']
    registry[IMAGE] = [layer(var__lib__dpkg__status=STATUS)]
    assert "libc6" in contents().packages


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        (None, "IMAGE_MISSING"),
        ([b"no archive"], "IMAGE_DAMAGED"),
        (
            [layer(var__lib__rpm__rpmdb="x", **{"var__lib__rpm__rpmdb.sqlite": "no database"})],
            "IMAGE_DAMAGED",
        ),
        ([layer(var__lib__rpm__Packages="an older form")], "IMAGE_DAMAGED"),
    ],
)
def test_what_cannot_be_read_is_named(registry, layers, reason):
    if layers is not None:
        registry[IMAGE] = layers
    found = contents()
    assert (
        isinstance(found, RolloutError)
        and found.reason == reason
        and "registry.example/os/nova" in found.message
    )
