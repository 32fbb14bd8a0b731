"""What a node is, compared with what it must be: records that say what differs.

Whoever decides reads these records; the sentences that people read are made of them in words.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from openstack_rollout.declared.completeness import DECLARED, FOUND
from openstack_rollout.declared.references import digest_of
from openstack_rollout.node import ovn_wait, packages
from openstack_rollout.node.carriers import DEFINING
from openstack_rollout.node.packages import MINION_PACKAGES, NEWEST

if TYPE_CHECKING:
    from openstack_rollout.declared.facts import Facts


class Kind(StrEnum):
    """What kind of thing differs."""

    CONTAINER_ABSENT = "container_absent"
    CONTAINER_IMAGE = "container_image"
    CONTAINER_STOPPED = "container_stopped"
    CONTAINER_FOREIGN = "container_foreign"
    CONTAINER_DEFINED = "container_defined"
    CHANGE_UNFINISHED = "change_unfinished"
    PACKAGE = "package"
    PACKAGE_LEFT = "package_left"
    PACKAGE_DOUBLE = "package_double"
    PACKAGE_HALF = "package_half"
    PACKAGES_UNKNOWN = "packages_unknown"
    SYSTEM_IMAGE = "system_image"
    SWITCH_DISABLED = "switch_disabled"
    SWITCH_STALE = "switch_stale"
    SERVICE_PACKAGES = "service_packages"
    SERVICE_LIBRARIES = "service_libraries"
    SERVICE_UNKNOWN = "service_unknown"
    SERVICE_STALE = "service_stale"
    SERVICE_STOPPED = "service_stopped"
    NEWER = "newer"
    NEWER_UNKNOWN = "newer_unknown"
    LIVE_PATCHES = "live_patches"
    MINION = "minion"
    MIGRATION = "migration"
    REBOOT = "reboot"
    NOT_RUNNING = "not_running"
    UNHEALTHY = "unhealthy"
    SWITCH_INACTIVE = "switch_inactive"
    DATAPATH = "datapath"
    OVN_WAIT = "ovn_wait"


#: What is about a container, by its name.
CONTAINERS = (
    Kind.CONTAINER_ABSENT,
    Kind.CONTAINER_IMAGE,
    Kind.CONTAINER_STOPPED,
    Kind.CONTAINER_FOREIGN,
    Kind.CONTAINER_DEFINED,
    Kind.CHANGE_UNFINISHED,
)


#: What is about a service that is packages, by its name.
PACKAGED = (
    *(Kind.SERVICE_PACKAGES, Kind.SERVICE_LIBRARIES, Kind.SERVICE_UNKNOWN),
    *(Kind.SERVICE_STALE, Kind.SERVICE_STOPPED),
)


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it must be.

    stage (str): which has to put it right; "" of what is unhealthy whatever the release. subject (str): the
    container, package, unit, packaged service. have, want: plain data, None where there is none.
    """

    stage: str
    kind: Kind
    subject: str
    have: Any = None
    want: Any = None


def differences(wanted: Mapping[str, Any], facts: Facts) -> dict[str, list[Difference]]:
    """What keeps a node from being at a release, by stage; an empty list is a stage that is done.

    wanted (dict): of share.desired.
    """
    found: dict[str, list[Difference]] = {stage: [] for stage in wanted["stages"]}
    for one in _all(wanted, facts):
        found[one.stage].append(one)
    return found


def can_tell(wanted: Mapping[str, Any], facts: Facts) -> bool:
    """Whether anything on a node tells which release it is at: a container of its services, or a package."""
    services = wanted["services"]
    some = any(one["definition"] == DECLARED or is_carried(one, facts) for one in services)
    told = (facts.packaged.get(one["name"]) for one in wanted["packaged"] if one["packages"])
    installed = any(record is not None and record.here for record in told)
    nothing = not services and not wanted["packaged"]
    return some or installed or nothing or any(wanted["packages"].values())


def differs(wanted: Mapping[str, Any], facts: Facts) -> bool:
    """Whether anything keeps a node from being at a release; the first thing found is enough."""
    return any(True for _ in _all(wanted, facts))


def health(containers: Iterable[str], facts: Facts) -> list[Difference]:
    """What is broken on a node that has to run these containers, whatever the version."""
    found = []
    for name in containers:
        container = facts.containers.get(name)
        if container is None or not container.running:
            found.append(Difference("", Kind.NOT_RUNNING, name))
        elif container.healthy is False:
            found.append(Difference("", Kind.UNHEALTHY, name))
    if facts.openvswitch and not facts.openvswitch.active:
        found.append(Difference("", Kind.SWITCH_INACTIVE, facts.openvswitch.unit))
    return [*found, *(Difference("", Kind.DATAPATH, "data path", line) for line in facts.datapath)]


