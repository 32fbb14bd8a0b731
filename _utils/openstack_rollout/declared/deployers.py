"""What other deployers call their units and containers, and what these are here.

Data of the pillar (openstack/deployers.sls). A survey reads it; no update does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, WithJsonSchema

from openstack_rollout.declared.base import Strict, without_nulls
from openstack_rollout.declared.names import NAME, KnownImageKey, Text, Word
from openstack_rollout.declared.problems import (
    Path,
    Wrong,
    not_a,
    not_a_key,
    not_a_string,
    raise_all,
    shown,
    suggestion,
)

#: Stands for the container's name in the name of a unit.
PLACE = "{}"
_RUNS_KEYS = ("type", "image")
_BUNDLE = re.compile(r"(?P<bundle>.+)-(?:podman|docker|rkt)-[0-9]+")


@dataclass(frozen=True)
class Runs:
    """What a container is here.

    type (str): the service type. image (str): the image key where it is not that of the type, "" where it is.
    """

    type: str
    image: str = ""


def _runs(value: Any, info: ValidationInfo) -> dict[str, Runs]:
    """Container → what it runs, written as the service type alone or as {type, image}. Raises Wrong."""
    if not isinstance(value, Mapping):
        raise Wrong(not_a("a mapping of containers to service types", value))
    context = info.context or {}
    lines: list[tuple[Path, str]] = []
    found: dict[str, Runs] = {}
    for name, one in value.items():
        text = NAME.problem(name) if isinstance(name, str) else not_a_key(name)
        if text:
            lines.append(((name,), text))
            continue
        if one is None:
            continue  # an operator's page takes a name of the shipped table away
        parts = one if isinstance(one, Mapping) else {"type": one}
        wrong = list(_wrong(parts, context))
        lines += [((name, *(place if isinstance(one, Mapping) else ())), text) for place, text in wrong]
        if not wrong:
            found[name] = Runs(parts["type"], parts.get("image") or "")
    raise_all(lines)
    return found


def _wrong(parts: Mapping[Any, Any], context: Mapping[str, Any]) -> list[tuple[Path, str]]:
    lines: list[tuple[Path, str]] = [
        ((key,), f"unknown key{suggestion(key, _RUNS_KEYS)}") for key in parts if key not in _RUNS_KEYS
    ]
    if parts.get("type") is None:
        lines.append((("type",), "is missing"))
    for key, group, what in (("type", "types", "service type"), ("image", "image_keys", "image key")):
        one, known = parts.get(key), context.get(group)
        if one is None:
            continue
        if not isinstance(one, str):
            lines.append(((key,), not_a_string(one)))
        elif known is not None and one not in known:
            lines.append(((key,), f"{shown(one)} is no known {what}{suggestion(one, known)}"))
        elif text := NAME.problem(one):
            lines.append(((key,), text))
    return lines


def _unit(value: str) -> str:
    return "" if value.count(PLACE) == 1 else f"{shown(value)} needs {PLACE} once, for the container's name"


def _form(value: str) -> str:
    return "" if value.count(PLACE) == 1 else f"{shown(value)} needs {PLACE} once, for the name of the table"


FORM = Text(r"[a-z0-9._*{}-]+", f"has to be a name with {PLACE} in it, or a glob of *", 128, _form)
UNIT = Text(
    r"[A-Za-z0-9_.@{}-]+\.service",
    f"has to be a unit's name with .service, and {PLACE} for the container's name",
    128,
    _unit,
)
GLOB = Text(r"[A-Za-z0-9_.*?-]+", "has to be a container's name, or a glob of * and ?", 128)
KEY_GLOB = Text(r"[A-Za-z0-9_*?-]+", "has to be an image key, or a glob of * and ?", 128)
REPOSITORY = Text(
    r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*", "has to be the last part of an image's name: a-z, 0-9, ., _ and -", 128
)
#: A registry of images that only the node itself has.
REGISTRY = Text(r"[A-Za-z0-9][A-Za-z0-9.:-]*", "has to be a registry's name", 255)

_RUNS_SCHEMA = WithJsonSchema(
    {
        "type": "object",
        "propertyNames": {"pattern": f"^{NAME.pattern}$"},
        "additionalProperties": {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {key: {"type": "string"} for key in _RUNS_KEYS},
                    "required": ["type"],
                    "additionalProperties": False,
                },
            ]
        },
    }
)
Containers = Annotated[dict[str, Runs], BeforeValidator(_runs), _RUNS_SCHEMA]
_Labels = Annotated[dict[Word, Annotated[str, Text(r".+", "has to be a label's value", 255)]],
                    BeforeValidator(without_nulls)]  # fmt: skip


def _distinct(value: list[str]) -> list[str]:
    twice = sorted({one for one in value if value.count(one) > 1})
    if twice:
        raise Wrong(f"names {shown(twice[0])} twice")
    return value


_Names = Annotated[list[Word], AfterValidator(_distinct)]


class Deployer(Strict):
    """What one deployer calls its units and containers."""

    unit: Annotated[str, UNIT]
    """The name of a container's unit, with {} for the container's name."""
    labels: _Labels = {}
    """Labels that its containers have, and nobody else's; the value * is any."""
    local_registries: list[Annotated[str, REGISTRY]] = []
    """Registries of names that it gives images on the node: no registry has such an image."""
    containers: Containers = {}
    """Container → service type, or {type, image} where its image has another type's key."""
    bundles: Containers = {}
    """Pacemaker bundle → service type; its containers end in -podman-N or -docker-N."""
    once: list[Annotated[str, GLOB]] = []
    """Globs of containers that do something once and end, such as bootstraps and migrations."""
    unknown: _Names = []
    """Containers that the catalogue has no service type for."""
    image_keys: dict[Word, KnownImageKey] = {}
    """Its image keys that are called otherwise here."""
    skipped: list[Annotated[str, KEY_GLOB]] = []
    """Globs of its image keys that no service of a node, and no release, has."""
    copied: dict[KnownImageKey, KnownImageKey] = {}
    """Image key → the one whose image it has, where a list of images has none for it."""
    repositories: Annotated[
        dict[KnownImageKey, Annotated[str, REPOSITORY]], BeforeValidator(without_nulls)
    ] = {}
    """Image key → the last part of the name of its image in a registry."""
    repository_forms: list[Annotated[str, FORM]] = []
    """How else it calls them: {} stands for the name of the table, * for anything."""

    @property
    def glob(self) -> str:
        """The units that may be its own, for systemctl."""
        return self.unit.replace(PLACE, "*")

    def unit_of(self, container: str) -> str:
        """The unit that a container of this name has."""
        return self.unit.replace(PLACE, container)

    def container_of(self, unit: str) -> str:
        """The container of a unit, "" of one that is not its own."""
        before, _, after = self.unit.partition(PLACE)
        fits = unit.startswith(before) and unit.endswith(after) and len(unit) > len(before) + len(after)
        return unit[len(before) : len(unit) - len(after)] if fits else ""

    def labelled(self, container: str, labels: Mapping[str, str]) -> bool:
        """Whether labels of a container say that it is its own; never where it has none.

        A label of any value may be its image's alone: then the container has to have a known name, too.
        """
        if not self.labels or any(value not in ("*", labels.get(key)) for key, value in self.labels.items()):
            return False
        if "*" not in self.labels.values():
            return True
        return self.labels.keys() <= labels.keys() and self.knows(container)

    def knows(self, container: str) -> bool:
        """Whether a container of this name is in its tables."""
        named = container in self.containers or container in self.unknown or self.runs_once(container)
        return named or bool(self.bundle_of(container))

    def bundle_of(self, container: str) -> str:
        """The Pacemaker bundle that a container is a replica of, "" where it is none."""
        match = _BUNDLE.fullmatch(container)
        return match["bundle"] if match and match["bundle"] in self.bundles else ""

    def skips(self, key: str) -> bool:
        """Whether an image key is one that no release here has."""
        return any(fnmatchcase(key, glob) for glob in self.skipped)

    def keys_of(self, repository: str) -> list[str]:
        """The image keys whose image has this as the last part of its name."""
        names = {repository}
        for form in self.repository_forms:
            before, _, after = (re.escape(part).replace(r"\*", ".*") for part in form.partition(PLACE))
            if match := re.fullmatch(f"{before}(.+?){after}", repository):
                names.add(match[1])
        return [key for key, name in self.repositories.items() if name in names]

    def runs_once(self, container: str) -> bool:
        """Whether a container does something once and ends."""
        return any(fnmatchcase(container, glob) for glob in self.once)
