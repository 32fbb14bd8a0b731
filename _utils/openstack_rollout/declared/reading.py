"""From the pillar to the model: everything that is wrong, one line each, beginning with the pillar key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from openstack_rollout.declared import references, releases, roles, translation
from openstack_rollout.declared.catalogue import required
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.names import NAME
from openstack_rollout.declared.problems import (
    few_suggestions,
    key_shown,
    not_a,
    path,
    plain,
    shown,
    suggestion,
)
from openstack_rollout.errors import RolloutError
from openstack_rollout.node.packages import FLOOR, NEWEST, matches
from openstack_rollout.vocabulary import ROLES

Reasons = list[tuple[str, str]]
_ROOT = "openstack"
#: The parts of the pillar that the catalogue of services is made of.
_CATALOGUE = ("service_types", "service_defaults", "services", "auxiliary_images")
_RENDER_ERROR = re.compile(r"SLS '(?P<sls>[^']+)'")
_NEAR = 0.85
_LONGEST = 1000


def read(pillar: Mapping[str, Any], target_needed: bool = False, roles_needed: bool = True) -> Model:
    """The model of a whole pillar, when all of it is right.

    pillar (dict): as the master compiles it for itself, its `_errors` included. target_needed (bool): whether
    a missing target is a problem; whoever needs one finds out by releases.target. roles_needed (bool): the
    same of a pillar that names no role.

    Raises RolloutError with the first problem as one line, and how many more there are: INVALID_PILLAR,
    UNKNOWN_TARGET or EMPTY_CATALOGUE.
    """
    found, model = reasons(
        pillar.get(_ROOT), pillar.get("_errors") or (), target_needed, pillar, roles_needed
    )
    if model is None:
        reason, line = found[0]
        more = f" (and {len(found) - 1} more: salt-run release.check)" if len(found) > 1 else ""
        raise RolloutError(reason, line + more)
    return model


def reasons(
    openstack: Any,
    render_errors: Iterable[Any] = (),
    target_needed: bool = True,
    top: Iterable[Any] = (),
    roles_needed: bool = True,
) -> tuple[Reasons, Model | None]:
    """Everything that is wrong with a pillar: [(a word of errors.REASONS, line)]; the model when nothing is.

    openstack: the pillar's `openstack` value. render_errors: its `_errors`, which Salt adds when a file is
    bad, or what rendering.explain says of them. top: the keys beside `openstack`, of which one may be it.
    roles_needed: whether a pillar without roles is wrong.
    """
    with few_suggestions():
        lines = list(_render_errors(render_errors))
        if lines:
            return _invalid(lines), None  # what else is wrong may only follow from it
        lines = list(_misspelt(top))
        if openstack is None:
            lines.append(f"{_ROOT}: is missing from the pillar, assign openstack in pillar/top.sls")
        elif not isinstance(openstack, Mapping):
            lines.append(f"{_ROOT}: {not_a('a mapping', openstack)}")
        if not isinstance(openstack, Mapping):
            return _invalid(lines), None
        found, model = _structure(openstack, roles_needed)
        lines += found
        if model is None or lines:
            return _invalid(lines), None
        refused = list(_target(model)) if target_needed or model.target_version else []
        return refused, None if refused else model


def _invalid(lines: Iterable[str]) -> Reasons:
    return [("INVALID_PILLAR", line) for line in lines]


def _render_errors(errors: Iterable[Any]) -> Iterator[str]:
    for error in errors:
        text = plain(str(error))[:_LONGEST]
        match = _RENDER_ERROR.search(text)
        if text.startswith(("pillar file ", "pillar: ")):  # rendering.explain has explained it
            yield text
        else:
            yield f"pillar file {match['sls']}: {text}" if match else f"pillar: {text}"


def _misspelt(keys: Iterable[Any]) -> Iterator[str]:
    """Keys beside `openstack` that are meant to be it; all others are somebody else's."""
    for key in keys:
        if not isinstance(key, str) or key.startswith((_ROOT + "_", _ROOT + "-")) or key == _ROOT:
            continue
        near = abs(len(key) - len(_ROOT)) <= 2 and (
            difflib.SequenceMatcher(None, key.strip().casefold(), _ROOT).ratio() >= _NEAR
        )
        if near:
            yield f"{key_shown(key)}: unknown key, did you mean {_ROOT}?"


