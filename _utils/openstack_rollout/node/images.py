"""Images by digest, whatever engine keeps them: which are local, and why a pull failed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

# Messages of engines and of registries, and the reason that each stands for; the first match counts.
_PULL_FAILURES = (
    (re.compile(r"no space left|disk quota exceeded|not enough space", re.I), "DISK_FULL"),
    (re.compile(r"toomanyrequests|too many requests|rate limit|\b429\b", re.I), "REGISTRY_RATE_LIMIT"),
    (
        re.compile(
            r"unauthorized|authentication required|docker-credential-|credential helper|\b401\b|\b403\b"
            r"|access to the (?:requested )?resource is denied|denied: |invalid username/password",
            re.I,
        ),
        "REGISTRY_LOGIN",
    ),
    (re.compile(r"x509:|certificate|tls: (?!handshake timeout)", re.I), "REGISTRY_CERTIFICATE"),
    (
        re.compile(
            r"signature was required|signature for identity|no signature exists|signatures? (?:is )?rejected"
            r"|invalid gpg signature|rejected by policy",
            re.I,
        ),
        "SIGNATURE_WRONG",
    ),
    (
        re.compile(r"manifest unknown|name unknown|not known to registry|not found|\b404\b", re.I),
        "IMAGE_MISSING",
    ),
    (
        re.compile(
            r"connection refused|connection reset|no such host|i/o timeout|timed? ?out|deadline exceeded"
            r"|network is unreachable|no route to host|unexpected eof|50[234]\b|bad gateway|unavailable",
            re.I,
        ),
        "REGISTRY_UNREACHABLE",
    ),
)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TAG = re.compile(r":[^/:@]+(?=@)")


def without_tag(reference: str) -> str:
    """A reference by digest alone: a tag beside the digest does not count.

    reference (str): registry/repository[:tag]@sha256:…
    """
    return _TAG.sub("", reference)


def ids(references: Iterable[str], images: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """The ids of those images that are local.

    references (list): image references with a digest. images (dict): {image id: [repository@digest, …]}.

    Returns {reference: image id}, without those that would have to be pulled.
    """
    local = {name: image_id for image_id, names in images.items() for name in names}
    found = {reference: local.get(without_tag(reference)) for reference in references}
    return {reference: image_id for reference, image_id in found.items() if image_id}


def pull_failure(complaint: str) -> str:
    """The reason for which a pull failed: a word of errors.REASONS, IMAGE_PULL_FAILED where nothing fits.

    complaint (str): what the engine says.
    """
    words = _DIGEST.sub("", complaint)  # digits of a digest could look like a status code
    return next((word for pattern, word in _PULL_FAILURES if pattern.search(words)), "IMAGE_PULL_FAILED")
