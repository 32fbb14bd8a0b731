"""What a node is, compared with what a release wants: differences, the deployed version, a node's facts.

Pure functions over what the execution modules measured; nothing here is recorded, so nothing can be stale.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openstack_rollout import catalog, release
from openstack_rollout.errors import RolloutError
from openstack_rollout.kernels import Compare
from openstack_rollout.release import FLOOR

# openvswitch3.4-devel: the stream is part of the package's name, so a new stream is another package.
_SHOWN = 5
_OVS_STREAM = re.compile(r"^openvswitch(?P<stream>\d+\.\d+)?(?P<part>-.+)?$")


def differences(
    desired: Mapping[str, Any], measured: Mapping[str, Any], names: Mapping[str, str] | None = None
) -> dict[str, list[str]]:
    """What keeps a node from being at a release, by stage; an empty list is a stage that is done.

    desired (dict): of release.resolve. measured (dict): the node's containers, images and packages.
    names (dict): image id -> what to call it (a version), for the messages only.
    """
    found: dict[str, list[str]] = {stage: [] for stage in desired["stages"]}
    for service in desired["services"]:
        problem = _container_difference(service, measured, names or {})
        if problem:
            found[service["stage"]].append(problem)
    held = measured.get("held", ())
    # The packages of a bootc host are those of its image.
    image_based = bool(measured.get("bootc"))
    if image_based and "system" in found:
        found["system"] += _image_difference(desired["system"]["os_image"], measured["bootc"])
    for stage, packages in desired["packages"].items() if not image_based else ():
        install, remove = package_changes(stage, packages, measured["packages"], measured.get("compare"))
        if stage == "system":  # what the operator holds is told, and stays
            install = {name: version for name, version in install.items() if name not in held}
        for name, version in install.items():
            installed = ", ".join(measured["packages"].get(name, ())) or "not installed"
            found[stage].append(f"package {name}: {installed}, wants {version}")
        found[stage] += [
            f"package {name}: of a stream that the release left"
            if name in measured["packages"]
            else f"package {name}: is still there beside the wanted version"
            for name in remove
        ]
    if "ovs" in found:
        switch = measured.get("openvswitch")
        if switch and not switch.get("enabled", True):
            found["ovs"].append(f"unit {switch.get('unit', 'openvswitch.service')}: is not enabled")
        if desired.get("ovs", {}).get("reload") and is_stale(measured):
            found["ovs"].append(f"switch: {_stale(measured['switch'])}")
    return found


def package_changes(
    stage: str,
    packages: Mapping[str, str],
    installed: Mapping[str, Sequence[str]],
    compare: Compare | None = None,
) -> tuple[dict[str, str], list[str]]:
    """What has to happen to the packages of a stage.

    stage (str): `ovs` also follows Open vSwitch from one stream's package to the next. packages (dict): name
    -> version the release wants, or the least one (">=1.2-3"), which compare tells. installed (dict): name ->
    versions, as pkg.list_pkgs(versions_as_list=True) gives.

    Returns ({name: version} to bring to that version, [names] to remove, of `ovs` also name-version of what a
    killed transaction left beside the wanted version). A package that a node does not have
    is not wanted there; one with several versions side by side (a kernel) is right when the wanted one is
    among them.
    """
    wanted = {name: version for name, version in packages.items() if name in installed}
    remove: list[str] = []
    if stage == "ovs":
        parts: set[str | None] = {match["part"] for match in map(_OVS_STREAM.match, installed) if match}
        if any(name.endswith("-openvswitch") for name in installed):
            parts.add(
                None
            )  # the wrapper needs a switch, also when a broken transaction took the old one away
        streams = {name: match for name in packages if (match := _OVS_STREAM.match(name)) and match["stream"]}
        wanted |= {name: packages[name] for name, match in streams.items() if match["part"] in parts}
        if streams:
            remove = sorted(
                name
                for name in installed
                if name not in packages and (match := _OVS_STREAM.match(name)) and match["stream"]
            )
        remove += _doubles(wanted, installed)
    install = {
        name: version
        for name, version in wanted.items()
        if not _is_there(version, installed.get(name, ()), compare)
    }
    return install, remove


def _is_there(wanted: str, installed: Sequence[str], compare: Compare | None) -> bool:
    if not wanted.startswith(FLOOR):
        return _plain(wanted) in map(_plain, installed)
    least = wanted.removeprefix(FLOOR).strip()
    return any(compare is not None and (compare(one, least) or 0) >= 0 for one in installed)


def deployed(
    openstack: Mapping[str, Any], node: Mapping[str, Any], measured: Mapping[str, Any]
) -> str | None:
    """The release a node is at: every container runs its image and every managed package has its version.

    Where a node cannot tell two releases apart, the target wins over the newest. None: it is between
    releases.
    """
    candidates = list(reversed(release.versions(openstack)))
    wanted = str(openstack.get("target_version") or "")
    candidates.sort(key=lambda version: version != wanted)
    for version in candidates:
        try:
            desired = release.resolve(openstack, version, node)
        except RolloutError:
            continue  # a release that lacks an image of this node's services is none it can be at
        if desired["stages"] and not any(differences(desired, measured).values()):
            return version
    return None


def image_names(
    openstack: Mapping[str, Any], node: Mapping[str, Any], measured: Mapping[str, Any]
) -> dict[str, str]:
    """Local image id -> the release whose image it is ("custom" for a custom image); newer releases win."""
    images = measured["images"]
    found: dict[str, str] = {}
    for version in release.versions(openstack):
        alone = {**openstack, "custom_images": {}, "releases": {version: release.get(openstack, version)}}
        for reference in release.references(alone, node):
            if reference in images:
                found[_plain_id(images[reference])] = version
    for reference in _custom_references(openstack):
        if reference in images:
            found.setdefault(_plain_id(images[reference]), "custom")
    return found


def is_stale(measured: Mapping[str, Any]) -> bool:
    """Whether the switch that runs is not the one that is installed."""
    return bool((measured.get("switch") or {}).get("stale"))


def health(containers: Iterable[str], measured: Mapping[str, Any]) -> list[str]:
    """What is broken on a node that has to run these containers, whatever the version."""
    found = []
    for name in containers:
        container = measured["containers"].get(name)
        if container is None or not container["running"]:
            found.append(f"container {name}: not running")
        elif container.get("healthy") is False:
            found.append(f"container {name}: unhealthy")
    switch = measured.get("openvswitch")
    if switch and not switch.get("active", True):
        found.append(f"unit {switch.get('unit', 'openvswitch.service')}: not active")
    return [*found, *measured.get("datapath", ())]


def facts(
    openstack: Mapping[str, Any], node: Mapping[str, Any], measured: Mapping[str, Any]
) -> dict[str, Any]:
    """All that the master asks of a node, ready for the event bus: no options, no environment, no secrets.

    openstack (dict): the pillar's `openstack` mapping, validated. node (dict): id, roles, zone, os_family,
    boot_id. measured (dict): of openstack_node.measured. Raises RolloutError as
    release.resolve does.
    """
    target = release.wanted(openstack)
    desired = release.resolve(openstack, target, node)
    names = image_names(openstack, node, measured)
    found = deployed(openstack, node, measured)
    # What is told of services, where no release is wanted, is that of the release that runs.
    own = desired if target or found is None else release.resolve(openstack, found, node)
    stages = differences(desired, measured, names)
    for one in measured.get("migrations", ()):
        if one["stage"] in stages:
            stages[one["stage"]].append(f"migration {one['name']}: is due")
    why = list(measured.get("reboot", ()))
    if "system" in stages:
        # Beside the differences: a node that has newer packages, or only has to be rebooted, is at its
        # release.
        stages["system"] += _newer(measured.get("newer", {}))
        patches = sorted(measured.get("live_patches", ()))
        stages["system"] += [f"live patches: {', '.join(patches)}"] if patches else []
        if measured.get("minion") in ("waiting", "failed"):
            stages["system"].append(f"salt-minion: its renewal is {measured['minion']}")
        if desired["system"]["reboot"] != "never":
            stages["system"] += [f"reboot is needed: {line}" for line in why]
    return {
        "id": node["id"],
        "roles": desired["roles"],
        "zone": desired["zone"],
        "os_family": node.get("os_family"),
        "boot_id": node.get("boot_id"),
        "target": target,
        "deployed": found,
        "stages": stages,
        "health": health(_to_run(openstack, desired, measured), measured),
        "switch": _switch_fact(measured),
        "reboot": why,
        "minion": _renews_minion(stages.get("system", ()), measured),
        "held": _held(desired, measured),
        "configuration": list(measured.get("configuration", ())),
        "services": {one["name"]: _service_fact(one, measured, names) for one in own["services"]},
        "packages": _package_facts(desired, measured),
        "notes": _notes(own, measured),
    }


def _to_run(
    openstack: Mapping[str, Any], desired: Mapping[str, Any], measured: Mapping[str, Any]
) -> list[str]:
    """The containers that have to run; where no release is wanted, those of the catalogue that the node has.

    That is not what the release that runs has: with a container down none is recognized.
    """
    if desired["version"] != release.NO_RELEASE:
        return [service["container"] for service in desired["services"]]
    has = {*measured["containers"], *measured.get("managed", ())}
    entries = catalog.of_node(openstack, desired["roles"])
    return [entry["container"] for entry in entries if entry["container"] in has]


def _container_difference(
    service: Mapping[str, Any], measured: Mapping[str, Any], names: Mapping[str, str]
) -> str | None:
    container = measured["containers"].get(service["container"])
    wanted = measured["images"].get(service["image"])
    if container is None:
        return f"container {service['container']}: does not exist, wants {service['image']}"
    running = _plain_id(container["image_id"])
    if wanted is None or running != _plain_id(wanted):
        called = f"image {names[running]} ({running[:12]})" if running in names else f"image {running[:12]}"
        return f"container {service['container']}: runs {called}, wants {service['image']}"
    if not container["running"]:
        return f"container {service['container']}: is not running"
    return None


def _service_fact(
    service: Mapping[str, Any], measured: Mapping[str, Any], names: Mapping[str, str]
) -> dict[str, Any]:
    container = measured["containers"].get(service["container"]) or {}
    image_id = container.get("image_id")
    return {
        "container": service["container"],
        "image": service["image"],
        "running": bool(container.get("running")),
        "image_id": image_id,
        "local": service["image"] in measured["images"],
        "release": names.get(_plain_id(image_id)),
    }


def _switch_fact(measured: Mapping[str, Any]) -> dict[str, Any] | None:
    switch = measured.get("switch")
    return {key: switch[key] for key in ("running", "installed", "stale")} if switch else None


def _image_difference(wanted: str | None, bootc: Mapping[str, Any]) -> list[str]:
    """What keeps a bootc host from its image; one that is staged waits for a reboot alone."""
    coming = bootc["staged"] or bootc["booted"]
    return [f"system image: {coming}, wants {wanted}"] if wanted and coming != wanted else []


def _newer(plan: Mapping[str, Any]) -> list[str]:
    """What the repositories have of packages that no release names (system_packages.plan), as one line."""
    newer = sorted(plan.get("upgrade", ()))
    if not newer:
        return [plan["unknown"]] if "unknown" in plan else []
    more = f" and {len(newer) - _SHOWN} more" if len(newer) > _SHOWN else ""
    return [f"newer packages: {', '.join(newer[:_SHOWN])}{more}"]


def _renews_minion(open_ends: Iterable[str], measured: Mapping[str, Any]) -> bool:
    """Whether the system stage would move Salt's own packages."""
    newer = measured.get("newer", {}).get("upgrade", ())
    begun = ("salt-minion: ", *(f"package {name}: " for name in release.MINION_PACKAGES))
    return any(name in newer for name in release.MINION_PACKAGES) or any(
        line.startswith(begun) for line in open_ends
    )


