"""Mappings of image keys to references, as releases and the operator's custom images have them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import PlainValidator, ValidationInfo, WithJsonSchema

from openstack_rollout.declared import references
from openstack_rollout.declared.names import NAME
from openstack_rollout.declared.problems import (
    Path,
    Wrong,
    not_a,
    not_a_key,
    not_a_string,
    raise_all,
    suggestion,
)
from openstack_rollout.declared.services import BACKEND_MAPS

Images = dict[str, str | dict[str, str]]


def of_release(value: Any, info: ValidationInfo) -> Images:
    """The images of a release: by tag too, which salt-run release.pin turns into digests. Raises Wrong."""
    return _checked(value, (info.context or {}).get("image_keys"))


def custom(value: Any, info: ValidationInfo) -> Images:
    """The operator's images, of services alone: by tag too, which each run resolves when it begins (tags.py).
    Raises Wrong.
    """
    context = info.context or {}
    return _checked(value, context.get("image_keys"), context.get("auxiliary") or ())


def _checked(value: Any, known: Collection[str] | None, refused: Collection[str] = ()) -> Images:
    if not isinstance(value, Mapping):
        raise Wrong(not_a("a mapping of image keys to images", value))
    lines: list[tuple[Path, str]] = []
    for key, image in value.items():
        if not isinstance(key, str):
            lines.append(((key,), not_a_key(key)))
        elif known is not None and key not in known:
            lines.append(((key,), f"unknown image key{suggestion(key, known)}"))
        elif key in refused:
            lines.append(((key,), "no service of a node uses it"))
        else:
            lines += [((key, *more), text) for more, text in _image(key, image)]
    raise_all(lines)
    return {key: dict(image) if isinstance(image, Mapping) else image for key, image in value.items()}


def _image(key: str, value: Any) -> list[tuple[Path, str]]:
    if key not in BACKEND_MAPS:
        text = _reference(value)
        return [((), text)] if text else []
    if not isinstance(value, Mapping):
        return [((), not_a("a mapping of back ends, such as default, to images", value))]
    lines: list[tuple[Path, str]] = []
    for backend, reference in value.items():
        text = NAME.problem(backend) if isinstance(backend, str) else not_a_key(backend)
        if text := text or _reference(reference):
            lines.append(((backend,), text))
    return lines


def _reference(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return not_a("an image", value)
    if not isinstance(value, str):
        return not_a_string(value)
    try:
        references.parse(value)
    except ValueError as error:
        return str(error)
    return ""


_SCHEMA = WithJsonSchema(
    {
        "type": "object",
        "propertyNames": {"pattern": f"^{NAME.pattern}$"},
        "additionalProperties": {
            "anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}]
        },
    }
)
ReleaseImages = Annotated[Images, PlainValidator(of_release), _SCHEMA]
CustomImages = Annotated[Images, PlainValidator(custom), _SCHEMA]
