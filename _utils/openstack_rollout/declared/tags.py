"""Custom images that are named by tag: which, and the model in which they have the digests of a run.

A tag moves in its registry, a release does not. So what a tag is gets resolved when a run begins, and stays
that for every node until another run begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from openstack_rollout.declared import references, releases

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model


def of(model: Model) -> dict[str, str]:
    """key, or key:backend, of a custom image → its reference, of those by tag alone."""
    return {
        name: reference
        for name, _, reference in releases.references_of(model.custom_images)
        if references.digest_of(reference) is None
    }


def pinned(model: Model, digests: Mapping[str, str]) -> Model:
    """The model with digests in place of tags, as far as they are known.

    digests: reference by tag → digest.
    """
    if not any(reference in digests for reference in of(model).values()):
        return model
    images: dict[str, Any] = {
        key: {backend: _pinned(one, digests) for backend, one in value.items()}
        if isinstance(value, Mapping)
        else _pinned(value, digests)
        for key, value in model.custom_images.items()
    }
    found = model.model_copy(update={"custom_images": images})
    found.__dict__.pop("content", None)  # a copy keeps what was made of the images that it had
    return found


def _pinned(reference: str, digests: Mapping[str, str]) -> str:
    digest = digests.get(reference)
    return str(references.parse(reference).pinned(digest)) if digest else reference
