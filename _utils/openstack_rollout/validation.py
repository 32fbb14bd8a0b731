"""The pillar, checked before anything is touched: every key, and the nearest right one when misspelt.

`checked` is what node modules and runners call; `problems` and `warnings` serve release.check. Two refusals
need to know what runs, `check_custom_images` and `check_direction`, and are called by the engine as it begins
a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from openstack_rollout import catalog, drain, hooks, policy, reboots, references, release
from openstack_rollout.errors import RolloutError
from openstack_rollout.release_file import check_image, check_releases, references_of, unpinned
from openstack_rollout.schema import Problems, suggestion
from openstack_rollout.service_entry import check_catalogue
from openstack_rollout.workloads import settings as workloads

KEYS = (
    "name",
    "target_version",
    "keep_custom_images_for",
    "custom_images",
    "roles",
    "zones",
    "policies",
    "cloud",
    "opencontrail",
    "verification",
    "system",
    "hooks",
    "ovs",
    "packages",
    "services",
    "service_defaults",
    "service_types",
    "auxiliary_images",
    "releases",
)
_PILLAR_MATCHER = re.compile(r"(?:^|[\s(])[IJ]@")
_RENDER_ERROR = re.compile(r"SLS '(?P<sls>[^']+)'")


def checked(pillar: Mapping[str, Any]) -> dict[str, Any]:
    """The `openstack` mapping of a whole pillar, when all of it is right.

    pillar (dict): `__pillar__`, or what master_pillar.compiled gives. Raises RolloutError as
    `validate` does, but not where no target is set: whoever needs one finds out by release.target.
    """
    openstack = pillar.get("openstack")
    validate(openstack, pillar.get("_errors") or (), target_needed=False)
    return dict(openstack or {})


def validate(openstack: Any, render_errors: Iterable[Any] = (), target_needed: bool = True) -> None:
    """Raise the first problem as one line, and say how many more there are.

    Raises RolloutError: INVALID_PILLAR, UNKNOWN_TARGET or EMPTY_CATALOGUE.
    """
    found = reasons(openstack, render_errors, target_needed)
    if found:
        reason, line = found[0]
        more = f" (and {len(found) - 1} more: salt-run release.check)" if len(found) > 1 else ""
        raise RolloutError(reason, line + more)


def problems(openstack: Any, render_errors: Iterable[Any] = ()) -> list[str]:
    """Everything that is wrong with a pillar, one line each, beginning with the pillar key.

    openstack: the pillar's `openstack` value. render_errors: its `_errors`, which Salt adds when a file is
    bad.
    """
    return [line for _, line in reasons(openstack, render_errors)]


def reasons(
    openstack: Any, render_errors: Iterable[Any] = (), target_needed: bool = True
) -> list[tuple[str, str]]:
    """The same as `problems`, each with the word of errors.REASONS that it would be refused under."""
    found = Problems()
    for error in render_errors:
        match = _RENDER_ERROR.search(str(error))
        text = " ".join(str(error).split())
        found.add(f"pillar file {match['sls']}" if match else "pillar", text)
    if openstack is None:
        found.add("openstack", "is missing from the pillar, assign openstack in pillar/top.sls")
        return found.found
    if not isinstance(openstack, Mapping):
        found.mapping("openstack", openstack)
        return found.found
    found.keys("openstack", openstack, KEYS)
    for key in ("name", "keep_custom_images_for"):
        if openstack.get(key) is not None:
            found.string(f"openstack:{key}", openstack[key])
    _check_roles(found, openstack)
    _check_policies(found, openstack)
    _check_stage_settings(found, openstack)
    workloads.check_cloud(found, openstack)
    hooks.check(found, openstack)
    check_catalogue(found, openstack)
    check_releases(found, openstack)
    _check_custom_images(found, openstack)
    if not found.found and (target_needed or openstack.get("target_version")):
        _check_target(found, openstack)
    return found.found


def warnings(openstack: Mapping[str, Any]) -> list[str]:
    """What a valid pillar may still surprise with, one line each."""
    found = []
    enabled = {entry["image"] for entry in catalog.entries(openstack).values() if entry.get("enabled")}
    for name, key, reference in references_of(openstack.get("custom_images")):
        if key not in enabled:
            found.append(f"openstack:custom_images:{name}: no enabled service uses it")
        if not references.parse(reference).digest:
            found.append(f"openstack:custom_images:{name}: has no digest, nodes may get different images")
    for name in openstack.get("services") or {}:
        entry = catalog.entries(openstack)[name]
        if name != entry["type"] and not entry.get("enabled"):
            found.append(f"openstack:services:{name}: is not enabled, set enabled: true to run it")
    for version in release.versions(openstack):
        bare = unpinned(openstack["releases"][version])
        if bare:
            found.append(
                f"openstack:releases:{version}: {len(bare)} images without digest (salt-run release.pin)"
            )
    return found


def check_custom_images(openstack: Mapping[str, Any], tracked: Mapping[str, Any] | None) -> None:
    """Refuse a new target while every custom image is still the old one: a forgotten hotfix pins old code.

    tracked (dict): {"version", "custom_images"} as recorded when the previous update ended, None before the
    first. Raises RolloutError CUSTOM_IMAGES_UNCHANGED, unless `keep_custom_images_for` names this very
    target.
    """
    custom = {name: reference for name, _, reference in references_of(openstack.get("custom_images"))}
    wanted = release.wanted(openstack)
    if not wanted or not tracked or not custom or tracked["version"] == wanted:
        return
    before = {name: reference for name, _, reference in references_of(tracked.get("custom_images"))}
    if openstack.get("keep_custom_images_for") == wanted or custom.items() - before.items():
        return
    raise RolloutError(
        "CUSTOM_IMAGES_UNCHANGED",
        f"openstack:custom_images: all are still those of {tracked['version']}: {', '.join(sorted(custom))}",
    )


def check_direction(openstack: Mapping[str, Any], deployed: Mapping[str, str | None]) -> None:
    """Refuse a target older than what a node runs.

    deployed (dict): minion id -> measured version, None where it is between releases.
    Raises RolloutError DOWNGRADE_REFUSED with the nodes that are newer.
    """
    wanted = release.wanted(openstack)
    newer = {
        node: version
        for node, version in sorted(deployed.items())
        if wanted and version and release.version_key(version) > release.version_key(wanted)
    }
    if newer:
        named = ", ".join(f"{node} is at {version}" for node, version in newer.items())
        raise RolloutError(
            "DOWNGRADE_REFUSED", f"openstack:target_version: {wanted} would be a downgrade, {named}", newer
        )


def _check_roles(found: Problems, openstack: Mapping[str, Any]) -> None:
    roles = found.mapping("openstack:roles", openstack.get("roles"))
    if not roles and not found.found:
        found.add("openstack:roles", f"names no role, give a target for one of {', '.join(catalog.ROLES)}")
    known = found.keys("openstack:roles", roles, catalog.ROLES, "role")
    zones = found.mapping("openstack:zones", openstack.get("zones"))
    for path, target in [
        *((f"openstack:roles:{role}", roles[role]) for role in known),
        *((f"openstack:zones:{zone}", target) for zone, target in zones.items()),
    ]:
        if found.string(path, target) and _PILLAR_MATCHER.search(target):
            found.add(path, f"{target} matches by pillar (I@, J@), which the pillar itself cannot depend on")


def _check_policies(found: Problems, openstack: Mapping[str, Any]) -> None:
    policies = found.mapping("openstack:policies", openstack.get("policies"))
    for role in found.keys("openstack:policies", policies, catalog.ROLES, "role"):
        path = f"openstack:policies:{role}"
        settings = found.mapping(path, policies[role])
        for key in found.keys(path, settings, (*policy.KEYS, *workloads.keys(role))):
            value = settings[key]
            if key in workloads.keys(role):
                workloads.check(found, f"{path}:{key}", key, value)
            elif key == "batch":
                try:
                    policy.batch_size(value, 1)
                except ValueError as error:
                    found.add(f"{path}:batch", str(error))
                else:
                    if role == "controller" and value != 1:
                        found.add(
                            f"{path}:batch", f"{value} is not allowed: controllers go one at a time, set 1"
                        )
            elif key == "reboot_occupied":
                found.flag(f"{path}:reboot_occupied", value)
            elif key == "drain":
                found.choice(f"{path}:drain", value, drain.words(role))
            else:
                found.number(f"{path}:{key}", value, 1 if key == "silence" else 0)


def _check_stage_settings(found: Problems, openstack: Mapping[str, Any]) -> None:
    system = found.mapping("openstack:system", openstack.get("system"))
    found.keys(
        "openstack:system",
        system,
        ("exclude", "packages", "depth", "kpatch", "disruptive", "reboot", "reboot_timeout"),
    )
    found.strings("openstack:system:exclude", system.get("exclude"))
    found.strings("openstack:system:disruptive", system.get("disruptive"))
    found.flag("openstack:system:kpatch", system.get("kpatch", False))
    found.choice("openstack:system:packages", system.get("packages", "all"), ("all", "release"))
    found.choice("openstack:system:depth", system.get("depth", "upgrade"), ("upgrade", "dist_upgrade"))
    found.choice("openstack:system:reboot", system.get("reboot", reboots.NEVER), reboots.POLICIES)
    found.number("openstack:system:reboot_timeout", system.get("reboot_timeout", reboots.TIMEOUT), 1)
    ovs = found.mapping("openstack:ovs", openstack.get("ovs"))
    found.keys("openstack:ovs", ovs, ("reload", "userspace"))
    found.flag("openstack:ovs:reload", ovs.get("reload", False))
    found.choice("openstack:ovs:userspace", ovs.get("userspace", "refuse"), ("refuse", "accept"))
    packages = found.mapping("openstack:packages", openstack.get("packages"))
    for key in found.keys("openstack:packages", packages, ("essential", "exclude", "lock_timeout")):
        check = found.strings if key != "lock_timeout" else lambda path, value: found.number(path, value, 1)
        check(f"openstack:packages:{key}", packages[key])


def _check_custom_images(found: Problems, openstack: Mapping[str, Any]) -> None:
    custom = found.mapping("openstack:custom_images", openstack.get("custom_images"))
    if not isinstance(openstack.get("service_types"), Mapping):
        return
    known = catalog.known_image_keys(openstack)
    auxiliary = catalog.auxiliary_images(openstack)
    for key in found.keys("openstack:custom_images", custom, known, "image key"):
        path = f"openstack:custom_images:{key}"
        if key in auxiliary:
            found.add(path, "no service of a node uses it")
        else:
            check_image(found, path, key, custom[key])


def _check_target(found: Problems, openstack: Mapping[str, Any]) -> None:
    path = "openstack:target_version"
    wanted, known = openstack.get("target_version"), release.versions(openstack)
    if not known:
        found.add(
            "openstack:releases", "there is no release, add a file to openstack/releases", "EMPTY_CATALOGUE"
        )
        return
    if not wanted:
        found.add(path, f"is not set, the catalogue has {', '.join(known)}", "UNKNOWN_TARGET")
        return
    if not found.string(path, wanted):
        return
    if wanted not in known:
        near = suggestion(wanted, known) or "."
        found.add(
            path, f"{wanted} is not a release{near} The catalogue has {', '.join(known)}", "UNKNOWN_TARGET"
        )
        return
    for name in unpinned(openstack["releases"][wanted]):
        found.add(f"openstack:releases:{wanted}:images:{name}", "has no digest (salt-run release.pin)")
    for entry in catalog.entries(openstack, openstack["releases"][wanted]).values():
        key, backend = catalog.image_key(entry)
        if entry.get("enabled") and not release.image(openstack, openstack["releases"][wanted], key, backend):
            found.add(
                f"openstack:releases:{wanted}:images:{key}", f"is missing, service {entry['name']} needs it"
            )