def beside_the_release(wanted: Mapping[str, Any], facts: Facts) -> Iterator[Difference]:
    """What has to be done by a stage although the node is at its release: newer packages, migrations, …"""
    stages = {one["container"]: one["stage"] for one in wanted["services"]}
    for name in facts.pending:
        if name in stages:
            yield Difference(stages[name], Kind.CHANGE_UNFINISHED, name)
    for due in facts.migrations:
        yield Difference(due.stage, Kind.MIGRATION, due.name)
    yield from _newer_libraries(wanted["packaged"], facts)
    told = facts.ovn_wait and facts.ovn_wait.model_dump()
    if told and (wait := ovn_wait.due(wanted.get("ovn"), told)) is not None:
        yield Difference("ovn", Kind.OVN_WAIT, ovn_wait.SETTING, told["have"] or None, wait or None)
    if "system" not in wanted["stages"]:
        return
    if facts.unfinished.unknown:
        yield Difference("system", Kind.PACKAGES_UNKNOWN, "packages", facts.unfinished.unknown)
    others = {name for stage, some in wanted["packages"].items() if stage != "system" for name in some}
    broken = packages.to_mend("system", (), _broken(facts) - others, wanted["system"]["exclude"])
    salts = {name for name in MINION_PACKAGES if name in _broken(facts) and name not in facts.held}
    yield from _unfinished("system", broken | salts, facts)
    if facts.newer.upgrade:
        yield Difference("system", Kind.NEWER, "packages", None, sorted(facts.newer.upgrade))
    elif facts.newer.unknown:
        yield Difference("system", Kind.NEWER_UNKNOWN, "packages", facts.newer.unknown)
    if facts.live_patches:
        yield Difference("system", Kind.LIVE_PATCHES, "kernel", None, sorted(facts.live_patches))
    if facts.minion in ("waiting", "failed"):
        yield Difference("system", Kind.MINION, "salt-minion", facts.minion)
    if wanted["system"]["reboot"] != "never":
        for line in facts.reboot:
            yield Difference("system", Kind.REBOOT, "node", line)


def is_carried(service: Mapping[str, Any], facts: Facts) -> bool:
    """Whether a found service is here, and ours to update."""
    record = facts.carried.get(service["container"])
    return record is not None and not record.masked


def _all(wanted: Mapping[str, Any], facts: Facts) -> Iterator[Difference]:
    for service in wanted["services"]:
        yield from _of_container(service, facts)
    for service in wanted["packaged"]:
        yield from _of_packaged(service, facts)
    yield from _half_services(wanted["packaged"], facts)
    if facts.bootc:
        # The packages of a bootc host are those of its image; one that is staged waits for a reboot alone.
        image, coming = (wanted.get("system") or {}).get("os_image"), facts.bootc.staged or facts.bootc.booted
        if image and coming != image:
            yield Difference("system", Kind.SYSTEM_IMAGE, "system image", coming, image)
    else:
        for stage, some in wanted["packages"].items():
            yield from _of_packages(stage, some, facts)
    if "ovs" in wanted["stages"]:
        if facts.openvswitch and not facts.openvswitch.enabled:
            yield Difference("ovs", Kind.SWITCH_DISABLED, facts.openvswitch.unit)
        if wanted["ovs"]["reload"] and facts.switch and facts.switch.stale:
            yield Difference("ovs", Kind.SWITCH_STALE, "switch", facts.switch.running, facts.switch.installed)


def _of_container(service: Mapping[str, Any], facts: Facts) -> Iterator[Difference]:
    name, stage, image = service["container"], service["stage"], service["image"]
    container = facts.containers.get(name)
    if service["definition"] == FOUND:
        if not is_carried(service, facts):
            return  # it is somebody else's, or not here: that is told, and left alone
        if service["one_shot"]:
            yield from _of_one_shot(service, facts)
            return
        if container is None:
            yield Difference(stage, Kind.CONTAINER_STOPPED, name, None, image)
            return
    elif _is_foreign(name, facts):
        yield Difference(stage, Kind.CONTAINER_FOREIGN, name, _unit(name, facts), image)
        return
    if container is None:
        yield Difference(stage, Kind.CONTAINER_ABSENT, name, None, image)
    elif digest_of(image) not in container.digests:
        yield Difference(stage, Kind.CONTAINER_IMAGE, name, container.image_id, image)
    elif not container.running:
        yield Difference(stage, Kind.CONTAINER_STOPPED, name, None, image)


