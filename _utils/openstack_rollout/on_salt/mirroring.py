"""A release's images put into a mirror: by digest, each once, with the signatures that are beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from openstack_rollout.declared.model import Model
from openstack_rollout.declared.references import Reference
from openstack_rollout.declared.registries import PLACE
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import bundling, image_copies, registry, signatures
from openstack_rollout.on_salt.image_copies import FOLDER, REGISTRY
from openstack_rollout.on_salt.refusal import refusal_of_all

_TAG = "mirrored-"  # a registry may clear away what no tag names
_LENGTH = 32
#: What a registry says of a repository that is not there yet, or is not shown.
_NOT_THERE = ("IMAGE_MISSING", "REGISTRY_LOGIN")


class _Copy(NamedTuple):
    """One image on its way. key: the pillar key that names it. there: by what its mirror is asked."""

    key: str
    source: Reference
    there: Reference


def mirror(
    opts: Mapping[str, Any], model: Model, version: str, to: str, *, needed: bool, bundle: str, test: bool
) -> dict[str, Any]:
    """Put what a mirror lacks of a release there. What is there already is not touched.

    opts (dict): the master's. model: what is declared. version (str): the release. to (str): registry, or
    registry/path. needed: only what enabled services of a role run, custom images too. bundle (str): the
    folder of a bundle that the images come from, "" for their registries. test: only tell.

    Returns {version, to, copied, there, registries}. Raises RolloutError WRONG_ARGUMENT, UNKNOWN_TARGET or
    REGISTRY_…, and a Refusal with all that the bundle lacks, or that could not be copied, a line each.
    """
    if text := PLACE.problem(to):
        raise RolloutError("WRONG_ARGUMENT", f"to: {text}")
    host, _, path = to.partition("/")
    every = [
        _Copy(
            key,
            one,
            Reference(host, f"{path}/{one.repository}" if path else one.repository, None, one.digest),
        )
        for key, one in image_copies.wanted(model, version, needed).items()
    ]
    reach = partial(image_copies.reached, opts, model)
    if bundle:
        declared = reach([str(one.source) for one in every])
        signed = {one.key for one in every if image_copies.wants_signature(one.source, declared)}
        bundling.require_complete(bundle, {one.key: one.source for one in every}, signed)
    there = registry.digests([str(one.there) for one in every], reach=reach)
    for answer in there.values():
        if isinstance(answer, RolloutError) and answer.reason not in _NOT_THERE:
            raise answer
    left = [one for one in every if there[str(one.there)] != one.source.digest]
    if not test:
        with image_copies.together() as pool:
            done = pool.map(lambda one: _copy(reach, one, bundle, whole=one in left), every)
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


def _copy(reach: registry.Reach, one: _Copy, bundle: str, *, whole: bool) -> list[tuple[str, str]]:
    """Copy the signatures of an image that its mirror lacks, and the image.

    whole: whether the mirror lacks the image too. Returns what is wrong.
    """
    declared = reach([str(one.source), str(one.there)])
    tag = f"{_TAG}{str(one.source.digest).partition(':')[2][:_LENGTH]}"
    repository = Reference(one.there.registry, one.there.repository, tag)
    try:
        if bundle:
            signed: Iterator[tuple[str, Reference]] = bundling.signed(bundle, one.source)
            source = f"{FOLDER}{bundling.place(bundle, one.source)}"
        else:
            found = image_copies.signed(one.source, declared)
            signed = ((f"{REGISTRY}{place}", image) for image, place in found)
            source = f"{REGISTRY}{one.source}"
        for signature, image in signed:
            there = signatures.beside(one.there.pinned(str(image.digest)))
            image_copies.copy(signature, f"{REGISTRY}{there}", declared)
        if whole:
            image_copies.copy(source, f"{REGISTRY}{repository}", declared)
    except RolloutError as error:
        return [(error.reason, f"{one.key}: {error.message}")]
    return []
