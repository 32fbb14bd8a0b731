"""What two releases say differently, and a node as it would be at the first of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from openstack_rollout.declared import facts, releases, share
from openstack_rollout.declared.advisories import Moved
from openstack_rollout.declared.completeness import DECLARED
from openstack_rollout.declared.facts import Facts
from openstack_rollout.declared.package_versions import DEB, RPM
from openstack_rollout.declared.references import digest_of
from openstack_rollout.declared.share import Place
from openstack_rollout.node.carriers import DEFINING
from openstack_rollout.node.packages import FLOOR, NEWEST
from openstack_rollout.vocabulary import OS_FAMILIES

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model
    from openstack_rollout.declared.releases import Release

#: The version of a package that a release names and the one before did not.
UNNAMED = "0~not-named"
_KINDS = {"RedHat": RPM, "Debian": DEB}


def content(model: Model, first: str, second: str) -> dict[str, Any]:
    """What is different in the second of two releases.

    Returns {"from", "to", "newer": whether the second is, None where nothing tells, "images": {key, or
    key:backend: {"from", "to": reference or None, "custom": whether a custom image takes its place}}, "same":
    how many images are the same, "packages": {name: {"from", "to": version, {family: version} or None}},
    "migrations", "checks", "services": what is in the second and not in the first, a name each, "notes",
    "irreversible"}. Raises RolloutError UNKNOWN_TARGET, EMPTY_CATALOGUE.
    """
    before, after = releases.get(model, first), releases.get(model, second)
    had, has = (_images(one) for one in (before, after))
    custom = {name for name, _, _ in releases.references_of(model.custom_images)}
    keys = sorted({*had, *has})
    changed = {key: _pair(key, had, has) for key in keys if had.get(key) != has.get(key)}
    names = sorted({*before.packages, *after.packages})
    known = [one.model_dump() for one in before.checks]
    own = before.defaults.services
    return {
        **{"from": first, "to": second, "newer": releases.newer(model, second, first)},
        "images": {key: {**one, "custom": key in custom} for key, one in changed.items()},
        "same": len(keys) - len(changed),
        "packages": {
            name: _pair(name, before.packages, after.packages)
            for name in names
            if before.packages.get(name) != after.packages.get(name)
        },
        "migrations": [
            f"{one.name} ({one.stage})" for one in after.migrations if one not in before.migrations
        ],
        "checks": [f"{one.service}: {one.call}" for one in after.checks if one.model_dump() not in known],
        "services": sorted(name for name, one in after.defaults.services.items() if own.get(name) != one),
        "notes": list(after.notes),
        "irreversible": after.irreversible,
    }


def pinned(told: Mapping[str, Any]) -> Iterator[Moved]:
    """The packages that both releases name at a version. Where they do not say of which distributions, they
    may be of any. told: of `content`.
    """
    for name, one in told["packages"].items():
        for family, kind in _KINDS.items():
            pair = [
                said.get(family) if isinstance(said, Mapping) else said for said in (one["from"], one["to"])
            ]
            before, after = ((said or "").removeprefix(FLOOR).strip() for said in pair)
            if before and after and NEWEST not in (before, after):
                yield Moved(kind, name, name, before, after)


def node_at(model: Model, version: str, target: str, where: Place) -> Facts:
    """A node of some roles as it would tell of itself at a release, with nothing else to do.

    version (str): the release. target (str): the one of its share. Raises RolloutError as share.desired.
    """
    own = share.desired(model, version, where)
    coming = share.desired(model, target, where)
    containers, carried = {}, {}
    for one in own["services"]:
        digest = digest_of(one["image"])
        containers[one["container"]] = {
            **{"running": True, "healthy": True, "image_id": digest or one["image"], "labels": {}},
            **{"digests": [digest] if digest else [], "unit": one["unit"]},
        }
        carried[one["container"]] = {
            **{"carrier": DEFINING[0], "unit": one["unit"], "image": one["image"], "masked": False}
        }
    packaged = {
        one["name"]: {"here": True, "units": {unit: "active" for unit in one["units"]}, "stale": []}
        for one in (*own["packaged"], *coming["packaged"])
    }
    declared = [one["container"] for one in own["services"] if one["definition"] == DECLARED]
    return facts.read(
        "node",
        {
            **{"schema": facts.SCHEMA, "id": "node", "target": target, "roles": list(where.roles)},
            **{"os_family": where.os_family, "boot_id": "", "containers": containers, "managed": declared},
            **{"carried": carried, "packaged": packaged, "images": []},
            **{"packages": _installed(own, coming), "floors": {}, "held": [], "newer": {}, "offered": {}},
            **{"unfinished": {}, "openvswitch": None, "switch": None, "datapath": [], "reboot": []},
            **{"reboot_without_effect": [], "next_boot": None, "stateful": {}, "virtual_addresses": {}},
            **{"bootc": None, "minion": "none", "configuration": [], "live_patches": {}, "migrations": []},
            **{"pending": [], "legacy_units": {}, "checks": [], "settings": {}},
        },
        model.known_roles,
    )


def places(model: Model, first: str, second: str) -> list[Place]:
    """A node of each role; of each family of distributions where the releases tell these apart."""
    named = [one for version in (first, second) for one in releases.get(model, version).packages.values()]
    families = {family for one in named if isinstance(one, Mapping) for family in one}
    some = [one for one in OS_FAMILIES if one in families] or [share.DEFAULT_OS_FAMILY]
    return [Place((role,), None, family) for role in model.targets for family in some]


def _installed(own: Mapping[str, Any], coming: Mapping[str, Any]) -> dict[str, list[str]]:
    """The packages that such a node has: at the version of its release, or of one that it does not name."""
    had, has = (
        {name: one for some in (*share_["packages"].values(), *_own(share_)) for name, one in some.items()}
        for share_ in (own, coming)
    )
    found = {name: [_plain(version)] for name, version in had.items()}
    return found | {name: [UNNAMED] for name in has if name not in had}


def _own(share_: Mapping[str, Any]) -> list[Mapping[str, str]]:
    return [one["packages"] for one in share_["packaged"]]


def _plain(version: str) -> str:
    """A version that may be installed: what is to be at the newest, and at least at one, is at something."""
    return UNNAMED if version == NEWEST else version.removeprefix(FLOOR).strip()


def _images(release: Release) -> dict[str, str]:
    return {name: reference for name, _, reference in releases.references_of(release.images)}


def _pair(key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {"from": before.get(key), "to": after.get(key)}
