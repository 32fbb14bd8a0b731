"""Signatures of images by GPG's simple signing, which lie at a web server beside the registry."""

from __future__ import annotations

import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from openstack_rollout.declared import gpg_keys
from openstack_rollout.declared.references import Reference
from openstack_rollout.errors import RolloutError

_MOST, _LARGEST = 20, 1_000_000
_LONGEST = 15.0  # seconds for an answer of a server that has small files alone
_NOT_FOUND = 404


def signed(image: Reference, gpg: Mapping[str, Any], timeout: float) -> Iterator[bytes]:
    """What some keys have signed of an image, each signature's; b"" for one that is by no such key.

    image: by digest. gpg (dict): `keys`, `lookaside`. timeout: seconds for each answer.
    Raises RolloutError REGISTRY_UNREACHABLE for a server that does not answer; LIBRARY_MISSING without gpgv.
    """
    place = f"{gpg['lookaside']}/{image.repository}@{str(image.digest).replace(':', '=')}"
    with tempfile.TemporaryDirectory(prefix="openstack-rollout-") as folder:
        keyring = Path(folder, "keys.gpg")
        keyring.write_bytes(b"".join(map(gpg_keys.binary, gpg["keys"])))
        for number in range(1, _MOST + 1):
            signature = _fetch(gpg["lookaside"], f"{place}/signature-{number}", min(timeout, _LONGEST))
            if signature is None:
                return
            yield _content(signature, keyring, timeout)


def _fetch(server: str, address: str, timeout: float) -> bytes | None:
    """What a server has at an address, None for nothing. Names the server alone: that is one line for all."""
    try:
        with urllib.request.urlopen(address, timeout=timeout) as answer:  # noqa: S310 - http alone, as declared
            return bytes(answer.read(_LARGEST))
    except urllib.error.HTTPError as error:
        if error.code == _NOT_FOUND:
            return None
        raise RolloutError("REGISTRY_UNREACHABLE", f"{server}: HTTP {error.code}") from error
    except (OSError, ValueError) as error:
        raise RolloutError("REGISTRY_UNREACHABLE", f"{server}: {error}") from error


def _content(signature: bytes, keyring: Path, timeout: float) -> bytes:
    """What a signature is of, b"" where it is not by one of the keys, or not whole."""
    command = ["gpgv", "--homedir", str(keyring.parent), "--keyring", str(keyring), "--output", "-"]
    try:
        done = subprocess.run(command, input=signature, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return b""
    except OSError as error:
        text = f"gpgv cannot be run on the master: {error.strerror}; it is a package of the distribution"
        raise RolloutError("LIBRARY_MISSING", text) from error
    return done.stdout if done.returncode == 0 else b""