def _structure(openstack: Mapping[Any, Any], roles_needed: bool) -> tuple[list[str], Model | None]:
    """What is wrong with the pillar whatever the target is, and the model when its structure is right."""
    context = _names(openstack)
    found: list[tuple[tuple[Any, ...], str]] = []
    model: Model | None = None
    try:
        model = Model.model_validate(dict(openstack), context=context)
    except ValidationError as error:
        found = list(translation.problems(error, Model))
    found += _types_of_services(openstack, context.get("types"))
    if "service_types" not in openstack:
        found.append((("service_types",), "is missing, assign openstack.services in pillar/top.sls"))
    elif openstack["service_types"] in (None, {}):
        found.append((("service_types",), "is empty, assign openstack.services in pillar/top.sls"))
    unnamed = roles_needed and openstack.get("roles") in (None, {})
    if unnamed and not any(len(place) == 1 for place, _ in found):
        found.append((("roles",), f"names no role, give a target for one of {', '.join(ROLES)}"))
    bad = {place[0] for place, _ in found if place}
    lines = [f"{path((_ROOT, *place))}: {_with_hint(place, text)}" for place, text in found]
    if bad.isdisjoint(_CATALOGUE):
        lines += _catalogue(openstack, model, bad, context)
    return lines, model


def _with_hint(place: tuple[Any, ...], text: str) -> str:
    """The text, with more of what a release is made of where one is none."""
    if len(place) == 2 and place[0] == "releases" and text.startswith("has to be a mapping,"):
        return text.replace("a mapping,", "a mapping with images and packages,", 1)
    return text


def _catalogue(
    openstack: Mapping[Any, Any], model: Model | None, bad: Iterable[Any], context: dict[str, Any]
) -> list[str]:
    """What is wrong with the services as they are merged, also while something else of the pillar is."""
    if model is None:
        wanted = {*_CATALOGUE, "releases", "roles"} - set(bad)
        try:
            model = Model.model_validate(
                {key: openstack[key] for key in wanted if key in openstack}, context=context
            )
        except ValidationError:
            return []
    return list(model.catalogue.problems())


def _names(openstack: Mapping[Any, Any]) -> dict[str, Any]:
    """The names that other parts refer to, for names.Defined; none while there is no catalogue."""
    known = {"roles": roles.own(openstack.get("roles"))}
    types = openstack.get("service_types")
    if not isinstance(types, Mapping) or not types:
        return known
    own = _own_types(openstack, types)
    auxiliary = openstack.get("auxiliary_images")
    listed = {key for key in auxiliary if isinstance(key, str)} if isinstance(auxiliary, list) else set()
    keys = [_image_key_of(openstack, name, entry) for name, entry in {**own, **types}.items()]
    complete = [name for name, entry in own.items() if not _lacks(entry)]
    found: dict[str, Any] = {
        **known,
        "types": dict.fromkeys([*(name for name in types if isinstance(name, str)), *complete]),
        "auxiliary": listed - set(_images_of_services(openstack)),
    }
    plain = auxiliary is None or (
        isinstance(auxiliary, list) and all(isinstance(one, str) for one in auxiliary)
    )
    # Where one of them is wrong itself, whoever names it is not.
    if plain and None not in keys:
        found["image_keys"] = dict.fromkeys(sorted({*listed, *filter(None, keys)}))
    return found


def _own_types(openstack: Mapping[Any, Any], types: Mapping[Any, Any]) -> dict[str, Mapping[Any, Any]]:
    """The operator's services that are meant as types of their own: they have an image or packages, and no
    type.
    """
    services = openstack.get("services")
    if not isinstance(services, Mapping):
        return {}
    return {
        name: entry
        for name, entry in services.items()
        if isinstance(name, str)
        and name not in types
        and isinstance(entry, Mapping)
        and entry.get("type") is None
        and any(entry.get(key) is not None for key in ("image", "packages"))
    }


def _images_of_services(openstack: Mapping[Any, Any]) -> Iterator[str]:
    services = openstack.get("services")
    for entry in services.values() if isinstance(services, Mapping) else ():
        if isinstance(entry, Mapping) and isinstance(entry.get("image"), str):
            yield entry["image"]


