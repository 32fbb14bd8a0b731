"""The packages of images, read and never run: of the bill of materials beside an image, else of the
databases of rpm and dpkg in its layers, for which it is fetched into a folder for as long as it takes.
"""

from __future__ import annotations

import base64
import json
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from openstack_rollout.declared import package_lists, references
from openstack_rollout.declared.package_lists import Package
from openstack_rollout.declared.references import Reference
from openstack_rollout.errors import RolloutError
from openstack_rollout.node import registries
from openstack_rollout.on_salt import image_copies
from openstack_rollout.on_salt.image_copies import FOLDER, REGISTRY
from openstack_rollout.on_salt.registry import Reach

AT_ONCE = 2  # images that are on the disk at a time
_BILLS = (".sbom", ".att")  # how cosign calls what it puts beside an image
_DPKG, _PARTS = "var/lib/dpkg/status", "var/lib/dpkg/status.d"
_RPM = ("var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite")
_OLD_RPM = ("var/lib/rpm/Packages", "var/lib/rpm/Packages.db")
_RELEASES = ("etc/os-release", "usr/lib/os-release")


class Contents(NamedTuple):
    """What is in an image: its packages by name, and the codename of its distribution, "" for none."""

    packages: dict[str, Package]
    suite: str = ""


def of(wanted: Iterable[str], reach: Reach) -> dict[str, Contents | RolloutError]:
    """What is in each image, or why that is not known.

    wanted: references by digest. reach: what is declared of registries.
    """
    names = list(dict.fromkeys(wanted))
    declared = reach(names)

    def look(name: str) -> Contents | RolloutError:
        try:
            return _looked(name, declared)
        except RolloutError as error:
            return error
        except (OSError, ValueError, LookupError, TypeError, tarfile.TarError) as error:
            return RolloutError("IMAGE_DAMAGED", f"{name}: its packages cannot be read: {error}")

    with image_copies.together(AT_ONCE) as pool:
        return dict(zip(names, pool.map(look, names), strict=True))


def _looked(name: str, declared: registries.Declared) -> Contents:
    image = references.parse(name)
    with tempfile.TemporaryDirectory(prefix="openstack-rollout-packages-") as folder:
        if image.digest and (found := _of_bill(image, declared, Path(folder))):
            return Contents(found)
        place = Path(folder) / "image"
        plain = image.pinned(image.digest) if image.digest else image
        image_copies.copy(f"{REGISTRY}{plain}", f"{FOLDER}{place}", declared, whole=False)
        return _of_layers(name, place)


def _of_bill(image: Reference, declared: registries.Declared, folder: Path) -> dict[str, Package]:
    """The packages of the bill of materials that is beside an image, {} without one."""
    for suffix in _BILLS:
        tag = f"{str(image.digest).replace(':', '-')}{suffix}"
        place = folder / suffix
        try:
            there = Reference(image.registry, image.repository, tag)
            image_copies.copy(f"{REGISTRY}{there}", f"{FOLDER}{place}", declared, whole=False)
            for layer in _layers(place):
                if found := package_lists.of_bill(_statement(layer.read_bytes())):
                    return found
        except (RolloutError, ValueError):
            continue  # there is none, or it is something else: the image itself tells
    return {}


def _statement(content: bytes) -> bytes:
    """What an envelope of an attestation holds; anything else as it is."""
    data = json.loads(content)
    return base64.b64decode(data["payload"]) if isinstance(data, dict) and "payload" in data else content


def _layers(place: Path) -> list[Path]:
    """The files of an image's layers, the uppermost last."""
    told = json.loads((place / "manifest.json").read_bytes())
    return [place / one["digest"].partition(":")[2] for one in told["layers"]]


def _of_layers(name: str, place: Path) -> Contents:
    """What the databases say that are in the uppermost layers which have them."""
    known = {_DPKG, *_RPM, *_OLD_RPM, *_RELEASES}
    found: dict[str, bytes] = {}
    for layer in reversed(_layers(place)):
        with tarfile.open(layer) as archive:
            for member in archive:
                path = str(PurePosixPath("/", member.name)).lstrip("/")
                wanted = path in known or path.startswith(f"{_PARTS}/")
                if wanted and path not in found and member.isfile() and (file := archive.extractfile(member)):
                    found[path] = file.read()
    packages: dict[str, Package] = {}
    for path, content in found.items():
        if path == _DPKG or path.startswith(_PARTS):
            packages |= package_lists.of_dpkg(content.decode(errors="replace"))
        elif path in _RPM:
            database = place / "rpmdb.sqlite"
            database.write_bytes(content)
            packages |= package_lists.of_rpm(str(database))
    if not packages and set(found) & set(_OLD_RPM):
        raise RolloutError(
            "IMAGE_DAMAGED", f"{name}: its database of rpm is of an older form, which is not read"
        )
    said = next((found[path].decode(errors="replace") for path in _RELEASES if path in found), "")
    words = dict(line.partition("=")[::2] for line in said.splitlines())
    return Contents(packages, words.get("VERSION_CODENAME", "").strip('"'))
