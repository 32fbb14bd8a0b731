"""The service catalogue: which services a node runs, and which image keys exist.

The catalogue itself is data (pillar/openstack/services.sls); the operator's `openstack:services` and a
release's `defaults:services` change it. Nothing here knows of image references or of what a node measures.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

ROLES = ("controller", "gateway", "compute", "storage")
STAGES = ("ovn", "control_plane", "services", "ovs", "system")
SERVICE_STAGES = ("ovn", "control_plane", "services")
BACKEND_MAPS = ("cinder_volume_images", "manila_share_images")
HEALTH_TIMEOUT = 60
#: Execution modules that see a service's container through its change; `none` is a service without one.
GUARDS = ("none", "ovn_controller", "rabbitmq_cluster", "galera", "ovsdb_cluster", "pacemaker")


def service_types(openstack: Mapping[str, Any]) -> dict[str, Any]:
    """The shipped catalogue: {type: description} of `openstack:service_types`."""
    return dict(openstack.get("service_types") or {})


def entries(
    openstack: Mapping[str, Any], release: Mapping[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    """Every service by name, each merged from its type, the release's defaults and the operator's entry.

    openstack (dict): the pillar's `openstack` mapping. release (dict): one release; its defaults count when
    given.

    A type that no entry of the operator names is an entry of its own name. From weakest to strongest: what
    all services have in common, the type, the release's defaults for it, the operator's entry; mappings
    merge, anything else is replaced. Raises KeyError for an entry whose type is not in the catalogue
    (validation reports it with its pillar key).
    """
    types = service_types(openstack)
    common = openstack.get("service_defaults")
    defaults = ((release or {}).get("defaults") or {}).get("services") or {}
    changes = {name: dict(entry or {}) for name, entry in (openstack.get("services") or {}).items()}
    named = {entry.get("type", name) for name, entry in changes.items()}
    for name in types:
        if name not in named:
            changes.setdefault(name, {})
    return {
        name: _merged(common, types[entry.get("type", name)], defaults.get(entry.get("type", name)), entry)
        | {"name": name, "type": entry.get("type", name)}
        for name, entry in changes.items()
    }


def of_node(
    openstack: Mapping[str, Any], roles: Iterable[str], release: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The enabled services of a node with these roles, in the order in which they are updated.

    Returns entries as `entries` makes them, sorted by stage, order and name.
    """
    wanted = set(roles)
    found = [
        entry
        for entry in entries(openstack, release).values()
        if entry.get("enabled", False) and wanted & set(entry.get("roles") or ())
    ]
    return sorted(
        found, key=lambda entry: (STAGES.index(entry["stage"]), entry.get("order", 0), entry["name"])
    )


def image_key(entry: Mapping[str, Any]) -> tuple[str, str | None]:
    """The image key of a service, and its back end when the key is a map of back ends.

    Returns e.g. ("nova_compute_image", None) or ("cinder_volume_images", "pure").
    """
    key = entry["image"]
    return (key, entry.get("backend") or "default") if key in BACKEND_MAPS else (key, None)


def known_image_keys(openstack: Mapping[str, Any]) -> set[str]:
    """Image keys that a release may hold: those of services and the auxiliary ones."""
    types = service_types(openstack).values()
    keys = [entry.get("image") for entry in types if isinstance(entry, Mapping)]
    return {key for key in (*keys, *auxiliary_images(openstack)) if isinstance(key, str)}


def auxiliary_images(openstack: Mapping[str, Any]) -> list[Any]:
    """Image keys that a release may hold although no container of a node uses them."""
    keys = openstack.get("auxiliary_images")
    return keys if isinstance(keys, list) else []


def _merged(*layers: Mapping[str, Any] | None) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for layer in layers:
        _merge_into(result, layer or {})
    return result


def _merge_into(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _merge_into(base[key], value)
        else:
            base[key] = copy.deepcopy(value)
