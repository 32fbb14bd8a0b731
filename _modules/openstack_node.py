"""What this node has to be at its release, and what it is: the node's side of every comparison.

Both questions are answered from the pillar and the machine as they are now; nothing is recorded.
"""

from __future__ import annotations

from pathlib import Path

from salt.exceptions import CommandExecutionError

from openstack_rollout import catalog, measure, node_pillar, release, validation
from openstack_rollout.errors import RolloutError

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def desired(stage: str | None = None) -> dict:
    """What this node must be at the pillar's target_version.

    stage (str): narrows `services` to that stage's (to those of its round that a run names in the pillar's
    `openstack_rollout`), `packages` to that stage's {name: version}, and adds `images`: the references which
    that stage is the first to need.

    Returns the node's desired state as release.resolve gives it, plus `containers`: the names of all its
    containers, and `last`: the last of its stages that has containers. A node that no role matches, or a
    pillar without `openstack`, has no stages.
    Without a target there is the system stage alone. Raises CommandExecutionError led by the reason
    (INVALID_PILLAR, UNKNOWN_TARGET, …); by TARGET_CHANGED when
    a run to another target asks (it says so in the pillar's `openstack_rollout`).

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' openstack_node.desired services
    """
    whole = _resolved(stage)
    whole["containers"] = [service["container"] for service in whole["services"]]
    whole["last"] = next((s for s in reversed(whole["stages"]) if s in catalog.SERVICE_STAGES), None)
    if stage is None:
        return whole
    asked = (__pillar__.get("openstack_rollout") or {}).get("services")
    services = [
        service
        for service in whole["services"]
        if service["stage"] == stage and (asked is None or service["name"] in asked)
    ]
    earlier = catalog.STAGES[: catalog.STAGES.index(stage)]
    pulled = {service["image"] for service in whole["services"] if service["stage"] in earlier}
    images = list(dict.fromkeys(service["image"] for service in services if service["image"] not in pulled))
    return {**whole, "services": services, "packages": whole["packages"].get(stage, {}), "images": images}


def guarded() -> dict[str, str]:
    """The containers of this node that a guard sees through a change, by the catalogue: {container: guard}.

    Needs no target. Raises CommandExecutionError as `desired` does.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' openstack_node.guarded
    """
    try:
        openstack = validation.checked(__pillar__)
        wanted = release.get(openstack, release.wanted(openstack))
        entries = catalog.of_node(openstack, _node(openstack)["roles"], wanted)
    except RolloutError as error:
        raise CommandExecutionError(str(error)) from error
    return {entry["container"]: entry["guard"] for entry in entries if entry.get("guard", "none") != "none"}


def facts(fresh: bool = False, refresh: bool = False) -> dict:
    """What this node is, compared with its release: small, and without secrets, for the event bus.

    fresh (bool): ask the master for the pillar first; a minion's own copy is old right after an edit.
    refresh (bool): ask the package repositories first what is newer there.

    Returns measure.facts: id, roles, zone, target, deployed, differences by stage, health, services, packages
    and notes. Raises CommandExecutionError led by the reason (INVALID_PILLAR, …), also when the node cannot
    be measured (NODE_ERROR).

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' openstack_node.facts fresh=True
    """
    try:
        openstack = validation.checked(_fresh_pillar() if fresh else __pillar__)
        node = _node(openstack)
        system = release.resolve(openstack, release.wanted(openstack), node)["system"]
        references = release.references(openstack, node)
        whole = measured(references, system["reboot"] != "never") | {
            "newer": _newer(system, refresh),
            "migrations": __salt__["rollout_hooks.due"](openstack),
            "live_patches": __salt__["kpatch.due"]() if system["kpatch"] else {},
            "compare": __salt__["pkg.version_cmp"],
        }
        found = measure.facts(openstack, node, whole)
        aim = release.resolve(openstack, found["target"], node)
        wanted = {service["container"]: service for service in aim["services"]}
    except RolloutError as error:
        raise CommandExecutionError(str(error)) from error
    found["notes"] += _leftovers(wanted)
    found["checks"] = _release_checks(aim, found["stages"])
    for service in wanted.values():
        if service["guard"] != "none" and __salt__[f"{service['guard']}.pending"](service["container"]):
            found["stages"][service["stage"]].append(
                f"container {service['container']}: its change was begun and not finished"
            )
    return found