def _of_one_shot(service: Mapping[str, Any], facts: Facts) -> Iterator[Difference]:
    """It ends by itself, and may be gone then: what counts is the image that its definition starts next."""
    name, image = service["container"], service["image"]
    record = facts.carried[name]
    if record.carrier not in DEFINING:
        return  # its deployer creates it for each run
    if digest_of(image) not in (digest_of(record.image), *record.digests):
        yield Difference(service["stage"], Kind.CONTAINER_DEFINED, name, record.image, image)


def _of_packaged(service: Mapping[str, Any], facts: Facts) -> Iterator[Difference]:
    """A service that is packages: moved, else not known to be at its newest, else started anew or started."""
    name, stage = service["name"], service["stage"]
    record = facts.packaged.get(name)
    if record is None or not record.here:
        return
    wanted, offered = service["packages"], facts.offered
    install, _ = packages.changes(stage, wanted, facts.packages, facts.meets, offered.upgrade)
    if install:
        have = {one: list(facts.packages.get(one, ())) for one in install}
        yield Difference(stage, Kind.SERVICE_PACKAGES, name, have, install)
    elif offered.unknown and any(wanted[one] == NEWEST for one in wanted if one in facts.packages):
        yield Difference(stage, Kind.SERVICE_UNKNOWN, name, offered.unknown)
    elif record.stale:
        yield Difference(stage, Kind.SERVICE_STALE, name, None, list(record.stale))
    elif stopped := sorted(unit for unit, state in record.units.items() if state == "inactive"):
        yield Difference(stage, Kind.SERVICE_STOPPED, name, stopped)


def _half_services(services: Iterable[Mapping[str, Any]], facts: Facts) -> Iterator[Difference]:
    """What a killed transaction left of services that are packages, and of their libraries.

    Such a service counts as here: dpkg does not call installed what it has half done.
    """
    globs: dict[str, list[str]] = {}
    for one in services:
        globs.setdefault(one["stage"], []).extend([*one["packages"], *one["own"], *one["libraries"]])
    for stage, some in globs.items():
        yield from _unfinished(stage, packages.to_mend(stage, some, _broken(facts)), facts)


def _newer_libraries(services: Iterable[Mapping[str, Any]], facts: Facts) -> Iterator[Difference]:
    """What services share and no release names: it moves with the first of them."""
    for one in services:
        record = facts.packaged.get(one["name"])
        if record and record.newer:
            yield Difference(one["stage"], Kind.SERVICE_LIBRARIES, one["name"], None, sorted(record.newer))


def _is_foreign(name: str, facts: Facts) -> bool:
    """Whether a container is somebody else's: not of a quadlet of ours, nor of an installer before us."""
    return name in facts.containers and name not in facts.managed and not facts.legacy_units.get(name)


def _unit(name: str, facts: Facts) -> str | None:
    """The unit that runs a container, where that is known."""
    record = facts.carried.get(name)
    return record.unit if record else facts.containers[name].unit


def _of_packages(stage: str, some: Mapping[str, str], facts: Facts) -> Iterator[Difference]:
    install, remove = packages.changes(stage, some, facts.packages, facts.meets)
    for name, version in install.items():
        if stage == "system" and name in facts.held:
            continue  # what the operator holds is told, and stays
        yield Difference(stage, Kind.PACKAGE, name, list(facts.packages.get(name, ())), version)
    for name in remove:
        kind = Kind.PACKAGE_LEFT if name in facts.packages else Kind.PACKAGE_DOUBLE
        yield Difference(stage, kind, name)
    if stage != "system":
        yield from _unfinished(stage, packages.to_mend(stage, some, _broken(facts)), facts)


def _unfinished(stage: str, names: Iterable[str], facts: Facts) -> Iterator[Difference]:
    for name in sorted(names):
        if name in facts.unfinished.doubles:
            yield Difference(stage, Kind.PACKAGE_DOUBLE, name, list(facts.unfinished.doubles[name]))
        else:
            yield Difference(stage, Kind.PACKAGE_HALF, name, [facts.unfinished.half[name]])


def _broken(facts: Facts) -> set[str]:
    """The packages that a killed transaction left half done."""
    return {*facts.unfinished.doubles, *facts.unfinished.half}
