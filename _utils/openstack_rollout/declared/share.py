"""A node's share: what that one node must be at a release, and nothing of other roles.

Plain data that JSON can hold. The master hands it to the node as the pillar `openstack_node`, and compares
the node's facts with the very same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

from openstack_rollout.declared import releases
from openstack_rollout.declared.releases import NO_RELEASE, Release
from openstack_rollout.errors import RolloutError
from openstack_rollout.node import kernels
from openstack_rollout.node.packages import FLOOR, MINION_PACKAGES, NEWEST, OVS_PACKAGES, of_the_switch
from openstack_rollout.vocabulary import SERVICE_STAGES, SHARE_VERSION, STAGES

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model
    from openstack_rollout.declared.services import Service

ALWAYS_EXCLUDED = ("kernel", "kernel-core", "openvswitch*")
#: The image that a bootc host's whole system is; os_container_image carries a disk image for provisioning.
OS_IMAGE = "bootc_os_container_image"
DEFAULT_OS_FAMILY = "RedHat"

Matches = Callable[[str], bool]


@dataclass(frozen=True)
class Place:
    """Where a node stands: its roles in their order, its zone, its family of distributions."""

    roles: tuple[str, ...]
    zone: str | None = None
    os_family: str = DEFAULT_OS_FAMILY


def place(model: Model, matches: Matches, os_family: str | None = None) -> Place:
    """Where a node stands by the targets of the pillar.

    matches: whether a compound target means the node.
    """
    roles = tuple(role for role, target in model.targets.items() if matches(target))
    zone = next((zone for zone, target in sorted(model.zones.items()) if matches(target)), None)
    return Place(roles, zone, os_family or DEFAULT_OS_FAMILY)


def share(model: Model, where: Place, matches: Matches = lambda target: True) -> dict[str, Any]:
    """What a node must be at the target, with what it needs to get there and to tell what it is.

    matches: whether the target of a hook means the node. Raises RolloutError as `desired` does.
    """
    version = releases.wanted(model)
    found = {"version": SHARE_VERSION, **desired(model, version, where)}
    if not where.roles:
        return found
    services = found["services"]
    containers = [service["container"] for service in services]
    return {
        **found,
        "content": model.content,
        "containers": containers,
        "last": _last(found["stages"]) if containers else None,
        "untargeted": "" if version else releases.untargeted(model),
        "guards": {
            name: one.guard
            for one in model.catalogue.of_node(where.roles, version)
            if one.guard != "none" and (name := _guarded(one, where.os_family))
        },
        "harmless": _harmless(model, where),
        "hooks": _hooks(model, matches),
        "migrations": _migrations(model, version, matches),
        "releases": releases.versions(model),
        "watched": watched(model),
        "floors": floors(model, where.os_family),
        "newest": newest(model, where.os_family),
    }


def _last(stages: Sequence[str]) -> str | None:
    """The last stage that moves services, after which containers that are no longer wanted go."""
    return next((stage for stage in reversed(stages) if stage in SERVICE_STAGES), None)


def desired(model: Model, version: str, where: Place) -> dict[str, Any]:
    """What a node must be at a release of the catalogue, or at none.

    Returns its stages, whether it is of the control plane, its services with image references, its packages
    by stage, what the step of essential packages excludes, what its services' own packages may not take
    along, and how switch and system are updated. Raises RolloutError: UNKNOWN_TARGET, EMPTY_CATALOGUE, or
    INVALID_PILLAR when the release lacks an image.
    """
    release = releases.get(model, version)
    roles = list(where.roles)
    if not roles:
        return {
            "target": version,
            "roles": [],
            "zone": where.zone,
            "stages": [],
            "services": [],
            "packaged": [],
            "packages": {},
        }
    entries = model.catalogue.of_node(roles, version) if version != NO_RELEASE else []
    services = [_service(model, release, version, one) for one in entries if one.deploy == "container"]
    own, libraries = _globs(model, where, "packages"), _globs(model, where, "libraries")
    packages = _packages(model, release, version, where, [*own, *libraries])
    system = _system(model, release, where, packages["system"], own=own, libraries=libraries)
    newest = {"depth": system["depth"], "kept": system["settled"]} if system["others"] else None
    packaged = [_packaged(release, where, one, newest) for one in entries if one.deploy == "package"]
    return {
        "target": version,
        "roles": roles,
        "zone": where.zone,
        "stages": _stages(model, roles, [*services, *packaged]) if version != NO_RELEASE else ["system"],
        "control_plane": model.is_control_plane(roles),
        "services": services,
        "packaged": packaged,
        "checks": [
            one.model_dump()
            for one in (*model.checks, *release.checks)
            if any(s["type"] == one.service for s in services)
        ],
        "packages": packages,
        "exclude": [*essential_excludes(model), *own],
        "held_back": essential_excludes(model),
        "lock_timeout": model.packages.lock_timeout,
        "pulls": model.pulls.model_dump(),
        "ovn": {**model.ovn.model_dump(), "back": None},
        "ovs": model.ovs.model_dump(),
        "system": system,
    }


def package_stage(model: Model, name: str, roles: Iterable[str]) -> str | None:
    """The one stage that moves a package on a node of these roles, None when the operator excludes it.

    Open vSwitch belongs to `ovs` and kernels never to the essential packages, whatever the operator lists.
    """
    if of_the_switch(name):
        return "ovs"
    if _matches(name, model.packages.essential) and not _matches(name, essential_excludes(model)):
        return "control_plane" if model.is_control_plane(roles) else "services"
    return None if _matches(name, system_excludes(model)) else "system"


def system_excludes(model: Model) -> list[str]:
    """Package globs that the system stage never moves: kernels too, where the running one is live-patched."""
    patched = kernels.PACKAGES if model.system.kpatch else ()
    return [*OVS_PACKAGES, *patched, *model.system.exclude]


def essential_excludes(model: Model) -> list[str]:
    """Package globs that the step of essential packages never moves."""
    return [*ALWAYS_EXCLUDED, *model.packages.exclude]


def watched(model: Model) -> list[str]:
    """The packages of which a node tells the versions: those that any release names.

    Which release runs is found by the versions of all of them; Open vSwitch's a node tells anyway.
    """
    return sorted({name for release in model.releases.values() for name in release.packages})


def floors(model: Model, os_family: str) -> dict[str, list[str]]:
    """The floors of all releases: the node's package manager alone can tell whether they are met."""
    found: dict[str, set[str]] = {}
    for release in model.releases.values():
        for name, version in _versions(release, os_family).items():
            if version.startswith(FLOOR):
                found.setdefault(name, set()).add(version)
    return {name: sorted(some) for name, some in sorted(found.items())}


