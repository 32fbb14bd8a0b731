"""What this node has to be, and what it is: its share, and its facts.

The share comes from the master (the pillar `openstack_node`); facts are measured now. The node compares
nothing with a release: the master does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import (
    carriers,
    engines,
    found_container,
    fresh_pillar,
    images,
    kept_files,
    ovn_wait,
    packages,
    replacements,
    sharing,
)
from openstack_rollout.node import share as shares
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.guards import WITH_SETTINGS

#: The form of facts; declared/facts.py of the master has the same number.
SCHEMA = 5
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Labels that say who deployed a container. No other label is reported: it may hold anything, also secrets.
_LABELS = ("PODMAN_SYSTEMD_UNIT", "managed_by", "config_id", "container_name")
_OWN_LABELS = "openstack-rollout."
_UNIT = "PODMAN_SYSTEMD_UNIT"
_OVN_GUARD = "ovn_controller"


def desired(stage: str | None = None) -> dict:
    """What this node must be at the pillar's target_version.

    stage (str): narrows `services` to that stage's (to those of its round that a run names in the pillar's
    `openstack_rollout`), `packages` to that stage's {name: version}, and adds `images`: the references which
    that stage is the first to need. Each service has `here`: false where it is found, and not on this node or
    not known how it is run; then its image is not needed. Of those of `packaged` that share a unit the first
    moves for all (node/sharing.py). It has
    `restored`: its configuration files that go back to what they were before the run that is undone.

    Returns the share; `refused` is None, or {"reason", "message"} where the master refuses what is declared,
    the run is for another target, or no run has resolved a tag yet: nothing else counts then. With test=True
    a tag is no refusal.
    A node that no role matches has no stages. Without a target there is the system stage alone.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' openstack_node.desired services
    """
    try:
        found = shares.of_stage(__pillar__, stage)
        if stage and not __opts__.get("test"):
            shares.refuse_tags(found)
        return {**found, **_here(found), "packaged": sharing.together(found["packaged"]), "refused": None}
    except NodeError as error:
        refused = {"reason": error.reason, "message": error.text}
        return {"refused": refused, "stages": [], "services": [], "packaged": [], "packages": {}}


def guarded() -> dict[str, str]:
    """The containers of this node that have a guard: {container: name of the guard}. Needs no target.

    The master is asked for the share as it is now, so that an edit of a guard counts at once.

    Raises NodeError under the reason for which the master refuses what is declared.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' openstack_node.guarded
    """
    guards = shares.of(fresh_pillar.fresh(__opts__, __grains__)).get("guards", {})
    return {found_container.container_of(__salt__, name): guard for name, guard in guards.items()}


def facts(fresh: bool = False, refresh: bool = False) -> dict:
    """What this node is: records without judgement and without secrets, for the master.

    fresh (bool): ask the master for the pillar first; a minion's own copy is old right after an edit.
    refresh (bool): ask the package repositories first what is newer there.

    Returns what declared/facts.py of the master describes. Raises NodeError: the reason under which the
    master refuses what is declared, or NODE_ERROR when the node cannot be measured.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' openstack_node.facts fresh=True
    """
    share = shares.of(fresh_pillar.fresh(__opts__, __grains__) if fresh else __pillar__)
    try:
        engines.containers(__salt__)  # as they are now, whatever this job knew of them: all below goes by it
        known = carriers.carried(__salt__)
        if refresh and _follows_repositories(share):
            __salt__["system_packages.refresh"](share["lock_timeout"])
        return {**_measured(share, known), **_own_work(share, known), **_new(share)}
    except NodeError:
        raise
    except CommandExecutionError as error:
        raise NodeError("NODE_ERROR", str(error)) from error


def _here(share: Mapping[str, Any]) -> dict:
    """The services, each with whether it is here, and the images that those need which are."""
    found = any(one["definition"] == "found" for one in share["services"])
    known = carriers.carried(__salt__) if found else {}
    there = {*known, *_called(known).values()}
    undone = (share.get("rollback") or {}).get("of")
    services = [
        {
            **one,
            "here": one["definition"] != "found" or one["container"] in there,
            "restored": [path for path in one["config_files"] if undone and kept_files.former(undone, path)],
        }
        for one in share["services"]
    ]
    needed = {one["image"] for one in services if one["here"]}
    return {"services": services, "images": [one for one in share.get("images", ()) if one in needed]}


def _called(known: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """How the master calls containers that have another name here: {replica: bundle of Pacemaker}."""
    return {name: one["bundle"] for name, one in known.items() if one.get("bundle")}


def _measured(share: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> dict:
    """The node as it is: containers, packages, switch, data path, and why it needs a reboot."""
    called = _called(known)
    there = {called.get(name, name): one for name, one in engines.containers(__salt__, known=True).items()}
    installed = __salt__["package_set.installed"]()
    local = engines.local_images(__salt__)
    switch = __salt__["ovs.switch"]()
    references = {service["image"] for service in share["services"]}
    reboots = share.get("system", {}).get("reboot") != "never"
    return {
        "schema": SCHEMA,
        "id": __grains__["id"],
        "target": share["target"],
        "roles": list(share["roles"]),  # a copy: Salt prints what is of the pillar masked
        "os_family": __grains__.get("os_family", "RedHat"),
        "boot_id": _BOOT_ID.read_text(encoding="utf-8").strip(),
        "containers": {name: _container(one, local) for name, one in there.items()},
        "managed": sorted(__salt__["quadlet.managed"]()),
        "carried": _carried({called.get(name, name): one for name, one in known.items()}, local),
        "packaged": {one["name"]: _packaged(one) for one in share["packaged"]},
        "images": sorted(images.ids(references, local)),
        "packages": _watched(share, installed),
        "floors": _floors(share.get("floors", {}), installed),
        "held": __salt__["system_packages.held"](),
        "unfinished": __salt__["package_repair.found"](),
        "openvswitch": __salt__["ovs.status"](),
        "switch": switch and {key: switch[key] for key in ("running", "installed", "stale")},
        "datapath": __salt__["datapath.health"](),
        "reboot": __salt__["reboot_needed.evidence"](reboots, switch),
        "stateful": __salt__["node_workloads.stateful"](share=share),
        "virtual_addresses": __salt__["virtual_addresses.found"](),
        "reboot_without_effect": __salt__["reboot_needed.without_effect"](),
        "next_boot": __salt__["boot_loader.next_boot"]() if reboots else None,
        "bootc": __salt__["bootc.status"](),
        "minion": __salt__["minion_package.state"]()["state"],
        "configuration": __salt__["system_packages.configuration"](),
    }


def _own_work(share: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> dict:
    """What of this node's share is still to be done, beside images and packages."""
    guards, services = share.get("guards", {}), share["services"]
    names, here = [one["container"] for one in services], {b: name for name, b in _called(known).items()}
    legacy = {
        service["container"]: __salt__["legacy_unit.present"](service["legacy_units"]) for service in services
    }
    return {
        "live_patches": __salt__["kpatch.due"]() if share.get("system", {}).get("kpatch") else {},
        "migrations": [
            {"name": one["name"], "stage": one["stage"]} for one in __salt__["rollout_hooks.due"](share)
        ],
        "pending": sorted(
            {
                *(
                    name
                    for name, guard in guards.items()
                    if __salt__[f"{guard}.pending"](here.get(name, name))
                ),
                *(name for name in names if replacements.pending(here.get(name, name))),
            }
        ),
        "legacy_units": {name: list(units) for name, units in legacy.items() if units},
        "ovn_wait": _ovn_wait(share, here),
        "settings": {
            name: lines
            for name, guard in guards.items()
            if guard in WITH_SETTINGS and (lines := __salt__[f"{guard}.settings"](here.get(name, name)))
        },
        "checks": [
            _checked(check, service)
            for check in share.get("checks", ())
            for service in services
            if service["type"] == check["service"]
        ],
    }


