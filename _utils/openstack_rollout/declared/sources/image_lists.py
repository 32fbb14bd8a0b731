"""Lists of images: references (kolla's), TripleO's imagename entries and parameters, keys with references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openstack_rollout.declared.problems import shown
from openstack_rollout.declared.sources.documents import below, listed, mapped
from openstack_rollout.declared.sources.found import Listed, Named, Source, Style
from openstack_rollout.declared.sources.operator_env import PREFIX, RHOSO
from openstack_rollout.errors import RolloutError

_IMAGENAME = "imagename"
_TRIPLEO = "tripleo"
_PREPARE = "ContainerImagePrepare"
_PARAMETERS, _IMAGES = "parameter_defaults", "container_images"


def of_references(references: Sequence[tuple[int, str]]) -> Source:
    """A list of (line, reference)."""
    return _source("list of images", [Named(name, name, f"line {line}") for line, name in references])


def of_names(entries: Sequence[Any]) -> Source | None:
    """A list of references, or of TripleO's mappings with an imagename; None of anything else."""
    texts = [one if isinstance(one, str) else below(one, _IMAGENAME) for one in entries]
    if not texts or not all(isinstance(one, str) for one in texts):
        return None
    tripleo = any(isinstance(one, Mapping) for one in entries)
    kind = "TripleO's list of images" if tripleo else "list of images"
    images = [Named(one, one.strip(), f"entry {n}") for n, one in enumerate(texts, 1)]
    return _source(kind, images, _TRIPLEO if tripleo else "")


def of_mapping(document: Mapping[str, Any]) -> Source | None:
    """TripleO's parameters or list, or names with references; None of anything else.

    Raises RolloutError RELEASE_REFUSED of parameters from which TripleO itself would make the list.
    """
    if _IMAGES in document:
        return of_names(listed(document[_IMAGES]))
    parameters = mapped(document.get(_PARAMETERS, document))
    if any(_is_parameter(name) for name in parameters):
        some = [_one(name, value) for name, value in parameters.items() if _is_parameter(name)]
        others = [name for name in parameters if not _is_parameter(name)]
        notes = [f"{len(others)} other parameters are not read"] if others else []
        releases = (Listed("", _flat(some)),)
        return Source("TripleO's parameters", Style.PARAMETER, releases, (), tuple(notes), deployer=_TRIPLEO)
    if _PREPARE in parameters:
        places = [mapped(below(one, "set")) for one in listed(parameters[_PREPARE])]
        named = [
            f"docker://{one['namespace']}:{one.get('tag', 'TAG')}" for one in places if "namespace" in one
        ]
        raise RolloutError(
            "RELEASE_REFUSED",
            f"SOURCE: {_PREPARE}: names no image yet: give what openstack tripleo container image prepare"
            f" made of it{f', or {shown(named[0])}' if named else ''}",
        )
    values = all(isinstance(value, str | Mapping) or value is None for value in document.values())
    if not values or not any(map(_is_key, document)):
        return None
    some = [_one(str(name), value) for name, value in document.items()]
    return Source("image keys", _style(document), (Listed("", _flat(some)),), deployer=RHOSO)


def _style(document: Mapping[str, Any]) -> Style:
    if all(str(name).startswith(PREFIX) for name in document):
        return Style.VARIABLE
    return Style.KEY if any("_" in str(name) for name in document) else Style.CAMEL


def _is_key(name: object) -> bool:
    return str(name).startswith(PREFIX) or str(name).lower().endswith(("image", "images"))


def _is_parameter(name: str) -> bool:
    return name.startswith("Container") and name.endswith("Image")


def _one(name: str, value: Any) -> list[Named]:
    if isinstance(value, Mapping) and value:
        return [Named(name, str(one or "").strip(), name, backend) for backend, one in mapped(value).items()]
    return [Named(name, value.strip() if isinstance(value, str) else "", name)]


def _flat(some: Sequence[Sequence[Named]]) -> tuple[Named, ...]:
    return tuple(one for each in some for one in each)


def _source(kind: str, images: Sequence[Named], deployer: str = "") -> Source:
    return Source(kind, Style.REPOSITORY, (Listed("", tuple(images)),), deployer=deployer)