def newest(model: Model, os_family: str) -> list[str]:
    """The packages that any release wants at the newest: what that is, the node's repositories tell."""
    found = (_versions(release, os_family).items() for release in model.releases.values())
    return sorted({name for some in found for name, version in some if version == NEWEST})


def _hooks(model: Model, matches: Matches) -> dict[str, dict[str, list[dict[str, Any]]]]:
    return {
        stage: {
            moment: [hook.model_dump(exclude_none=True) for hook in some if matches(hook.nodes)]
            for moment, some in moments.items()
        }
        for stage, moments in model.hooks.items()
    }


def _migrations(model: Model, version: str, matches: Matches) -> list[dict[str, Any]]:
    return [
        {**one.model_dump(exclude_none=True), "id": f"{version} {one.name}"}
        for one in releases.get(model, version).migrations
        if matches(one.nodes)
    ]


def _system(
    model: Model,
    release: Release,
    where: Place,
    packages: dict[str, str],
    *,
    own: Sequence[str],
    libraries: Sequence[str],
) -> dict[str, Any]:
    """How the system stage goes about its packages.

    packages: those of the release, without Salt's. own: globs of packages that are services'. libraries:
    globs of those that services share: it mends them, and moves them as little. others: whether it moves what
    no release names. exclude: what it never touches. settled: the same, and the packages that the release
    moves. kept: the same, and libraries. disruptive: what moves only under no workload, unless the policy of
    a role accepts it.
    """
    exclude = [*system_excludes(model), *own]
    wanted = _versions(release, where.os_family)
    free = {name for name, version in wanted.items() if version == NEWEST}
    free |= {name for name, version in packages.items() if version.startswith(FLOOR)}
    # What belongs to releases waits for one, where none is wanted.
    named = [release] if release.packages or release.images else list(model.releases.values())
    pinned = sorted({name for one in named for name in one.packages} - free)
    return {
        "depth": model.system.depth,
        "others": model.system.packages == "all",
        "reboot": model.system.reboot,
        "disruptive": list(model.system.disruptive),
        "accept": any(model.policies.of(role).reboot_occupied for role in where.roles),
        "kpatch": model.system.kpatch,
        "os_image": releases.image(model, release, OS_IMAGE, None),
        "exclude": exclude,
        "packages": {name: version for name, version in packages.items() if name not in MINION_PACKAGES},
        "libraries": list(libraries),
        "settled": [*exclude, *pinned],
        "kept": [*exclude, *libraries, *pinned],
    }