def _ovn_wait(share: Mapping[str, Any], here: Mapping[str, str]) -> dict | None:
    """The setting of a chassis where the share wants something of it, or something of ours is set."""
    names = [name for name, guard in share.get("guards", {}).items() if guard == _OVN_GUARD]
    if not names or not (ovn_wait.is_asked(share.get("ovn")) or ovn_wait.RECORD.exists()):
        return None
    return __salt__["ovn_wait.found"](here.get(names[0], names[0]))


def _packaged(service: Mapping[str, Any]) -> dict:
    libraries, newest = service["libraries"], service["newest"]
    found = __salt__["packaged_service.found"](service["own"], service["units"], libraries)
    newer = __salt__["packaged_service.newer"](libraries, **newest) if newest and found["here"] else {}
    return {**found, "newer": newer}


def _container(one: Mapping[str, Any], local: Mapping[str, Iterable[str]]) -> dict:
    labels = {
        key: value for key, value in one["labels"].items() if key in _LABELS or key.startswith(_OWN_LABELS)
    }
    return {
        "running": one["running"],
        "healthy": one["healthy"],
        "image_id": one["image_id"],
        "digests": _digests(local.get(one["image_id"], ())),
        "labels": labels,
        "unit": labels.get(_UNIT),
        "exit_code": one.get("exit_code"),
        "names": sorted(local.get(one["image_id"], ())),
    }


