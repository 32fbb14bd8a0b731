"""What a node still needs of images and packages once an update is accepted; all else of releases may go.

What it runs, what it would go back to, and what the releases need that are kept by name. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from openstack_rollout.declared import references, releases, told, way_back
from openstack_rollout.declared.told import Name as _Name
from openstack_rollout.declared.told import Names as _Names
from openstack_rollout.declared.told import Text as _Text
from openstack_rollout.declared.told import Told as _Record
from openstack_rollout.node.packages import FLOOR, NEWEST

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model

#: The form of the answer; a node whose modules have another one needs saltutil.sync_all.
SCHEMA = 1
_WHAT = "what it removed is"


class Pruned(_Record):
    """What a node removed, or would: images by a name, paths of package files, bytes that are free then.
    left: image that no release needs → why it was left alone. failed: image or path → why it could not be
    removed.
    """

    schema_: Literal[1] = Field(alias="schema")
    images: _Names = []
    packages: _Names = []
    freed: int = Field(ge=0)
    left: dict[_Name, _Text] = {}
    failed: dict[_Name, _Text] = {}


@dataclass(frozen=True)
class Needs:
    """What nodes are asked to keep: references of images, and (package, version) of cached packages."""

    images: frozenset[str] = frozenset()
    packages: frozenset[tuple[str, str]] = frozenset()

    def by_name(self) -> dict[str, list[str]]:
        """The packages: {name: [version]}."""
        found: dict[str, list[str]] = {}
        for name, version in sorted(self.packages):
            found.setdefault(name, []).append(version)
        return found


def read(node: str, answer: Any) -> Pruned:
    """What a node's answer says. Raises RolloutError FACTS_INVALID."""
    return told.read(node, answer, Pruned, SCHEMA, _WHAT)


def needs(
    model: Model,
    wanted: Iterable[str],
    images: Iterable[str] = (),
    packages: Mapping[str, Sequence[str]] | None = None,
) -> Needs:
    """What is needed of releases, and beside them.

    wanted: versions; one that the catalogue no longer has needs nothing. images: references. packages: {name:
    [version]}. Custom images are always needed.
    """
    there = [model.releases[version] for version in set(wanted) if version in model.releases]
    some = [*(one.images for one in there), model.custom_images]
    every = {reference for one in some for _, _, reference in releases.references_of(one)}
    pinned = {
        (name, version)
        for one in there
        for name, said in one.packages.items()
        for version in ([said] if isinstance(said, str) else said.values())
        if version != NEWEST and not version.startswith(FLOOR)
    }
    also = {(name, version) for name, some in (packages or {}).items() for version in some}
    return Needs(frozenset({*every, *images}), frozenset(pinned | also))


def before(model: Model, version: str) -> str | None:
    """The release of the catalogue before another one; None where nothing tells."""
    known = releases.versions(model)
    place = known.index(version) if version in known else 0
    return known[place - 1] if place else None


def repositories(model: Model, former: Collection[str]) -> list[str]:
    """The repositories (registry/path) of all images that are, or were, the releases'.

    former: references of images that nodes ran before, as they told them.
    """
    every = {*way_back.references(model), *former}
    return sorted({found for one in every if (found := _repository(one))})


def _repository(reference: str) -> str:
    """The repository of an image, "" of one whose registry nobody named: a release could not name it."""
    try:
        found = references.parse(reference)
    except ValueError:
        return ""
    return f"{found.registry}/{found.repository}"
