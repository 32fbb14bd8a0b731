"""Images by digest, whatever engine keeps them: which are local, and why a pull failed. Pure."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime

# How registries' clients name the status codes of HTTP; a number alone may be any.
_STATUS = r"(?:\bHTTP(?: status)?|\bstatus(?: code)?|from registry):? "
# Messages of engines and of registries, and the reason that each stands for; the first match counts.
_PULL_FAILURES = (
    (re.compile(r"no space left|disk quota exceeded|not enough space", re.I), "DISK_FULL"),
    (
        re.compile(rf"toomanyrequests|too many requests|rate limit|{_STATUS}429\b", re.I),
        "REGISTRY_RATE_LIMIT",
    ),
    (
        re.compile(
            r"source image rejected|signature was required|signature for identity|no signature exists"
            r"|signatures? (?:is )?rejected|invalid gpg signature|rejected by policy",
            re.I,
        ),
        "SIGNATURE_WRONG",
    ),
    (re.compile(rf"proxy authentication required|{_STATUS}407\b", re.I), "PROXY_LOGIN"),
    (
        re.compile(
            r"unauthorized|authentication required|docker-credential-|credential helper|no basic auth"
            r"|error getting credentials|(?:reading JSON file|unmarshaling JSON at) \S*(?:auth|config)\.json"
            r"|access to the (?:requested )?resource is denied|(?:^|[:\"] )denied(?::|\b$)|access forbidden"
            rf"|authorization failed|invalid username/password|{_STATUS}40[13]\b|403 Forbidden",
            re.I,
        ),
        "REGISTRY_LOGIN",
    ),
    (
        re.compile(r"x509:|certificate|tls: (?!handshake timeout)|HTTP response to HTTPS client", re.I),
        "REGISTRY_CERTIFICATE",
    ),
    (
        re.compile(
            r"manifest unknown|name unknown|not known to registry|not found|no matching manifest for"
            rf"|no image found in (?:manifest list|image index)|{_STATUS}404\b",
            re.I,
        ),
        "IMAGE_MISSING",
    ),
    (re.compile(r"processing tar file\([^)]*(?:unexpected EOF|invalid tar header)", re.I), "IMAGE_DAMAGED"),
    (
        re.compile(
            r"connection refused|connection reset|no such host|i/o timeout|timed? ?out|deadline exceeded"
            r"|network is unreachable|no route to host|host is down|unexpected eof|bad gateway|unavailable"
            r"|server misbehaving|failure in name resolution|(?:get|head|post|put) \S*: EOF|broken pipe"
            rf"|closed network connection|connection lost|goaway|{_STATUS}50[0234]\b",
            re.I,
        ),
        "REGISTRY_UNREACHABLE",
    ),
)
# The reference of an image, and the address of a request: what they are called says nothing of a failure.
_NAMED = re.compile(
    r"(?<![\w./:-])(?:\w+://)?(?:[\w-]+(?:\.[\w-]+)+|[\w-]+(?=:\d)|\[[0-9a-f:]+\]|localhost)(?::\d+)?"
    r"/[^\s\"'),]*?(?=:?(?:[\s\"'),]|$))"
)
# What registries ask for, and what engines tell of it: Retry-After: 30, retry-after: 612.5µs, retry after 2m.
_RETRY_AFTER = re.compile(r"retry[- _]after\"?[:=]? ?\"?(\d+(?:\.\d+)?) ?(µs|us|ms|m(?!s)|h)?", re.I)
_RETRY_AT = re.compile(r"retry[- _]after\"?[:=]? ?\"?([a-z]+, [\w -]+ \d\d:\d\d:\d\d GMT)", re.I)
_UNITS = {"µs": 1e-6, "us": 1e-6, "ms": 1e-3, "m": 60.0, "h": 3600.0}
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


def retry_after(complaint: str) -> float:
    """Seconds for which a registry wants to be left alone, 0 where it does not say so.

    complaint (str): what the engine says: seconds, or a date (RFC 9110).
    """
    if at := _RETRY_AT.search(complaint):
        with contextlib.suppress(ValueError):  # 32 Oct
            return max(0.0, parsedate_to_datetime(at[1]).timestamp() - time.time())
    found = _RETRY_AFTER.search(complaint)
    return float(found[1]) * _UNITS.get((found[2] or "").lower(), 1.0) if found else 0.0


def pull_failure(complaint: str) -> str:
    """The reason for which a pull failed: a word of errors.REASONS, IMAGE_PULL_FAILED where nothing fits.

    complaint (str): what the engine says.
    """
    words = _NAMED.sub("", complaint)
    return next((word for pattern, word in _PULL_FAILURES if pattern.search(words)), "IMAGE_PULL_FAILED")
