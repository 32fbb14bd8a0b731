"""Signatures of images, beside them in the registry or at a server of their own: checked on the master.

skopeo checks a policy only while it copies a whole image, and some builds of it check none of these. What is
signed is small: it is fetched, and checked by the keys that are declared.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from openstack_rollout.declared import public_keys
from openstack_rollout.declared.references import Reference
from openstack_rollout.errors import RolloutError
from openstack_rollout.node import images, registries
from openstack_rollout.on_salt import keyless, lookaside, skopeo

_SIGNATURE = "dev.cosignproject.cosign/signature"
#: The ways of signing that leave the signature beside the image in its registry.
BESIDE = ("signed_by", "signed_by_identity")
_BY_NONE = "no signature is by a key of openstack:registries"
_TYPES = ("cosign container image signature", "atomic container signature")


def beside(image: Reference) -> Reference:
    """Where the signatures of an image are. image: by digest."""
    tag = f"{str(image.digest).replace(':', '-')}.sig"
    return Reference(image.registry, image.repository, tag)


def require(
    image: Reference, wanted: Mapping[str, Any], declared: registries.Declared, timeout: float
) -> None:
    """Make sure that an image is signed as is declared, for its own repository.

    image: by digest. wanted: of registries.signing. declared: of registries. timeout: seconds.
    Raises RolloutError SIGNATURE_WRONG; REGISTRY_… where that cannot be told.
    """
    wrong = "it has no signature"
    if gpg := wanted.get("signed_by_gpg"):
        found = _by_gpg(image, gpg, timeout)
    else:
        found = _beside(image, wanted, declared, timeout)
    for wrong in found:
        if not wrong:
            return
    raise RolloutError("SIGNATURE_WRONG", f"{image}: {wrong}")


def _by_gpg(image: Reference, gpg: Mapping[str, Any], timeout: float) -> Iterator[str]:
    """What is wrong with each signature of an image at a lookaside server, "" for nothing."""
    for payload in lookaside.signed(image, gpg, timeout):
        yield _of_another(image, payload) if payload else _BY_NONE


def _beside(
    image: Reference, wanted: Mapping[str, Any], declared: registries.Declared, timeout: float
) -> Iterator[str]:
    """The same of each signature of an image that its registry has."""
    with tempfile.TemporaryDirectory(prefix="openstack-rollout-") as folder:
        if _fetch(str(beside(image)), folder, declared, timeout):
            for payload, signature, notes in _signatures(Path(folder)):
                yield _not_by(wanted, payload, signature, notes) or _of_another(image, payload)


def _fetch(reference: str, folder: str, declared: registries.Declared, timeout: float) -> bool:
    """Put what is signed into a folder. Returns whether there is anything."""
    try:
        with registries.given(reference, declared) as reached:
            # It is no image, and no policy is for it.
            command = skopeo.command(
                reached,
                "copy",
                "--insecure-policy",
                "--quiet",
                "--retry-times=2",
                f"docker://{reference}",
                f"dir:{folder}",
            )
            done = subprocess.run(
                command, capture_output=True, timeout=timeout, check=False, pass_fds=reached.descriptors
            )
    except subprocess.TimeoutExpired as error:
        text = f"{reference}: no answer within {timeout:g} s"
        raise skopeo.Silent("REGISTRY_UNREACHABLE", text) from error
    except OSError as error:
        raise RolloutError("REGISTRY_UNREACHABLE", f"{reference}: {type(error).__name__}") from error
    if done.returncode == 0:
        return True
    text = skopeo.said(done.stderr)
    reason = images.pull_failure(text)
    if reason == "IMAGE_MISSING":
        return False
    known = reason if reason.startswith(("REGISTRY_", "PROXY_")) else "REGISTRY_UNREACHABLE"
    raise RolloutError(known, f"{reference}: {text}")


def _signatures(folder: Path) -> Iterator[tuple[bytes, bytes, Mapping[str, str]]]:
    """What is signed, the signature, and what is noted beside it, of each; what is malformed is none."""
    try:
        layers = json.loads((folder / "manifest.json").read_bytes())["layers"]
    except (OSError, ValueError, LookupError, TypeError):
        return
    for layer in layers:
        try:
            hexadecimal = layer["digest"].removeprefix("sha256:")
            payload = (folder / hexadecimal).read_bytes()
            signature = base64.b64decode(layer["annotations"][_SIGNATURE], validate=True)
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            continue
        if hashlib.sha256(payload).hexdigest() == hexadecimal:
            yield payload, signature, layer["annotations"]


def _not_by(wanted: Mapping[str, Any], payload: bytes, signature: bytes, notes: Mapping[str, str]) -> str:
    """Why a signature is by none of those who are declared, "" where it is."""
    if who := wanted.get("signed_by_identity"):
        try:
            keyless.check(payload, signature, notes, who)
        except keyless.Wrong as error:
            return f"{error}: not as openstack:registries declares"
        return ""
    return "" if public_keys.signed(payload, signature, wanted["signed_by"]) else _BY_NONE


def _of_another(image: Reference, payload: bytes) -> str:
    """What else than an image, and its repository, is signed, "" for nothing."""
    try:
        critical: dict[str, Any] = json.loads(payload)["critical"]
        kind, digest = critical["type"], critical["image"]["docker-manifest-digest"]
        name = critical["identity"]["docker-reference"]
    except (ValueError, LookupError, TypeError):
        return "what is signed is malformed"
    repository = f"{image.registry}/{image.repository}"
    if kind not in _TYPES or digest != image.digest:
        return f"what is signed is another image, {digest}"
    if name != repository and not name.startswith((f"{repository}:", f"{repository}@")):
        return f"what is signed is for {name}"
    return ""