def _carried(known: Mapping[str, Mapping[str, Any]], local: Mapping[str, Iterable[str]]) -> dict[str, dict]:
    """How the containers are run that a carrier knows."""
    units = sorted({one["unit"] for one in known.values() if one["unit"]})
    masked = __salt__["quadlet.masked"](*units) if units else []
    named = __salt__["podman.named_images"](known=True) if "podman.named_images" in __salt__ else {}

    def defined(one: Mapping[str, Any]) -> str | None:
        # Elsewhere the container itself is all that is started again.
        return named.get(one["image"]) if one["carrier"] in carriers.DEFINING else None

    return {
        name: {
            "carrier": one["carrier"],
            "unit": one["unit"],
            "image": one["image"],
            "digests": _digests(local.get(defined(one) or "", ())),
            "masked": one["unit"] in masked,
        }
        for name, one in known.items()
    }


def _digests(names: Iterable[str]) -> list[str]:
    """The digests in the names of an image."""
    return sorted({name.rpartition("@")[2] for name in names})


def _watched(share: Mapping[str, Any], installed: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The versions of the packages that releases name, of Open vSwitch's and of Salt's."""
    names = {*share.get("watched", ()), *packages.MINION_PACKAGES}
    return {
        name: list(versions)
        for name, versions in installed.items()
        if name in names or packages.of_the_switch(name)
    }


def _floors(
    floors: Mapping[str, list[str]], installed: Mapping[str, list[str]]
) -> dict[str, dict[str, bool]]:
    meets = packages.meets_by(installed, __salt__["pkg.version_cmp"])
    return {
        name: {floor: meets(name, floor) for floor in some}
        for name, some in floors.items()
        if name in installed
    }


def _follows_repositories(share: Mapping[str, Any]) -> bool:
    """Whether what this node has to be depends on what its repositories have."""
    return bool(_moves_others(share) or share.get("newest")) and not __salt__["bootc.status"]()


def _moves_others(share: Mapping[str, Any]) -> bool:
    return bool(share.get("system", {}).get("others"))


def _new(share: Mapping[str, Any]) -> dict[str, dict]:
    """What is newer of the packages that no release names, and of those that a release wants at the newest.
    What cannot be told is reported as {"unknown": why}.
    """
    if not _follows_repositories(share):
        return {"newer": {}, "offered": {}}
    installed = __salt__["package_set.installed"]()
    newest = [name for name in share.get("newest", ()) if name in installed]
    system = share.get("system", {})
    return {
        "newer": _told("plan", system["depth"], system["kept"]) if _moves_others(share) else {},
        "offered": _told("offered", newest) if newest else {},
    }


def _told(function: str, *arguments: Any) -> dict:
    try:
        return __salt__[f"system_packages.{function}"](*arguments)
    except CommandExecutionError as error:
        return {"unknown": str(error)[:1000]}


def _checked(check: Mapping[str, Any], service: Mapping[str, Any]) -> dict:
    """What a check of the release finds. The master refuses checks that would change anything."""
    call = check["call"]
    try:
        lines = list(__salt__[call](service["container"], **check["arguments"]) or ())
    except KeyError:
        lines = [f"{call}: this node has no such function"]
    except (CommandExecutionError, TypeError) as error:
        lines = [f"{call}: {error}"]
    return {"service": service["name"], "call": call, "lines": lines}
