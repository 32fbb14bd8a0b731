"""Releases: which exist, and what one node must be at one of them.

`resolve` is the only place where release, custom images and service catalogue become a node's desired state:
the node states, the plan and the verification all call it. It trusts a pillar that `validation` has passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from packaging.version import InvalidVersion, Version

from openstack_rollout import catalog, kernels
from openstack_rollout.errors import RolloutError

ALWAYS_EXCLUDED = ("kernel", "kernel-core", "openvswitch*")
OVS_PACKAGES = ("openvswitch*", "*-openvswitch")
DEFAULT_ESSENTIAL = ("openstack-selinux",)
# Before a version of a release's package: that one or any newer.
FLOOR = ">="
# Packages whose update disturbs guests that run.
DISRUPTIVE = ("qemu*", "libvirt*")
# The image that a bootc host's whole system is.
OS_IMAGE = "os_container_image"
# What a run has as its target that only brings the system up to date, whatever the release.
NO_RELEASE = ""
# Salt's own packages move last, apart from all others: their scripts restart what runs the update on the
# node.
MINION_PACKAGES = ("salt", "salt-common", "salt-minion")


def version_key(version: str) -> tuple[int, Version, str]:
    """Sorts versions as packaging does; what is no version at all comes before those that are."""
    try:
        return (1, Version(version), version)
    except InvalidVersion:
        return (0, Version("0"), version)


def versions(openstack: Mapping[str, Any]) -> list[str]:
    """The versions of the catalogue, oldest first."""
    return sorted((str(version) for version in openstack.get("releases") or {}), key=version_key)


def available(openstack: Mapping[str, Any]) -> str | None:
    """The newest version of the catalogue, None when it is empty."""
    known = versions(openstack)
    return known[-1] if known else None


def target(openstack: Mapping[str, Any]) -> str:
    """The version the operator wants (str). Raises RolloutError UNKNOWN_TARGET when none is set."""
    version = openstack.get("target_version")
    if not version:
        raise RolloutError("UNKNOWN_TARGET", f"openstack:target_version: is not set; {_choices(openstack)}")
    return str(version)


def wanted(openstack: Mapping[str, Any], stages: Iterable[str] = ("system",)) -> str:
    """The version the operator wants for stages; "" where none is set and none is needed: for the system
    alone.

    Raises RolloutError UNKNOWN_TARGET.
    """
    if not openstack.get("target_version") and set(stages) == {"system"}:
        return NO_RELEASE
    return target(openstack)


def get(openstack: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The release of that version (dict), an empty one for NO_RELEASE.

    Raises RolloutError when there is none, or it is no mapping.
    """
    if version == NO_RELEASE:
        return {}
    releases = openstack.get("releases") or {}
    if not releases:
        raise RolloutError("EMPTY_CATALOGUE", "openstack:releases: there is no release")
    if version not in releases:
        raise RolloutError("UNKNOWN_TARGET", f"{version} is not a release; {_choices(openstack)}")
    if not isinstance(releases[version], Mapping):
        raise RolloutError("INVALID_PILLAR", f"openstack:releases:{version}: has to be a mapping")
    return dict(releases[version])


def resolve(openstack: Mapping[str, Any], version: str, node: Mapping[str, Any]) -> dict[str, Any]:
    """What a node must be at a release.

    openstack (dict): the pillar's `openstack` mapping. version (str): a release of the catalogue.
    node (dict): {"id", "roles", "zone", "os_family"}.

    Returns the node's stages, its services with image references, its packages by stage, what the step of
    essential packages excludes and how the switch is updated; plain data that JSON can hold.
    Raises RolloutError: UNKNOWN_TARGET, EMPTY_CATALOGUE, or INVALID_PILLAR when the release lacks an image.
    """
    release = get(openstack, version)
    roles = [role for role in catalog.ROLES if role in node["roles"]]
    ovs = openstack.get("ovs") or {}
    packages = _packages(openstack, release, roles, node.get("os_family", "RedHat"))
    entries = catalog.of_node(openstack, roles, release) if version != NO_RELEASE else []
    services = [_service(openstack, release, version, entry) for entry in entries]
    return {
        "version": version,
        "roles": roles,
        "zone": node.get("zone"),
        "stages": _stages(roles, services) if version != NO_RELEASE else [*(["system"] if roles else [])],
        "services": services,
        "checks": list(release.get("checks") or ()),
        "packages": packages,
        "exclude": essential_excludes(openstack),
        "ovs": {"reload": bool(ovs.get("reload", False)), "userspace": ovs.get("userspace", "refuse")},
        "system": _system(openstack, release, roles, packages["system"]),
    }


def _system(
    openstack: Mapping[str, Any],
    release: Mapping[str, Any],
    roles: Iterable[str],
    packages: Mapping[str, str],
) -> dict[str, Any]:
    """How the system stage goes about its packages.

    packages: those of the release, without Salt's. others: whether it moves what no release names. exclude:
    what it never moves. kept: the same, and the packages that the release or another step moves. disruptive:
    what moves only under no workload, unless the policy of a role accepts it.
    """
    settings = openstack.get("system") or {}
    exclude = system_excludes(openstack)
    policies = openstack.get("policies") or {}
    floors = {name for name, version in packages.items() if version.startswith(FLOOR)}
    # What belongs to releases waits for one, where none is wanted.
    named = [release] if release else (openstack.get("releases") or {}).values()
    pinned = sorted({name for one in named for name in one.get("packages") or {}} - floors)
    return {
        "depth": settings.get("depth", "upgrade"),
        "others": settings.get("packages", "all") == "all",
        "reboot": settings.get("reboot", "never"),
        "disruptive": list(settings.get("disruptive", DISRUPTIVE)),
        "accept": any((policies.get(role) or {}).get("reboot_occupied", False) for role in roles),
        "lock_timeout": (openstack.get("packages") or {}).get("lock_timeout"),
        "kpatch": bool(settings.get("kpatch", False)),
        "os_image": image(openstack, release, OS_IMAGE, None),
        "exclude": exclude,
        "packages": {n: version for n, version in packages.items() if n not in MINION_PACKAGES},
        "kept": [*exclude, *pinned],
    }


