"""Validation of the catalogue of releases: what each release file has to look like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.version import InvalidVersion, Version

from openstack_rollout import catalog, hooks, references
from openstack_rollout.schema import Problems
from openstack_rollout.service_entry import check_entry

RELEASE_KEYS = ("images", "packages", "defaults", "migrations", "notes", "checks")
_CALL = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
OS_FAMILIES = ("RedHat", "Debian")


def check_releases(found: Problems, openstack: Mapping[str, Any]) -> None:
    """Note what is wrong with any release of the catalogue, the target's or not."""
    path = "openstack:releases"
    types = openstack.get("service_types")
    types = types if isinstance(types, Mapping) else {}
    keys = catalog.known_image_keys(openstack) if types else set()
    for version, release in found.mapping(path, openstack.get("releases")).items():
        here = f"{path}:{version}"
        if not found.string(here, version):
            continue
        if not _is_version(version):
            found.add(here, f"{version} is not a version")
            continue
        if not isinstance(release, Mapping):
            found.add(here, "has to be a mapping with images and packages")
            continue
        found.keys(here, release, RELEASE_KEYS)
        images = found.mapping(f"{here}:images", release.get("images"))
        for key in found.keys(f"{here}:images", images, keys, "image key") if keys else ():
            check_image(found, f"{here}:images:{key}", key, images[key])
        _check_packages(found, f"{here}:packages", release.get("packages"))
        _check_defaults(found, f"{here}:defaults", release.get("defaults"), types)
        hooks.check_migrations(found, f"{here}:migrations", release.get("migrations"))
        found.strings(f"{here}:notes", release.get("notes"))
        _check_checks(found, f"{here}:checks", release.get("checks"), types)


def _check_checks(found: Problems, path: str, checks: Any, types: Mapping[str, Any]) -> None:
    if checks is not None and not isinstance(checks, list):
        found.add(path, "has to be a list of {service, call, arguments}")
        return
    for number, entry in enumerate(checks or ()):
        here = f"{path}:{number}"
        check = found.mapping(here, entry)
        found.keys(here, check, ("service", "call", "arguments"))
        if types:
            found.known(f"{here}:service", check.get("service"), types, "service type")
        if found.string(f"{here}:call", check.get("call")) and not _CALL.fullmatch(check["call"]):
            found.add(f"{here}:call", f"{check['call']} has to be a function of the node, module.function")
        found.mapping(f"{here}:arguments", check.get("arguments"))


def check_image(found: Problems, path: str, key: str, value: Any) -> None:
    """Note a malformed reference, or a map of back ends that is none."""
    if key not in catalog.BACKEND_MAPS:
        _check_reference(found, path, value)
        return
    if not isinstance(value, Mapping):
        found.add(path, "has to be a mapping of back ends, such as default, to images")
        return
    for backend, reference in value.items():
        _check_reference(found, f"{path}:{backend}", reference)


def references_of(images: Mapping[str, Any] | None) -> Iterator[tuple[str, str, str]]:
    """Each reference of an images mapping as (key or key:backend, key, reference)."""
    for key, value in (images or {}).items():
        if isinstance(value, Mapping):
            for backend, reference in value.items():
                yield f"{key}:{backend}", key, reference
        else:
            yield key, key, value


def unpinned(release: Mapping[str, Any]) -> list[str]:
    """The images (key or key:backend) of a release that have no digest."""
    return [
        name
        for name, _, reference in references_of(release.get("images"))
        if not references.parse(reference).digest
    ]


def _check_reference(found: Problems, path: str, value: Any) -> None:
    try:
        references.parse(value)
    except ValueError as error:
        found.add(path, str(error))


def _check_packages(found: Problems, path: str, value: Any) -> None:
    for name, version in found.mapping(path, value).items():
        if isinstance(version, Mapping):
            for family in found.keys(f"{path}:{name}", version, OS_FAMILIES, "os_family"):
                found.string(f"{path}:{name}:{family}", version[family])
        else:
            found.string(f"{path}:{name}", version)


def _check_defaults(found: Problems, path: str, value: Any, types: Mapping[str, Any]) -> None:
    defaults = found.mapping(path, value)
    found.keys(path, defaults, ("services",))
    services = found.mapping(f"{path}:services", defaults.get("services"))
    for name in found.keys(f"{path}:services", services, types, "service type"):
        check_entry(found, f"{path}:services:{name}", services[name])


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
