"""A release of the catalogue with the registries' digests in place of its tags."""

from __future__ import annotations

from typing import Any

from openstack_rollout.declared import importing, references, releases
from openstack_rollout.declared.model import Model
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import registry
from openstack_rollout.on_salt.refusal import refusal_of_all
from openstack_rollout.on_salt.registry import Reach


def pinned(model: Model, version: str, reach: Reach) -> dict[str, Any]:
    """The release as a release file has it, each image by the digest that its registry has for it now.

    model: what is declared. version (str): the release. reach: what is declared of registries.
    Raises RolloutError UNKNOWN_TARGET, and a Refusal with all that registries lack, a line each.
    """
    content = releases.get(model, version).model_dump(exclude_unset=True, exclude_none=True)
    images = {name: reference for name, _, reference in releases.references_of(content.get("images", {}))}
    answers = registry.digests(images.values(), reach=reach)
    place = f"openstack:releases:{version}:images"
    if lines := registry.lines({f"{place}:{name}": one for name, one in images.items()}, answers):
        raise refusal_of_all(lines)
    digests = {one: answer for one, answer in answers.items() if not isinstance(answer, RolloutError)}
    found = {name: str(references.parse(one).pinned(digests[one])) for name, one in images.items()}
    return {**content, "images": importing.nested(found)}
