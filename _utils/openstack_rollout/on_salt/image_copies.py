"""Images copied by digest between registries and folders, by skopeo."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from salt.exceptions import CommandExecutionError

from openstack_rollout.declared import needed_images, references, releases
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.references import Reference
from openstack_rollout.errors import RolloutError
from openstack_rollout.node import images, moving, registries
from openstack_rollout.on_salt import registry, registry_logins, signatures, skopeo

#: How many are copied at once.
AT_ONCE = 4
#: Seconds without a byte after which a copy is ended: a registry may take long to put a large layer away.
STALL = 600.0
REGISTRY, FOLDER = "docker://", "dir:"
_TRIES = 3
_of_thread = threading.local()


def wanted(model: Model, version: str, needed: bool) -> dict[str, Reference]:
    """Pillar key → image of a release, by digest.

    model: what is declared. version (str): the release. needed: only what enabled services of a role run,
    custom images too. Raises RolloutError UNKNOWN_TARGET, or WRONG_ARGUMENT for an image by tag.
    """
    if needed:
        found = needed_images.of(model, version)
    else:
        place = f"openstack:releases:{version}:images"
        every = releases.references_of(releases.get(model, version).images)
        found = {f"{place}:{name}": one for name, _, one in every}
    lacks = [key for key, one in found.items() if references.digest_of(one) is None]
    if lacks:
        text = f"has no digest, and a tag may be another image tomorrow: {', '.join(lacks)}"
        raise RolloutError("WRONG_ARGUMENT", f"{text}; salt-run release.pin gives a release with digests")
    parsed = {key: references.parse(one) for key, one in found.items()}
    return {key: one.pinned(str(one.digest)) for key, one in parsed.items()}


def reached(opts: Mapping[str, Any], model: Model, some: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What is declared of registries, each asked itself and no mirror of it. Arguments as of
    registry_logins.of.
    """
    found = registry_logins.of(opts, model, some)
    return {
        place: {key: one for key, one in said.items() if key != "mirrors"} for place, said in found.items()
    }


@contextmanager
def together(at_once: int = AT_ONCE) -> Iterator[ThreadPoolExecutor]:
    """Threads that copy, and whose copies end where whoever waits for them is interrupted.

    at_once (int): how many they are.
    """
    over = threading.Event()

    def begin() -> None:
        _of_thread.over = over

    with ThreadPoolExecutor(max_workers=at_once, initializer=begin) as pool:
        try:
            yield pool
        except BaseException:
            over.set()
            raise


def wants_signature(image: Reference, declared: registries.Declared) -> bool:
    """Whether an image has to have a signature beside it. image: by digest. declared: of registries."""
    return not registries.signing(str(image), declared).keys().isdisjoint(signatures.BESIDE)


def signed(image: Reference, declared: registries.Declared) -> Iterator[tuple[Reference, Reference]]:
    """The signatures that an image needs and its registry has: each as (what is signed, where its signature
    is), of the image itself and of each image of a list; none where none are wanted.

    image: by digest. declared: of registries. Raises RolloutError REGISTRY_….
    """
    if not wants_signature(image, declared):
        return
    every = [image.pinned(one) for one in registry.contained(str(image), declared)]
    places = {str(signatures.beside(one)): one for one in every}
    for place, answer in registry.digests(places, reach=lambda _: declared).items():
        if isinstance(answer, str):
            yield places[place], signatures.beside(places[place])


def copy(source: str, there: str, declared: registries.Declared, *, whole: bool = True) -> None:
    """Copy an image, all kinds of machines of a list, without a change of a digest.

    source, there (str): docker://reference or dir:folder. declared: of registries. whole: of a list, all its
    images; else the one for the master's own kind of machine.
    Raises RolloutError: REGISTRY_…, IMAGE_…, DISK_FULL, INTERRUPTED or LIBRARY_MISSING.
    """
    try:
        with (
            registries.given(_reference(source), declared) as of_source,
            registries.given(_reference(there), declared) as of_there,
        ):
            logins = {"--src-authfile": of_source.auth, "--dest-authfile": of_there.auth}
            options = [word for name, path in logins.items() if path for word in (name, path)]
            command = skopeo.command(
                registries.Given("", of_source.conf, ()),
                *("copy", "--insecure-policy", "--quiet"),
                *(("--all", "--preserve-digests") if whole else ()),
                *(f"--retry-times={_TRIES}", *options, source, there),
            )
            descriptors = (*of_source.descriptors, *of_there.descriptors)
            done = moving.run(command, moving.Limits(STALL, _interrupted), descriptors=descriptors)
    except registries.Unreadable as error:
        raise RolloutError("REGISTRY_LOGIN", str(error)) from error
    except CommandExecutionError as error:
        raise RolloutError("LIBRARY_MISSING", f"skopeo cannot be run: {error}") from error
    except moving.Stopped as ended:
        if ended.why:
            raise RolloutError("INTERRUPTED", f"{source} to {there}: {ended.why}") from ended
        waited = f"nothing came for {STALL:g} s, {ended.moved} bytes before that, and the copy was ended"
        text = f"{source} to {there}: {waited}; it waited for {', '.join(ended.peers) or 'the disk'}"
        raise RolloutError("REGISTRY_UNREACHABLE" if ended.peers else "IMAGE_PULL_FAILED", text) from ended
    if done.retcode:
        text = skopeo.said(done.stderr)
        raise RolloutError(images.pull_failure(text), f"{source} to {there}: {text}")


def _reference(place: str) -> str:
    return place.removeprefix(REGISTRY) if place.startswith(REGISTRY) else ""


def _interrupted() -> str:
    """Why a copy of this thread has to end, "" to go on."""
    over = getattr(_of_thread, "over", None)
    return "whoever waits for it was interrupted" if over and over.is_set() else ""