def _lacks(entry: Any) -> list[str]:
    """What an entry does not say that a type has to."""
    said = entry if isinstance(entry, Mapping) else {}
    return [key for key in required(said) if said.get(key) is None]


def _image_key_of(openstack: Mapping[Any, Any], name: Any, entry: Any) -> str | None:
    """The image key of a service type, "" where another layer has one for it, None where it is missing."""
    image = entry.get("image") if isinstance(entry, Mapping) else 0
    if image is not None:
        return image if isinstance(image, str) else None
    if isinstance(entry, Mapping) and entry.get("packages") is not None:
        return ""  # it needs none
    services = openstack.get("services")
    own = services.get(name) if isinstance(services, Mapping) else None
    others = (own, openstack.get("service_defaults"))
    return "" if any(isinstance(one, Mapping) and one.get("image") for one in others) else None


def _types_of_services(openstack: Mapping[Any, Any], types: Any) -> Iterator[tuple[tuple[Any, ...], str]]:
    services = openstack.get("services")
    if types is None or not isinstance(services, Mapping):
        return
    for name, entry in services.items():
        if not isinstance(name, str) or NAME.problem(name):
            continue
        if entry is not None and not isinstance(entry, Mapping):
            continue  # which is said already
        wanted = entry.get("type") if isinstance(entry, Mapping) else None
        if wanted is None and name not in types:
            near = suggestion(name, types) or "."
            yield (
                ("services", name),
                f"{shown(name)} is no known service type{near} {_own_needs(entry)}",
            )
        elif isinstance(wanted, str) and wanted in types and name in types and wanted != name:
            yield (
                ("services", name, "type"),
                f"{name} is a service type itself: name a service of {wanted} otherwise",
            )


def _own_needs(entry: Any) -> str:
    """What would make an entry a service after all."""
    lacks = _lacks(entry)
    too = "" if lacks == list(required(entry if isinstance(entry, Mapping) else {})) else " too"
    return f"Give its type, or {', '.join(lacks)}{too} for a type of its own"


def _target(model: Model) -> Iterator[tuple[str, str]]:
    """What is wrong with the target."""
    wanted, known = model.target_version, releases.versions(model)
    here = f"{_ROOT}:target_version"
    if not known:
        yield "EMPTY_CATALOGUE", f"{_ROOT}:releases: there is no release"
    elif not wanted:
        yield "UNKNOWN_TARGET", f"{here}: is not set, {releases.choices(known)}"
    elif wanted not in model.releases:
        near = suggestion(wanted, known) or "."
        choices = releases.choices(known)
        yield (
            "UNKNOWN_TARGET",
            f"{here}: {shown(wanted)} is not a release{near} {choices[0].upper()}{choices[1:]}",
        )
    else:
        for key, text in _images_of_target(model, wanted):
            yield "INVALID_PILLAR", f"{path((_ROOT, 'releases', wanted, 'images'))}:{key}: {text}"
        for keys, text in _newest_of_target(model, wanted):
            yield "INVALID_PILLAR", f"{path((_ROOT, 'releases', wanted, 'packages', *keys))}: {text}"


def _newest_of_target(model: Model, version: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """What the target wants at the newest and no service would move: all other packages are the system's."""
    packaged = [
        one for one in model.catalogue.services(version).values() if one.enabled and one.deploy == "package"
    ]
    for keys, name, families in releases.newest_of(model.releases[version]):
        globs = [glob for one in packaged for family in families for glob in one.packages.get(family, ())]
        if not matches(name, globs):
            yield (
                keys,
                (
                    f"{NEWEST} is for packages of enabled services with deploy: package, and none has it:"
                    f" give a version or {FLOOR}version; or leave it out, the system stage brings its newest"
                ),
            )


def _images_of_target(model: Model, version: str) -> Iterator[tuple[str, str]]:
    release = model.releases[version]
    for name, _, reference in releases.references_of(release.images):
        if references.digest_of(reference) is None:
            yield name, "has no digest (salt-run release.pin)"
    for service in model.catalogue.services(version).values():
        in_container = service.enabled and service.deploy == "container"
        if in_container and releases.image(model, release, *service.image_key) is None:
            yield service.image, f"is missing, service {service.name} needs it"