def _held(desired: Mapping[str, Any], measured: Mapping[str, Any]) -> dict[str, str]:
    """What the operator's holds and locks keep back: {name: the version that there would be}."""
    wanted = desired["packages"].get("system", {})
    install, _ = package_changes("system", wanted, measured["packages"], measured.get("compare"))
    pinned = {name: version for name, version in install.items() if name in measured.get("held", ())}
    return {**measured.get("newer", {}).get("held", {}), **pinned}


def _stale(switch: Mapping[str, Any]) -> str:
    return f"runs {switch['running']}, {switch['installed']} is installed"


def _doubles(wanted: Mapping[str, str], installed: Mapping[str, Sequence[str]]) -> list[str]:
    """name-version of every other version beside the wanted one."""
    return sorted(
        f"{name}-{one}"
        for name, version in wanted.items()
        if _plain(version) in map(_plain, installed.get(name, ()))
        for one in installed[name]
        if _plain(one) != _plain(version)
    )


def _package_facts(desired: Mapping[str, Any], measured: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found = {}
    for stage, packages in desired["packages"].items():
        install, remove = package_changes(stage, packages, measured["packages"], measured.get("compare"))
        for name, version in packages.items():
            if name in measured["packages"] or name in install:
                installed = list(measured["packages"].get(name, ()))
                found[name] = {"stage": stage, "installed": installed, "wanted": version}
        for name in remove:
            installed = list(measured["packages"].get(name, ()))
            found[name] = {"stage": stage, "installed": installed, "wanted": None}
    return found


def _notes(desired: Mapping[str, Any], measured: Mapping[str, Any]) -> list[str]:
    known = {service["container"] for service in desired["services"]}
    return [
        f"container {name}: runs beside the catalogue"
        for name, container in sorted(measured["containers"].items())
        if name not in known and container["running"]
    ]


def _custom_references(openstack: Mapping[str, Any]) -> Iterable[str]:
    for value in (openstack.get("custom_images") or {}).values():
        yield from value.values() if isinstance(value, Mapping) else (value,)


def _plain_id(image_id: str | None) -> str:
    return str(image_id or "").removeprefix("sha256:")


def _plain(version: str) -> str:
    return version.removeprefix("0:")
