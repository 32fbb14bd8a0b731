"""A place in a registry, docker://registry/namespace:tag, in which images have the names of the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from openstack_rollout.declared import references
from openstack_rollout.declared.sources.found import Listed, Named, Source, Style
from openstack_rollout.errors import RolloutError

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model

PREFIX = "docker://"


def candidates(model: Model, source: str) -> list[str]:
    """The references under which images of the tables of deployers would be in a place.

    source (str): with PREFIX. Raises RolloutError WRONG_ARGUMENT where it is no place with a tag.
    """
    place, _, tag = source.removeprefix(PREFIX).rpartition(":")
    try:
        if not place or "/" in tag or "@" in place:
            raise ValueError(f"{source!r} needs a tag")
        references.parse(f"{place}/x:{tag}")
    except ValueError as error:
        text = f"SOURCE: give {PREFIX}registry/namespace:tag: {error}"
        raise RolloutError("WRONG_ARGUMENT", text) from error
    names = [name for table in model.deployers.values() for name in table.repositories.values()]
    return [f"{place}/{name}:{tag}" for name in dict.fromkeys(names)]


def read(source: str, there: Iterable[str], unanswered: Mapping[str, str]) -> Source:
    """What a place has.

    there: the candidates that the registry has. unanswered: candidate → the reason under which the registry
    did not answer for it alone. Raises RolloutError RELEASE_REFUSED where it has none.
    """
    images = tuple(Named(one, one, one) for one in there)
    if not images:
        raise RolloutError("RELEASE_REFUSED", f"SOURCE: {source} has none of the images that the tables name")
    by_reason: dict[str, int] = {}
    for reason in unanswered.values():
        by_reason[reason] = by_reason.get(reason, 0) + 1
    notes = tuple(f"{reason} for {count} names of the tables" for reason, count in by_reason.items())
    return Source("place in a registry", Style.REPOSITORY, (Listed("", images),), notes=notes)
