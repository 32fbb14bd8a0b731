"""A release's images put into a mirror: by digest, each once, with the signatures that are beside them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from openstack_rollout.declared import needed_images, references, releases
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.references import Reference
from openstack_rollout.declared.registries import PLACE
from openstack_rollout.errors import RolloutError
from openstack_rollout.node import images as pulls
from openstack_rollout.node import registries
from openstack_rollout.on_salt import registry, registry_logins, signatures, skopeo
from openstack_rollout.on_salt.refusal import refusal_of_all

AT_ONCE = 4
_TAG = "mirrored-"  # a registry may clear away what no tag names
_LENGTH = 32
_TRIES = 3


class _Copy(NamedTuple):
    """One image on its way. key: the pillar key that names it. there: by what its mirror is asked."""

    key: str
    source: Reference
    there: Reference


def mirror(opts: Mapping[str, Any], model: Model, version: str, to: str, *, needed: bool, test: bool) -> Any:
    """Put what a mirror lacks of a release there. What is there already is not touched.

    opts (dict): the master's. model: what is declared. version (str): the release. to (str): registry, or
    registry/path. needed: only what enabled services of a role run, custom images too. test: only tell.

    Returns {version, to, copied, there, registries}. Raises RolloutError WRONG_ARGUMENT or UNKNOWN_TARGET,
    and a Refusal with all that could not be copied, a line each.
    """
    if text := PLACE.problem(to):
        raise RolloutError("WRONG_ARGUMENT", f"to: {text}")
    every = list(_copies(_wanted(model, version, needed), to))
    reach = partial(_without_mirrors, opts, model)
    there = registry.digests([str(one.there) for one in every], reach=reach)
    left = [one for one in every if there[str(one.there)] != one.source.digest]
    if not test:
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            done = pool.map(lambda one: _copy(reach, one, whole=one in left), every)
            problems = [line for some in done for line in some]
        # A registry that took a manifest has what is in it; what it gives back is what counts.
        problems = problems or registry.problems({one.key: str(one.there) for one in every}, reach=reach)
        if problems:
            raise refusal_of_all(dict.fromkeys(problems))
    return {
        "version": version,
        "to": to,
        "copied": sorted({str(one.there) for one in left}),
        "there": sorted({str(one.there) for one in every} - {str(one.there) for one in left}),
        "registries": {name: {"mirrors": [to]} for name in sorted({one.source.registry for one in every})},
    }


def _wanted(model: Model, version: str, needed: bool) -> dict[str, str]:
    """Pillar key → reference of what belongs into the mirror."""
    if needed:
        return needed_images.of(model, version)
    place = f"openstack:releases:{version}:images"
    images = releases.get(model, version).images
    return {f"{place}:{name}": one for name, _, one in releases.references_of(images)}


def _copies(wanted: Mapping[str, str], to: str) -> Iterator[_Copy]:
    lacks = [key for key, one in wanted.items() if references.digest_of(one) is None]
    if lacks:
        text = f"has no digest, and a tag may be another image tomorrow: {', '.join(lacks)}"
        raise RolloutError("WRONG_ARGUMENT", f"{text}; salt-run release.pin gives a release with digests")
    host, _, path = to.partition("/")
    for key, one in wanted.items():
        source = references.parse(one)
        source = source.pinned(str(source.digest))
        repository = f"{path}/{source.repository}" if path else source.repository
        yield _Copy(key, source, Reference(host, repository, None, source.digest))


def _without_mirrors(
    opts: Mapping[str, Any], model: Model, wanted: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """What is declared of registries, each asked itself."""
    found = registry_logins.of(opts, model, wanted)
    return {
        place: {key: one for key, one in some.items() if key != "mirrors"} for place, some in found.items()
    }


def _copy(reach: registry.Reach, one: _Copy, *, whole: bool) -> list[tuple[str, str]]:
    """Copy the signatures of an image that its mirror lacks, and the image, all kinds of machines of a list.

    whole: whether the mirror lacks the image too. Returns what is wrong.
    """
    declared = reach([str(one.source), str(one.there)])
    digest = str(one.source.digest)
    tag = f"{_TAG}{digest.partition(':')[2][:_LENGTH]}"
    try:
        for signature in _signatures(one.source, one.there, declared):
            _run(declared, signature, Reference(one.there.registry, one.there.repository, signature.tag))
        if whole:
            _run(declared, one.source, Reference(one.there.registry, one.there.repository, tag))
    except RolloutError as error:
        return [(error.reason, f"{one.key}: {error.message}")]
    return []


def _signatures(image: Reference, there: Reference, declared: registries.Declared) -> list[Reference]:
    """The signatures beside an image that are not beside the one in the mirror, where any are wanted: of the
    image itself, and of each image of a list.
    """
    if not registries.keys(str(image), declared):
        return []
    digests = registry.contained(str(image), declared)
    pairs = [(signatures.beside(image.pinned(one)), signatures.beside(there.pinned(one))) for one in digests]
    told = registry.digests((str(one) for pair in pairs for one in pair), reach=lambda _: declared)
    return [
        source
        for source, mirrored in pairs
        if isinstance(told[str(source)], str) and told[str(source)] != told[str(mirrored)]
    ]


def _run(declared: registries.Declared, source: Reference, there: Reference) -> None:
    """Copy one thing between registries. Raises RolloutError."""
    try:
        with (
            registries.given(str(source), declared) as of_source,
            registries.given(str(there), declared) as of_there,
        ):
            logins = {"--src-authfile": of_source.auth, "--dest-authfile": of_there.auth}
            given = registries.Given("", of_source.conf, ())
            options = [word for name, path in logins.items() if path for word in (name, path)]
            command = skopeo.command(
                given,
                *("copy", "--insecure-policy", "--quiet", "--all", "--preserve-digests"),
                *(f"--retry-times={_TRIES}", *options, f"docker://{source}", f"docker://{there}"),
            )
            descriptors = (*of_source.descriptors, *of_there.descriptors)
            done = subprocess.run(command, capture_output=True, check=False, pass_fds=descriptors)
    except registries.Unreadable as error:
        raise RolloutError("REGISTRY_LOGIN", str(error)) from error
    except OSError as error:
        raise RolloutError("LIBRARY_MISSING", f"skopeo cannot be run: {error.strerror}") from error
    if done.returncode:
        text = skopeo.said(done.stderr)
        raise RolloutError(pulls.pull_failure(text), f"{source} to {there}: {text}")