def _service(model: Model, release: Release, version: str, entry: Service) -> dict[str, Any]:
    key, backend = entry.image_key
    reference = releases.image(model, release, key, backend)
    if reference is None:
        raise RolloutError(
            "INVALID_PILLAR",
            f"openstack:releases:{version}:images:{key}: is missing, service {entry.name} needs it",
        )
    return {
        "name": entry.name,
        "type": entry.type,
        "stage": entry.stage,
        "order": entry.order,
        "image": reference,
        "container": entry.container,
        "unit": f"{entry.container}.service",
        "definition": entry.definition,
        "one_shot": entry.one_shot,
        "sidecars": entry.sidecars,
        "config": entry.config,
        "config_files": entry.config_files,
        "options": entry.options,
        "quadlet": entry.quadlet,
        "health": entry.health.model_dump(exclude={"listens", "http"}),
        "guard": entry.guard,
        "legacy_units": entry.legacy_units,
    }


def _packaged(
    release: Release, where: Place, entry: Service, newest: Mapping[str, Any] | None
) -> dict[str, Any]:
    """A service that is packages. Of what several share each has the version: it moves with the first.

    newest: how those of its libraries are found that no release names, None where such packages stay.
    """
    family = where.os_family
    globs, libraries = entry.packages.get(family, []), entry.libraries.get(family, [])
    versions = _versions(release, family)
    moved = [*globs, *libraries]
    return {
        "name": entry.name,
        "type": entry.type,
        "stage": entry.stage,
        "order": entry.order,
        "packages": {name: version for name, version in versions.items() if _matches(name, moved)},
        "own": globs,
        "libraries": libraries,
        "newest": newest if libraries else None,
        "units": [f"{unit}.service" for unit in entry.units.get(family, [])],
        "timeout": entry.health.timeout,
        "listens": entry.health.listens,
        "http": entry.health.http,
        "agent": entry.agent or "",
        "guard": entry.guard,
    }


def _harmless(model: Model, where: Place) -> list[str]:
    """What (globs) is no service of an unknown kind on a node: containers and units of the catalogue,
    whatever the release, and what the operator ignores.
    """
    found = set(model.ignore_services)
    for one in model.catalogue.of_node(where.roles):
        units = one.units.get(where.os_family, ()) if one.deploy == "package" else ()
        found |= {*one.sidecars, *one.legacy_units, *units, *([one.container] if one.container else [])}
    return sorted(found)


def _guarded(entry: Service, family: str) -> str:
    """What the guard of a service is given: its container, or the first of its units."""
    if entry.deploy == "container":
        return entry.container
    return next((f"{unit}.service" for unit in entry.units.get(family, ())), "")


def _globs(model: Model, where: Place, key: Literal["packages", "libraries"]) -> list[str]:
    """The packages or libraries (globs) of the services of a node that are packages, whatever the release."""
    services = model.catalogue.of_node(where.roles)
    found = (getattr(one, key).get(where.os_family, ()) for one in services if one.deploy == "package")
    return list(dict.fromkeys(glob for some in found for glob in some))


def _stages(model: Model, roles: Iterable[str], services: Iterable[dict[str, Any]]) -> list[str]:
    has = {service["stage"] for service in services} | {"ovs", "system"}
    planes = {model.is_control_plane([role]) for role in roles}
    has |= {"control_plane" if controls else "services" for controls in planes}
    return [stage for stage in STAGES if stage in has]


def _packages(
    model: Model, release: Release, version: str, where: Place, own: Sequence[str]
) -> dict[str, dict[str, str]]:
    """The packages of each stage, but for those that move with services (globs). What is to be at the newest
    and is no service's here belongs to all that no release names.
    """
    if version == NO_RELEASE:
        return {"system": {}}
    plane = "control_plane" if model.is_control_plane(where.roles) else "services"
    partition: dict[str, dict[str, str]] = {"ovs": {}, "system": {}, plane: {}}
    for name, wanted in _versions(release, where.os_family).items():
        stage = package_stage(model, name, where.roles)
        if stage in partition and wanted != NEWEST and not _matches(name, own):
            partition[stage][name] = wanted
    return partition


def _versions(release: Release, os_family: str) -> dict[str, str]:
    """The versions that a release wants of packages, for a family of distributions."""
    found = {
        name: version.get(os_family) if isinstance(version, dict) else version
        for name, version in sorted(release.packages.items())
    }
    return {name: version for name, version in found.items() if version}


def _matches(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)