def measured(references: list[str] | None = None, thorough: bool = False) -> dict:
    """The node as it is: containers, local images, packages, switch, data path, and why it needs a reboot.

    references (list): the image references to look up. thorough (bool): of reboot_needed.evidence.

    Returns {"containers", "managed", "images", "packages", "openvswitch", "switch", "datapath", "reboot",
    "bootc", "minion", "held", "configuration"}.
    Raises CommandExecutionError led by NODE_ERROR when the node cannot tell.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' openstack_node.measured
    """
    if "podman.containers" not in __salt__:
        raise CommandExecutionError("NODE_ERROR: podman is not installed")
    try:
        return {
            "containers": __salt__["podman.containers"](),
            "managed": sorted(__salt__["quadlet.managed"]()),
            "images": __salt__["podman.image_ids"](references or []),
            "packages": __salt__["package_set.installed"](),
            "openvswitch": __salt__["ovs.status"](),
            "switch": __salt__["ovs.switch"](),
            "datapath": __salt__["datapath.health"](),
            "reboot": __salt__["reboot_needed.evidence"](thorough),
            "bootc": __salt__["bootc.status"](),
            "minion": __salt__["minion_package.state"]()["state"],
            "held": __salt__["system_packages.held"](),
            "configuration": __salt__["system_packages.configuration"](),
        }
    except CommandExecutionError as error:
        raise CommandExecutionError(f"NODE_ERROR: {error}") from error


def _newer(system: dict, refresh: bool) -> dict:
    """What is newer of the packages that no release names. A refresh that fails raises; without one, what
    cannot be told is told so.
    """
    if not system["others"] or __salt__["bootc.status"]():
        return {}
    if refresh:
        __salt__["system_packages.refresh"](system["lock_timeout"])
    try:
        return __salt__["system_packages.plan"](system["depth"], system["kept"])
    except CommandExecutionError as error:
        return {"unknown": f"newer packages: {error}"}


def _resolved(stage: str | None) -> dict:
    if not __pillar__.get("openstack"):
        return {"version": None, "roles": [], "zone": None, "stages": [], "services": [], "packages": {}}
    try:
        openstack = validation.checked(__pillar__)
        run = __pillar__.get("openstack_rollout") or {}
        target = release.wanted(openstack, [stage] if stage else run.get("stages", catalog.STAGES))
        wanted = run.get("target", target)
        if wanted != target:
            raise RolloutError(
                "TARGET_CHANGED", f"openstack:target_version is now {target}, the run is for {wanted}"
            )
        return release.resolve(openstack, target, _node(openstack))
    except RolloutError as error:
        raise CommandExecutionError(str(error)) from error


def _node(openstack: dict) -> dict:
    roles = openstack.get("roles") or {}
    zones = openstack.get("zones") or {}
    return {
        "id": __grains__["id"],
        "roles": [role for role in catalog.ROLES if role in roles and _matches(roles[role])],
        "zone": next((zone for zone, target in sorted(zones.items()) if _matches(target)), None),
        "os_family": __grains__.get("os_family", "RedHat"),
        "boot_id": _BOOT_ID.read_text(encoding="utf-8").strip(),
    }


def _matches(target: str) -> bool:
    return bool(__salt__["match.compound"](target))


def _fresh_pillar() -> dict:
    return node_pillar.fresh(__opts__, __grains__)


def _release_checks(wanted: dict, ends: dict[str, list[str]]) -> dict[str, list[str]]:
    """What the release asks for and is not so, by the stage of the service that is about to move to it."""
    found: dict[str, list[str]] = {}
    for check in wanted["checks"]:
        for service in wanted["services"]:
            mark = f"container {service['container']}: runs "
            if service["type"] != check["service"] or not any(
                line.startswith(mark) for line in ends.get(service["stage"], ())
            ):
                continue
            try:
                lines = __salt__[check["call"]](service["container"], **(check.get("arguments") or {}))
            except KeyError:
                lines = [f"{check['call']}: this node has no such function"]
            except CommandExecutionError as error:
                lines = [f"{check['call']}: {error}"]
            found.setdefault(service["stage"], []).extend(lines or ())
    return found


def _leftovers(wanted: dict) -> list[str]:
    """Notes on what earlier installers, or earlier releases, left on the node."""
    found = [
        f"container {container}: started by us, and not wanted on this node"
        for container in __salt__["quadlet.managed"]()
        if container not in wanted
    ]
    for container, service in wanted.items():
        for unit in __salt__["legacy_unit.present"](service["legacy_units"]):
            found.append(f"container {container}: the earlier installer's unit {unit} is still there")
    return found