def image(
    openstack: Mapping[str, Any], release: Mapping[str, Any], key: str, backend: str | None
) -> str | None:
    """The reference an image key has, custom images included; None when neither they nor the release has one.

    A custom image replaces the release's. Maps of back ends merge key by key before the back end is looked
    up, so a custom `default` replaces the release's `default` and serves every back end that neither map
    names, while a back end that the release names itself (a vendor's image) only changes when custom_images
    names that same back end.
    """
    images = release.get("images") or {}
    custom = openstack.get("custom_images") or {}
    if backend is None:
        return custom.get(key) or images.get(key)
    merged = {**(images.get(key) or {}), **(custom.get(key) or {})}
    return merged.get(backend) or merged.get("default")


def references(openstack: Mapping[str, Any], node: Mapping[str, Any]) -> list[str]:
    """Every image reference that any release, custom images included, gives the services of a node.

    What a node looks up locally to tell which release's image a container runs.
    """
    found = set()
    for version in versions(openstack):
        release = get(openstack, version)
        for entry in catalog.of_node(openstack, node["roles"], release):
            for pillar in (openstack, {}):
                found.add(image(pillar, release, *catalog.image_key(entry)))
    return sorted(reference for reference in found if reference)


def package_stage(openstack: Mapping[str, Any], name: str, roles: Iterable[str]) -> str | None:
    """The one stage that moves a package on a node of these roles, None when the operator excludes it.

    Open vSwitch belongs to `ovs` and kernels never to the essential packages, whatever the operator lists.
    """
    if _matches(name, OVS_PACKAGES):
        return "ovs"
    settings = openstack.get("packages") or {}
    if _matches(name, settings.get("essential", DEFAULT_ESSENTIAL)) and not _matches(
        name, essential_excludes(openstack)
    ):
        return "control_plane" if "controller" in roles else "services"
    if _matches(name, system_excludes(openstack)):
        return None
    return "system"


def system_excludes(openstack: Mapping[str, Any]) -> list[str]:
    """Package globs that the system stage never moves: kernels too, where the running one is live-patched."""
    settings = openstack.get("system") or {}
    patched = kernels.PACKAGES if settings.get("kpatch") else ()
    return [*OVS_PACKAGES, *patched, *(settings.get("exclude") or ())]


def essential_excludes(openstack: Mapping[str, Any]) -> list[str]:
    """Package globs that the step of essential packages never moves."""
    return [*ALWAYS_EXCLUDED, *((openstack.get("packages") or {}).get("exclude") or ())]


def _service(
    openstack: Mapping[str, Any], release: Mapping[str, Any], version: str, entry: Mapping[str, Any]
) -> dict[str, Any]:
    key, backend = catalog.image_key(entry)
    reference = image(openstack, release, key, backend)
    if reference is None:
        raise RolloutError(
            "INVALID_PILLAR",
            f"openstack:releases:{version}:images:{key}: is missing, service {entry['name']} needs it",
        )
    health = entry.get("health") or {}
    return {
        "name": entry["name"],
        "type": entry["type"],
        "stage": entry["stage"],
        "order": entry.get("order", 0),
        "image_key": key if backend is None else f"{key}:{backend}",
        "image": reference,
        "container": entry["container"],
        "unit": f"{entry['container']}.service",
        "config": entry.get("config", "run"),
        "config_files": entry.get("config_files") or {},
        "options": entry.get("options") or {},
        "quadlet": entry.get("quadlet") or {},
        "health": {
            "command": list(health.get("command") or ()),
            "timeout": health.get("timeout", catalog.HEALTH_TIMEOUT),
        },
        "guard": entry.get("guard", "none"),
        "legacy_units": list(entry.get("legacy_units") or ()),
    }


def _stages(roles: list[str], services: list[dict[str, Any]]) -> list[str]:
    has = {service["stage"] for service in services} | {"ovs", "system"}
    if "controller" in roles:
        has.add("control_plane")
    if set(roles) - {"controller"}:
        has.add("services")
    return [stage for stage in catalog.STAGES if stage in has] if roles else []


def _packages(
    openstack: Mapping[str, Any], release: Mapping[str, Any], roles: list[str], os_family: str
) -> dict[str, dict[str, str]]:
    partition: dict[str, dict[str, str]] = {"ovs": {}, "system": {}}
    if not release:
        return {"system": {}}
    if "controller" in roles:
        partition["control_plane"] = {}
    elif roles:
        partition["services"] = {}
    for name, version in sorted((release.get("packages") or {}).items()):
        wanted = version.get(os_family) if isinstance(version, Mapping) else version
        stage = package_stage(openstack, name, roles)
        if wanted and stage in partition:
            partition[stage][name] = str(wanted)
    return partition


def _matches(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _choices(openstack: Mapping[str, Any]) -> str:
    known = versions(openstack)
    return f"the catalogue has {', '.join(known)}" if known else "the catalogue is empty"
