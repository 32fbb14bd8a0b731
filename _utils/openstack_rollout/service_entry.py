"""Validation of the service catalogue: types, the operator's entries, and what they come to together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from openstack_rollout import catalog
from openstack_rollout.schema import Problems

TYPE_KEYS = (
    "image",
    "backend",
    "container",
    "roles",
    "stage",
    "order",
    "alone",
    "config",
    "config_files",
    "options",
    "quadlet",
    "health",
    "guard",
    "legacy_units",
    "enabled",
)
_REQUIRED = ("image", "container", "roles", "stage")
_WORDS = {"stage": catalog.SERVICE_STAGES, "config": ("run", "rerender"), "guard": catalog.GUARDS}
_SECTIONS = ("Unit", "Container", "Service", "Install")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def check_catalogue(found: Problems, openstack: Mapping[str, Any]) -> None:
    """Note what is wrong with service_types, service_defaults, services and auxiliary_images."""
    before = len(found.found)
    if "service_types" not in openstack:
        found.add("openstack:service_types", "is missing, assign openstack.services in pillar/top.sls")
        return
    types = found.mapping("openstack:service_types", openstack["service_types"])
    for name, entry in types.items():
        check_entry(found, f"openstack:service_types:{name}", entry)
    check_entry(found, "openstack:service_defaults", openstack.get("service_defaults"))
    found.strings("openstack:auxiliary_images", openstack.get("auxiliary_images"))
    services = found.mapping("openstack:services", openstack.get("services"))
    for name, entry in services.items():
        path = f"openstack:services:{name}"
        check_entry(found, path, entry, ("type",))
        wanted = entry.get("type", name) if isinstance(entry, Mapping) else name
        found.known(path if wanted == name else f"{path}:type", wanted, types, "service type")
    if len(found.found) == before:
        _check_merged(found, openstack)


def check_entry(found: Problems, path: str, entry: Any, more_keys: tuple[str, ...] = ()) -> None:
    """Note what is wrong with one description of a service, which need not be complete by itself."""
    entry = found.mapping(path, entry)
    name = path.rsplit(":", 1)[-1]
    if not _NAME.fullmatch(name):
        found.add(path, "a service's name has letters, digits, _, . and - only")
    for key in found.keys(path, entry, (*TYPE_KEYS, *more_keys)):
        _check_key(found, f"{path}:{key}", key, entry[key])


def _check_key(found: Problems, path: str, key: str, value: Any) -> None:
    if key in ("image", "backend", "type"):
        found.string(path, value)
    elif key == "container":
        if found.string(path, value) and not _NAME.fullmatch(value):
            found.add(path, f"{value}: a container's name has letters, digits, _, . and - only")
    elif key == "roles":
        for role in found.strings(path, value):
            found.known(path, role, catalog.ROLES, "role")
    elif key in _WORDS:
        found.choice(path, value, _WORDS[key])
    elif key == "order":
        found.number(path, value, 0)
    elif key in ("enabled", "alone"):
        found.flag(path, value)
    elif key == "legacy_units":
        found.strings(path, value)
    elif key == "health":
        health = found.mapping(path, value)
        found.keys(path, health, ("command", "timeout"))
        found.strings(f"{path}:command", health.get("command"))
        found.number(f"{path}:timeout", health.get("timeout", catalog.HEALTH_TIMEOUT), 1)
    else:
        _check_files(found, path, key, found.mapping(path, value))


def _check_files(found: Problems, path: str, key: str, value: Mapping[Any, Any]) -> None:
    if key == "quadlet":
        for section in found.keys(path, value, _SECTIONS, "section"):
            found.mapping(f"{path}:{section}", value[section])
    elif key == "config_files":
        for name, source in value.items():
            if not str(name).startswith("/"):
                found.add(f"{path}:{name}", "has to be an absolute path")
            if found.string(f"{path}:{name}", source) and not source.startswith("salt://"):
                found.add(f"{path}:{name}", f"{source} has to be a salt:// address")


def _check_merged(found: Problems, openstack: Mapping[str, Any]) -> None:
    containers: dict[str, str] = {}
    for name, entry in catalog.entries(openstack).items():
        where = "services" if name in (openstack.get("services") or {}) else "service_types"
        path = f"openstack:{where}:{name}"
        missing = [key for key in _REQUIRED if not entry.get(key)]
        if missing:
            found.add(f"{path}:{missing[0]}", "is missing")
            continue
        if entry.get("config") == "rerender" and not entry.get("config_files"):
            found.add(f"{path}:config_files", "is empty, config: rerender has nothing to render")
        on_controller = "controller" in entry["roles"]
        if entry["stage"] == "control_plane" and entry["roles"] != ["controller"]:
            found.add(f"{path}:stage", "control_plane is for the role controller alone")
        if entry["stage"] == "services" and on_controller:
            found.add(f"{path}:stage", "services is for data plane roles, on a controller use control_plane")
        if not entry.get("enabled"):
            continue
        other = containers.setdefault(entry["container"], name)
        if other != name:
            found.add(f"{path}:container", f"{entry['container']} is the container of {other} too")
