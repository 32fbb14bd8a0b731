"""What the registry says of images, asked through skopeo with the logins and mirrors that are declared, else
with the host's own.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from openstack_rollout.declared import references
from openstack_rollout.declared.problems import path
from openstack_rollout.errors import TRANSIENT, RolloutError
from openstack_rollout.node import images, registries
from openstack_rollout.on_salt import signatures, skopeo

#: Images → what is declared of their registries, as registry_logins.of tells. Asked once for many images.
Reach = Callable[[Iterable[str]], Mapping[str, Mapping[str, Any]]]
_T = TypeVar("_T")
TIMEOUT = 90  # seconds; skopeo asks a registry that limits requests again for about a minute
AT_ONCE = 8
#: manifests by reference; one that a digest names never changes
_MANIFESTS: dict[str, bytes] = {}
#: Seconds until a registry is asked again that did not answer, or has had enough of questions.
AGAIN_AFTER = (1.0, 2.0, 4.0)
_MANIFEST, _CONFIGURATION = "--raw", "--config"  # what skopeo is asked for
_NO_LOGIN = "openstack:registries has no login for it"
_OF_ONE = ("IMAGE_DAMAGED", "IMAGE_MISSING", "SIGNATURE_WRONG")
#: what a registry says of all its images alike: the others are not asked for
_OF_ALL = ("REGISTRY_UNREACHABLE", "REGISTRY_RATE_LIMIT", "REGISTRY_CERTIFICATE", "PROXY_LOGIN")


def digest(reference: str, timeout: float = TIMEOUT, declared: registries.Declared | None = None) -> str:
    """The digest (`sha256:…`) of an image in its registry: of its manifest, or manifest list.

    reference (str): the image's. timeout: seconds for each of a few tries: what passes by itself is asked
    again, anything else is not; nor who was waited for that long. declared: of registries, as Reach tells.
    Raises RolloutError IMAGE_MISSING, also for what has another digest; REGISTRY_LOGIN, REGISTRY_RATE_LIMIT,
    REGISTRY_CERTIFICATE or PROXY_LOGIN for what the registry, or the proxy before it, says;
    REGISTRY_UNREACHABLE for no answer.
    """
    return _digest_of(_asked(reference, timeout, declared or {}))


def layers(
    wanted: Iterable[str], timeout: float = TIMEOUT, reach: Reach | None = None
) -> dict[str, dict[str, int]]:
    """What has to be fetched of images: {reference: {digest: bytes}}, without those that cannot be told.

    wanted: references. timeout: seconds for each. Of an image for several kinds of machines that of the
    master's own counts, or the first. What `digest` has asked for a reference by digest is not asked again.
    reach: what is declared of registries, by default nothing.
    """
    names = list(dict.fromkeys(wanted))
    declared = reach(names) if reach else {}
    found = _each(names, lambda one: _layers(one, timeout, declared))
    return {name: some for name, some in found.items() if some and not isinstance(some, RolloutError)}


def contained(reference: str, declared: registries.Declared, timeout: float = TIMEOUT) -> list[str]:
    """The digests of an image, and of each image of a list.

    reference (str): by digest. declared: of registries. timeout: seconds. Raises RolloutError as `digest`, or
    IMAGE_DAMAGED.
    """
    own = references.parse(reference).digest
    return [str(own), *(digest for digest, _ in _listed(reference, timeout, declared))]


def _listed(reference: str, timeout: float, declared: registries.Declared) -> list[tuple[str, bool]]:
    """Of each image of a list: its digest, and whether it is for the master's own kind of machine. [] of an
    image. Raises as `contained`.
    """
    content = _manifest(reference, timeout, declared)
    try:
        every = json.loads(content).get("manifests") or ()
        return [(str(one["digest"]), _is_of_this_machine(one)) for one in every]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        text = f"{reference}: its manifest cannot be read: {type(error).__name__}: {error}"
        raise RolloutError("IMAGE_DAMAGED", text) from error


def _layers(reference: str, timeout: float, declared: registries.Declared) -> dict[str, int]:
    try:
        told = json.loads(_manifest(reference, timeout, declared))
        if "manifests" in told:  # a list of images for several kinds of machines
            own = [one for one in told["manifests"] if _is_of_this_machine(one)] or told["manifests"]
            one = str(references.parse(reference).pinned(own[0]["digest"]))
            told = json.loads(_manifest(one, timeout, declared))
        return {one["digest"]: int(one["size"]) for one in (told["config"], *told["layers"])}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}  # of an older form, which tells no sizes; what is missing is refused elsewhere


def _is_of_this_machine(entry: Mapping[str, Any]) -> bool:
    machines = {"x86_64": "amd64", "aarch64": "arm64"}
    wanted = machines.get(platform.machine(), platform.machine())
    return (entry.get("platform") or {}).get("architecture") == wanted


def _manifest(reference: str, timeout: float, declared: registries.Declared) -> bytes:
    """As `_asked`, of what is known already where a digest names it."""
    parsed = references.parse(reference)
    known = _MANIFESTS.get(str(parsed.pinned(parsed.digest))) if parsed.digest else None
    return known or _asked(reference, timeout, declared)


def configurations(
    wanted: Iterable[str], timeout: float = TIMEOUT, reach: Reach | None = None
) -> dict[str, dict[str, Any] | RolloutError]:
    """The configuration of each image (its labels, when it was built), or the error in its place.

    wanted: references. timeout: seconds for each. Of an image for several kinds of machines that of the
    master's own counts. reach: as of `digests`.
    """
    names = list(dict.fromkeys(wanted))
    declared = reach(names) if reach else {}

    def ask(reference: str) -> dict[str, Any]:
        content = _asked(reference, timeout, declared, form=_CONFIGURATION)
        try:
            return dict(json.loads(content))
        except (TypeError, ValueError) as error:
            text = f"{reference}: its configuration cannot be read: {error}"
            raise RolloutError("IMAGE_DAMAGED", text) from error

    return _each(names, ask)


def _asked(reference: str, timeout: float, declared: registries.Declared, form: str = _MANIFEST) -> bytes:
    """The manifest of an image, or its list, as the registry has it, or its configuration (form), asked a few
    times. Raises as digest.

    None begins once as long has passed as one answer may take: that registry has been waited for.
    """
    until = time.monotonic() + timeout
    for tries, wait in enumerate((*AGAIN_AFTER, math.inf), 1):
        try:
            return _asked_once(reference, timeout, declared, form)
        except RolloutError as error:
            if error.reason not in TRANSIENT:
                raise
            if time.monotonic() + wait > until:
                asked = f" (asked {tries} times)" if tries > 1 else ""
                raise type(error)(error.reason, error.message + asked) from error
        time.sleep(wait)
    raise AssertionError("the last time returns or raises")


def _asked_once(reference: str, timeout: float, declared: registries.Declared, form: str) -> bytes:
    """As _asked, once."""
    parsed = references.parse(reference)
    name = parsed.pinned(parsed.digest) if parsed.digest else parsed
    try:
        with registries.given(reference, declared) as reached:
            command = skopeo.command(reached, "inspect", form, f"docker://{name}")
            answer = subprocess.run(
                command, capture_output=True, timeout=timeout, check=False, pass_fds=reached.descriptors
            )
    except registries.Unreadable as error:
        raise RolloutError("REGISTRY_LOGIN", f"{parsed.registry}: {error}") from error
    except OSError as error:
        text = f"skopeo cannot be run on the master: {error.strerror}; it is a package of the distribution"
        raise RolloutError("LIBRARY_MISSING", text) from error
    except subprocess.TimeoutExpired as error:
        raise skopeo.Silent(
            "REGISTRY_UNREACHABLE", f"{parsed.registry}: no answer within {timeout:g} s"
        ) from error
    if answer.returncode != 0:
        text = skopeo.said(answer.stderr)
        reason = images.pull_failure(text)
        if reason == "IMAGE_MISSING":
            raise RolloutError(reason, f"{reference}: is not in the registry")
        otherwise = "REGISTRY_UNREACHABLE" if form == _MANIFEST else "IMAGE_DAMAGED"
        known = reason if reason in (*_OF_ALL, "REGISTRY_LOGIN") else otherwise
        if reason == "REGISTRY_LOGIN":
            place = registries.place_of_login(reference, declared)
            by = f"by the login of {path(('openstack', 'registries', place))}" if place else _NO_LOGIN
            text = f"{text} ({by})"
        raise RolloutError(known, f"{parsed.registry}: {text}")
    if form == _MANIFEST and parsed.digest:
        # skopeo itself does not look.
        if (found := _digest_of(answer.stdout)) != parsed.digest:
            raise RolloutError("IMAGE_MISSING", f"{reference}: the registry has another digest, {found}")
        _MANIFESTS[str(name)] = answer.stdout
    return answer.stdout


def _digest_of(manifest: bytes) -> str:
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def digests(
    wanted: Iterable[str], timeout: float = TIMEOUT, reach: Reach | None = None
) -> dict[str, str | RolloutError]:
    """The digest of each reference, or the error in its place.

    wanted: references. timeout: seconds for each. Several are asked for at once. A registry that is down, or
    falls silent, is waited for only once. reach: what is declared of registries, by default nothing.
    """
    names = list(dict.fromkeys(wanted))
    declared = reach(names) if reach else {}
    return _each(names, lambda one: digest(one, timeout, declared))


def _each(names: Sequence[str], question: Callable[[str], _T]) -> dict[str, _T | RolloutError]:
    """What the registry of each image answers, or the error in its place: of each registry one image first.

    question: asks for an image; raises RolloutError.
    """
    ask = _waiting_once(question)
    by_registry: dict[str, list[str]] = {}
    for name in names:
        by_registry.setdefault(references.parse(name).registry, []).append(name)
    found: dict[str, _T | RolloutError] = {}
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        firsts = {some[0]: some[1:] for some in by_registry.values()}
        found.update(zip(firsts, pool.map(ask, firsts), strict=True))
        rest: list[str] = []
        for first, others in firsts.items():
            answer = found[first]
            if isinstance(answer, RolloutError) and answer.reason in _OF_ALL:
                found.update(dict.fromkeys(others, answer))
            else:
                rest += others
        found.update(zip(rest, pool.map(ask, rest), strict=True))
    return {name: found[name] for name in names}


def _waiting_once(question: Callable[[str], _T]) -> Callable[[str], _T | RolloutError]:
    """A question whose error is its answer, and that is not asked of a registry that has fallen silent."""
    silent: dict[str, RolloutError] = {}

    def ask(name: str) -> _T | RolloutError:
        place = references.parse(name).registry
        try:
            return silent.get(place) or question(name)
        except skopeo.Silent as error:
            return silent.setdefault(place, error)
        except RolloutError as error:
            return error

    return ask


def problems(
    wanted: Mapping[str, str], timeout: float = TIMEOUT, reach: Reach | None = None
) -> list[tuple[str, str]]:
    """What the registry lacks of some images, as (reason, line), and which are not signed as is declared. A
    registry that is down makes one line, as does one that wants another login.

    wanted (dict): pillar key -> reference. timeout: seconds for each. reach: as of `digests`.
    """
    declared = reach(list(wanted.values())) if reach else {}
    found = digests(wanted.values(), timeout, lambda _: declared)
    return lines(wanted, found | _unsigned(found, declared, timeout))


def lines(wanted: Mapping[str, str], found: Mapping[str, str | RolloutError]) -> list[tuple[str, str]]:
    """What is wrong with some images, as (reason, line). What a registry says of all its images is one line.

    wanted (dict): pillar key -> reference. found: of `digests`.
    """
    told: dict[tuple[str, str], None] = {}
    refused: dict[str, list[str]] = {}
    for key, reference in wanted.items():
        answer = found[reference]
        if isinstance(answer, RolloutError) and answer.reason == "REGISTRY_LOGIN":
            refused.setdefault(references.parse(reference).registry, []).append(answer.message)
        elif isinstance(answer, RolloutError):
            prefix = f"{key}: " if answer.reason in _OF_ONE else ""
            told[answer.reason, prefix + answer.message] = None
    for messages in refused.values():
        more = f" (as {len(messages) - 1} more of its images)" if messages[1:] else ""
        told["REGISTRY_LOGIN", messages[0] + more] = None
    return list(told)


def _unsigned(
    found: Mapping[str, str | RolloutError], declared: registries.Declared, timeout: float
) -> dict[str, RolloutError]:
    """What is wrong with the signatures of images, of those that have to be signed and are not.

    found: reference → digest in its registry.
    """

    def look(reference: str) -> None:
        image = references.parse(reference).pinned(str(found[reference]))
        # Of a list of images each is signed by itself: podman looks at the one that it takes.
        own = (digest for digest, is_own in _listed(str(image), timeout, declared) if is_own)
        image = image.pinned(next(own, str(image.digest)))
        signatures.require(image, registries.signing(reference, declared), declared, timeout)

    asked = [
        reference
        for reference, answer in found.items()
        if isinstance(answer, str) and registries.signing(reference, declared)
    ]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        answers = zip(asked, pool.map(_waiting_once(look), asked), strict=True)
        return {reference: error for reference, error in answers if error is not None}
