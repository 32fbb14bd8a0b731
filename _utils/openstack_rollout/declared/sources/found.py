"""What a source of releases says: its own names of images, references as they are written, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from openstack_rollout.declared.problems import plain
from openstack_rollout.declared.version_order import Said


class Style(Enum):
    """How a source calls its images."""

    VARIABLE = "variable"  # RELATED_IMAGE_GLANCE_API_IMAGE_URL_DEFAULT
    CAMEL = "camel"  # glanceAPIImage
    PARAMETER = "parameter"  # ContainerGlanceApiImage
    KEY = "key"  # glance_api_image
    REPOSITORY = "repository"  # the last part of the reference itself


@dataclass(frozen=True)
class Named:
    """An image as a source names it.

    name (str): as the source spells it. reference (str): "" where it gives none. where (str): for people.
    backend (str): of a map of back ends, else "". apart (str): what the source refers to instead of giving a
    reference, such as valueFrom.
    """

    name: str
    reference: str
    where: str
    backend: str = ""
    apart: str = ""

    def __post_init__(self) -> None:
        # They are printed: somebody else's words move no terminal, and can be written on any.
        for key in ("name", "where", "backend"):
            object.__setattr__(self, key, plain(getattr(self, key)))


@dataclass(frozen=True)
class Listed:
    """A release as a source has it.

    version (str): "" where the source does not say. images: in its order. said: what the source says of its
    order. several: the versions that the source names, where it names more than one. more: what else a
    release file says of it.
    """

    version: str
    images: tuple[Named, ...]
    said: Said = field(default_factory=Said)
    several: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """All that a source says.

    kind (str): what it is, for people. style: how it calls images. releases: in its order. custom: images
    that its operator has in place of a release's. notes: what else there is to say of it. choose (bool):
    whether a version that is asked for has to be one of its own. deployer (str): whose it is for certain, by
    the name of its table; "" where only the names of its images may tell.
    """

    kind: str
    style: Style
    releases: tuple[Listed, ...]
    custom: tuple[Named, ...] = ()
    notes: tuple[str, ...] = ()
    choose: bool = False
    deployer: str = ""
