"""A release's images in a folder, for clouds without a network: as their registries have them, byte by byte.

Each image is a folder of skopeo's `dir:` beside the others, and what two have in common is there once (hard
links): a tar of the folder keeps that. An image has its name only once it is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from openstack_rollout.declared.model import Model
from openstack_rollout.declared.references import Reference
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import image_copies, output_file, registry
from openstack_rollout.on_salt.image_copies import FOLDER, REGISTRY
from openstack_rollout.on_salt.refusal import refusal_of_all

_IMAGES, _SIGNATURES, _INDEX = "images", "signatures", "bundle.json"
_PART = ".part"
_MODE = 0o644
_REASON = "BUNDLE_INCOMPLETE"


def bundle(
    opts: Mapping[str, Any], model: Model, version: str, output: str, *, needed: bool, test: bool
) -> dict[str, Any]:
    """Put what a bundle lacks of a release into its folder. What is whole there is not fetched again.

    opts (dict): the master's. model: what is declared. version (str): the release. output (str): the folder,
    made where it is not there. needed, test: as of mirroring.mirror.

    Returns {version, output, fetched, there}. Raises RolloutError WRONG_ARGUMENT or UNKNOWN_TARGET, and a
    Refusal with all that could not be fetched, a line each.
    """
    every = image_copies.wanted(model, version, needed)
    folder = Path(output) if Path(output).is_dir() else output_file.wanted(output)
    if folder.is_file():
        raise RolloutError("WRONG_ARGUMENT", f"output: {output}: is a file: name a folder")
    keys = {str(one): key for key, one in reversed(every.items())}  # what two keys name is fetched once
    left = {
        one: key for one, key in keys.items() if _lacks(place(str(folder), every[key]), every[key].digest)
    }
    if not test:
        for name in (_IMAGES, _SIGNATURES):
            (folder / name).mkdir(parents=True, exist_ok=True)
        reach = partial(image_copies.reached, opts, model)
        with image_copies.together() as pool:
            jobs = [(key, every[key], one in left) for one, key in keys.items()]
            problems = [
                line for some in pool.map(lambda job: _fetch(reach, folder, *job), jobs) for line in some
            ]
        if problems:
            raise refusal_of_all(problems)
        _share(sorted({place(str(folder), one) for one in every.values()}))
        require_complete(str(folder), every)
        index = {"version": version, "images": {key: str(one) for key, one in every.items()}}
        output_file.write(folder / _INDEX, json.dumps(index, indent=2) + "\n", _MODE)
    there = sorted(keys.keys() - left.keys())
    return {"version": version, "output": str(folder), "fetched": sorted(left), "there": there}


def place(folder: str, image: Reference) -> Path:
    """Where an image is in a bundle. folder (str): the bundle's. image: by digest."""
    return Path(folder, _IMAGES, _hexadecimal(image))


def signed(folder: str, image: Reference) -> Iterator[tuple[str, Reference]]:
    """The signatures of an image in a bundle, each as (dir:…, what is signed). Arguments as of `place`."""
    for digest in _contained(place(folder, image), str(image.digest)):
        one = image.pinned(digest)
        found = Path(folder, _SIGNATURES, _hexadecimal(one))
        if found.is_dir():
            yield f"{FOLDER}{found}", one


def require_complete(folder: str, wanted: Mapping[str, Reference], also_signed: Collection[str] = ()) -> None:
    """Make sure that every byte of some images is in a bundle, by their digests.

    folder (str): the bundle's. wanted: pillar key → image. also_signed: the keys of those that have to have a
    signature there. Raises a Refusal under BUNDLE_INCOMPLETE, a line for each image that is not whole.
    """

    def look(key: str) -> str:
        image = wanted[key]
        why = _lacks(place(folder, image), image.digest)
        if not why and key in also_signed and not any(True for _ in signed(folder, image)):
            why = f"{folder}: has no signature of {image}: bundle with the same openstack:registries as here"
        return why

    with ThreadPoolExecutor(max_workers=image_copies.AT_ONCE) as pool:
        found = zip(wanted, pool.map(look, wanted), strict=True)
        lines = [(_REASON, f"{key}: {why}") for key, why in found if why]
    if lines:
        raise refusal_of_all(lines)


def _fetch(
    reach: registry.Reach, folder: Path, key: str, image: Reference, whole: bool
) -> list[tuple[str, str]]:
    """Fetch the signatures of an image, and the image if it is not there. Returns what is wrong."""
    declared = reach([str(image)])
    try:
        for of_image, signature in image_copies.signed(image, declared):
            _fetch_into(folder / _SIGNATURES / _hexadecimal(of_image), signature, declared)
        if whole:
            _fetch_into(place(str(folder), image), image, declared)
    except RolloutError as error:
        return [(error.reason, f"{key}: {error.message}")]
    return []


def _fetch_into(there: Path, image: Reference, declared: Mapping[str, Mapping[str, Any]]) -> None:
    part = there.with_name(f"{there.name}{_PART}")
    shutil.rmtree(part, ignore_errors=True)
    image_copies.copy(f"{REGISTRY}{image}", f"{FOLDER}{part}", declared)
    shutil.rmtree(there, ignore_errors=True)
    part.rename(there)


def _share(whole: Iterable[Path]) -> None:
    """Have what several images have in common there once. What else is in a bundle, nobody has looked at."""
    seen: dict[str, Path] = {}
    for path in (one for image in whole for one in image.iterdir()):
        if "." in path.name or path.name == "version":
            continue  # of this image alone
        first = seen.setdefault(path.name, path)
        if first is not path and not path.samefile(first):
            link = path.with_name(f"{path.name}{_PART}")
            link.unlink(missing_ok=True)
            os.link(first, link)
            link.replace(path)


def _lacks(there: Path, digest: str | None) -> str:
    """What an image in a folder lacks, "" for nothing."""
    try:
        for one in _contained(there, str(digest)):
            manifest = json.loads(_manifest(there, one, str(digest)))
            if "manifests" in manifest:
                continue
            for blob in (manifest["config"], *manifest["layers"]):
                with (there / blob["digest"].partition(":")[2]).open("rb") as file:
                    if f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}" != blob["digest"]:
                        return f"{there}: {blob['digest']} is damaged"
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    except (ValueError, LookupError, TypeError) as error:
        return f"{there}: {error}"
    return ""


def _contained(there: Path, digest: str) -> list[str]:
    """The digests of an image in a folder, and of each image of a list. Raises OSError, ValueError, …."""
    told = json.loads(_manifest(there, digest, digest))
    return [digest, *(one["digest"] for one in told.get("manifests") or ())]


def _manifest(there: Path, digest: str, of_all: str) -> bytes:
    name = "manifest.json" if digest == of_all else f"{digest.partition(':')[2]}.manifest.json"
    content = (there / name).read_bytes()
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise ValueError(f"{name} is damaged")
    return content


def _hexadecimal(image: Reference) -> str:
    return str(image.digest).partition(":")[2]
