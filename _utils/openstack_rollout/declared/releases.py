"""Releases: what one holds, which there are, and which is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, PlainValidator, ValidationInfo, WithJsonSchema, model_validator

from openstack_rollout.declared import checks, version_order
from openstack_rollout.declared.base import Strict, without_nulls
from openstack_rollout.declared.hooks import Migrations
from openstack_rollout.declared.images import ReleaseImages
from openstack_rollout.declared.names import (
    PACKAGE,
    PACKAGE_VERSION,
    Note,
    ReleaseName,
    ServiceType,
    WholeNumber,
)
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
from openstack_rollout.declared.services import Entry
from openstack_rollout.declared.version_order import Said
from openstack_rollout.errors import RolloutError
from openstack_rollout.node.packages import FLOOR, NEWEST
from openstack_rollout.vocabulary import OS_FAMILIES

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model

#: What a run has as its target that only brings the system up to date, whatever the release.
NO_RELEASE = ""
_NAMED = 20  # versions that a line names at most


class Check(Strict):
    """What a release asks of a node before a service of it moves."""

    service: ServiceType
    """The service type; its container is the function's first argument."""
    call: str
    """A function of the node that only reads; each line it returns is a refusal."""
    arguments: dict[str, Any] = {}
    """Its further arguments, by name."""

    @model_validator(mode="before")
    @classmethod
    def _allowed(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, Mapping) and value.get("call") is not None:
            arguments = {} if value.get("arguments") is None else value["arguments"]
            service, types = value.get("service"), (info.context or {}).get("types") or ()
            if isinstance(arguments, Mapping) and (service is None or isinstance(service, str)):
                raise_all(checks.problems(value["call"], arguments, service, types))
        return value


class Defaults(Strict):
    """What came with a release."""

    services: Annotated[dict[ServiceType, Entry], BeforeValidator(without_nulls)] = {}
    """What services are with this release, unless the operator says otherwise, by type."""


def _packages(value: Any) -> dict[str, str | dict[str, str]]:
    if not isinstance(value, Mapping):
        raise Wrong(not_a("a mapping of packages to versions", value))
    lines: list[tuple[Path, str]] = []
    for name, version in value.items():
        text = PACKAGE.problem(name) if isinstance(name, str) else not_a_key(name)
        if text:
            lines.append(((name,), text))
        elif isinstance(version, Mapping):
            lines += [((name, family), text) for family, text in _families(version)]
        elif text := _package_version(version):
            lines.append(((name,), text))
    raise_all(lines)
    return {name: dict(one) if isinstance(one, Mapping) else one for name, one in value.items()}


def _families(versions: Mapping[Any, Any]) -> Iterator[tuple[Any, str]]:
    for family, version in versions.items():
        if family not in OS_FAMILIES:
            yield family, f"unknown os_family{suggestion(family, OS_FAMILIES)}"
        elif text := _package_version(version):
            yield family, text


def _package_version(value: Any) -> str:
    if value in (None, ""):
        return f"has no version: give one, {FLOOR}version or {NEWEST}"
    return PACKAGE_VERSION.problem(value) if isinstance(value, str) else not_a_string(value)


_VERSION_SCHEMA = {"type": "string", "pattern": f"^{PACKAGE_VERSION.pattern}$"}
PackageVersions = Annotated[
    dict[str, str | dict[str, str]],
    PlainValidator(_packages),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": f"^{PACKAGE.pattern}$"},
            "additionalProperties": {
                "anyOf": [
                    _VERSION_SCHEMA,
                    {
                        "type": "object",
                        "properties": dict.fromkeys(OS_FAMILIES, _VERSION_SCHEMA),
                        "additionalProperties": False,
                    },
                ]
            },
        }
    ),
]


class Release(Strict):
    """What an update brings a cloud to."""

    order: Annotated[int, WholeNumber(0, 10**9)] | None = None
    """Higher is newer, among the releases that have one: where their names do not tell."""
    follows: ReleaseName | None = None
    """A version that this one is newer than: where their names do not tell."""
    images: ReleaseImages = {}
    """Image key → reference, or back end → reference where the key is a map of back ends."""
    packages: PackageVersions = {}
    """Package → version, or >=version for that one or any newer, or newest for what the node's repositories
    offer (of services with deploy: package alone); or any of them by os_family."""
    defaults: Defaults = Defaults()
    """Defaults of services that came with the release."""
    migrations: Migrations = []
    """What each node runs once, in its stage."""
    notes: list[Note] = []
    """What an operator should know before updating to it."""
    checks: list[Check] = []
    """What is asked of every node whose service is about to move, before anything is touched."""
    irreversible: bool = False
    """Whether nodes that were brought to it cannot go back: a rollback of such a run is refused."""


def distinct(releases: dict[str, Release]) -> dict[str, Release]:
    """The releases. Raises Wrong where two names are one version, such as 1.0 and 1.0.0, and where nothing
    tells which of two is newer.
    """
    lines: list[tuple[Path, str]] = []
    said = said_by(releases)
    ordered, unclear = version_order.in_order(said)
    for before, name in pairwise(ordered):
        if version_order.decided(before, name, said) == 0:
            first, second = sorted((before, name), key=list(releases).index)
            lines.append(((second,), f"is the same version as {first}"))
    for one, other in unclear:
        text = version_order.question(one, other) if one else "is newer than a release that is newer than it"
        lines.append(((other,), text))
    raise_all(lines)
    return releases


def said_by(releases: Mapping[str, Release]) -> dict[str, Said]:
    """What releases say of their order, by version."""
    return {name: Said(one.order, one.follows) for name, one in releases.items()}


def versions(model: Model) -> list[str]:
    """The versions of the catalogue, oldest first."""
    return list(model.ordered)


def newer(model: Model, one: str, other: str) -> bool | None:
    """Whether a version is newer than another; either may be of no release of the catalogue any more. None
    where nothing tells.
    """
    return version_order.newer(one, other, said_by(model.releases))


def available(model: Model) -> str | None:
    """The newest version of the catalogue, None when it is empty."""
    known = versions(model)
    return known[-1] if known else None


def target(model: Model) -> str:
    """The version the operator wants. Raises RolloutError UNKNOWN_TARGET when none is set."""
    if not model.target_version:
        raise RolloutError("UNKNOWN_TARGET", untargeted(model))
    return model.target_version


def untargeted(model: Model) -> str:
    """What there is to say where no target is set."""
    return f"openstack:target_version: is not set; {_choices(model)}"


def wanted(model: Model, stages: Iterable[str] = ("system",)) -> str:
    """The version the operator wants for stages; "" where none is set and none is needed: for the system
    alone.

    Raises RolloutError UNKNOWN_TARGET.
    """
    if not model.target_version and set(stages) == {"system"}:
        return NO_RELEASE
    return target(model)


def get(model: Model, version: str) -> Release:
    """The release of that version, an empty one for NO_RELEASE.

    Raises RolloutError EMPTY_CATALOGUE or UNKNOWN_TARGET.
    """
    if version == NO_RELEASE:
        return Release()
    if not model.releases:
        raise RolloutError("EMPTY_CATALOGUE", "openstack:releases: there is no release")
    if version not in model.releases:
        raise RolloutError("UNKNOWN_TARGET", f"{shown(version)} is not a release; {_choices(model)}")
    return model.releases[version]


def wants_newest(model: Model, version: str) -> bool:
    """Whether a release, or NO_RELEASE, wants any package at the newest. Raises as `get` does."""
    return any(True for _ in newest_of(get(model, version)))


def newest_of(release: Release) -> Iterator[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """Each package that a release wants at the newest: the keys below its packages, its name, the families of
    distributions of which it does.
    """
    for name, one in release.packages.items():
        if isinstance(one, str):
            if one == NEWEST:
                yield (name,), name, OS_FAMILIES
        else:
            yield from (((name, family), name, (family,)) for family, each in one.items() if each == NEWEST)


def references_of(images: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Each reference of an images mapping as (key or key:backend, key, reference)."""
    for key, value in images.items():
        if isinstance(value, Mapping):
            for backend, reference in value.items():
                yield f"{key}:{backend}", key, reference
        else:
            yield key, key, value


def image(model: Model, release: Release, key: str, backend: str | None) -> str | None:
    """The reference an image key has, custom images included; None when neither they nor the release has one.

    A custom image replaces the release's. Maps of back ends merge key by key before the back end is looked
    up, so a custom `default` replaces the release's `default` and serves every back end that neither map
    names, while a back end that the release names itself (a vendor's image) only changes when custom_images
    names that same back end.
    """
    own, custom = release.images.get(key), model.custom_images.get(key)
    if backend is None:
        found = custom or own
        return found if isinstance(found, str) else None
    merged = {**(own if isinstance(own, dict) else {}), **(custom if isinstance(custom, dict) else {})}
    return merged.get(backend) or merged.get("default")


def choices(known: Sequence[str]) -> str:
    """The versions that there are, the newest ones of many."""
    if not known:
        return "the catalogue is empty"
    some = known[-_NAMED:]
    more = f" and {len(known) - len(some)} older ones" if len(known) > len(some) else ""
    return f"the catalogue has {', '.join(some)}{more}"


def _choices(model: Model) -> str:
    return choices(versions(model))
