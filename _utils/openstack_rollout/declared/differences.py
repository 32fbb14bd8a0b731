"""What a node is, compared with what it must be: records that say what differs, and the release it is at.

Pure: nothing here is recorded, so nothing can be stale. Whoever decides reads these records; the sentences
that people read are made of them in words.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from openstack_rollout.declared import next_boot, releases, share
from openstack_rollout.declared.completeness import DECLARED, FOUND
from openstack_rollout.declared.next_boot import Doubt
from openstack_rollout.declared.references import digest_of
from openstack_rollout.declared.releases import NO_RELEASE
from openstack_rollout.declared.share import Place
from openstack_rollout.errors import RolloutError
from openstack_rollout.errors import some as named
from openstack_rollout.node import packages
from openstack_rollout.node.carriers import DEFINING
from openstack_rollout.node.packages import MINION_PACKAGES

if TYPE_CHECKING:
    from openstack_rollout.declared.facts import Facts
    from openstack_rollout.declared.model import Model

CUSTOM = "custom"


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


#: What is about a container, by its name.
CONTAINERS = (
    Kind.CONTAINER_ABSENT,
    Kind.CONTAINER_IMAGE,
    Kind.CONTAINER_STOPPED,
    Kind.CONTAINER_FOREIGN,
    Kind.CONTAINER_DEFINED,
    Kind.CHANGE_UNFINISHED,
)


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it must be.

    stage (str): which has to put it right; "" of what is unhealthy whatever the release. subject (str): the
    container, package, unit. have, want: plain data, None where there is none.
    """

    stage: str
    kind: Kind
    subject: str
    have: Any = None
    want: Any = None


@dataclass(frozen=True)
class Compared:
    """A node as the master judges it.

    roles, zone: by the master's own targets. target: of the node's share. deployed: the release it is at,
    None between releases. stages: what differs, by each stage that the node has. health: what is broken
    whatever the release. stateful: what serves data on it, by kind. renews_minion: whether the system stage
    would move Salt's own packages. services: name → {"container", "image", "running", "image_id", "local",
    "release"}. packages: name → {"stage", "installed", "wanted"}. held: name → version that the operator's
    holds, locks and pins keep back. stays: name → {"version", "cause", "by"} of all that is newer and stays.
    checks: stage → what the release asks for and is not so. settings: stage → what an operator has set for
    which the stage would wait. notes: {"kind", "subject", "detail"} of what is beside the catalogue. boot_id:
    of the boot in which it was measured. next_boot: why the next may not start what is wanted.
    """

    id: str
    roles: tuple[str, ...]
    zone: str | None
    target: str
    deployed: str | None
    stages: dict[str, list[Difference]]
    health: list[Difference] = field(default_factory=list)
    switch: dict[str, Any] | None = None
    reboot: list[str] = field(default_factory=list)
    reboot_without_effect: list[str] = field(default_factory=list)
    next_boot: list[Doubt] = field(default_factory=list)
    stateful: dict[str, list[str]] = field(default_factory=dict)
    renews_minion: bool = False
    held: dict[str, str] = field(default_factory=dict)
    stays: dict[str, dict[str, str]] = field(default_factory=dict)
    configuration: list[str] = field(default_factory=list)
    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    packages: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[dict[str, str]] = field(default_factory=list)
    checks: dict[str, list[str]] = field(default_factory=dict)
    boot_id: str = ""
    settings: dict[str, list[str]] = field(default_factory=dict)

    def open(self, stages: Iterable[str]) -> list[Difference]:
        """What differs in these stages."""
        return [one for stage in stages for one in self.stages.get(stage, ())]


class Comparison:
    """Compares nodes with a model; what is the same for many nodes is worked out once."""

    def __init__(self, model: Model):
        self._model = model
        self._desired: dict[tuple[str, Place], dict[str, Any] | None] = {}
        self._versions = list(reversed(releases.versions(model)))
        self._versions.sort(key=lambda version: version != model.target_version)
        self._releases = _releases_by_digest(model)

    @property
    def target(self) -> str:
        """The release that nodes are compared with, "" where the system alone is. Raises RolloutError."""
        return releases.wanted(self._model)

    def compare(self, facts: Facts, roles: Iterable[str], zone: str | None) -> Compared:
        """Judge a node. roles, zone: by the master's targets. Raises RolloutError as share.desired does."""
        where = Place(tuple(roles), zone, facts.os_family)
        target = self.target
        wanted = self._of(target, where)
        if wanted is None:
            wanted = share.desired(self._model, target, where)  # which raises what is wrong
        deployed = self.deployed(facts, where)
        # What is told of services, where no release is wanted, is that of the release that runs.
        own = wanted if target or deployed is None else self._of(deployed, where) or wanted
        stages = {stage: list(found) for stage, found in differences(wanted, facts).items()}
        for one in _beside_the_release(wanted, facts):
            if one.stage in stages:
                stages[one.stage].append(one)
        return Compared(
            id=facts.id,
            roles=where.roles,
            zone=zone,
            target=facts.target,
            deployed=deployed,
            stages=stages,
            health=health(self._to_run(wanted, facts), facts),
            switch=facts.switch.model_dump() if facts.switch else None,
            reboot=list(facts.reboot),
            reboot_without_effect=list(facts.reboot_without_effect),
            next_boot=next_boot.doubts(facts.next_boot, _coming(stages.get("system", ()))),
            stateful=dict(facts.stateful),
            renews_minion=_renews_minion(stages.get("system", ()), facts),
            held=_held(wanted, facts),
            stays=_stays(wanted, facts),
            configuration=list(facts.configuration),
            services={one["name"]: self._service(one, facts) for one in own["services"]},
            packages=_package_facts(wanted, facts),
            notes=[*_notes(own, facts), *self._old_sidecars(own, facts)],
            checks=_failed_checks(wanted, facts, stages),
            boot_id=facts.boot_id,
            settings=_settings(wanted, facts, stages),
        )

    def deployed(self, facts: Facts, where: Place) -> str | None:
        """The release a node is at: every container runs its image and every managed package has its version.

        Where a node cannot tell two releases apart, the target wins over the newest. None: it is between
        releases.
        """
        for version in self._versions:
            wanted = self._of(version, where)
            if not wanted or not wanted["stages"] or not _can_tell(wanted, facts):
                continue
            if not any(True for _ in _all(wanted, facts)):
                return version
        return None

    def release_of(self, facts: Facts, container: str) -> str | None:
        """The release whose image a container runs, or CUSTOM; newer releases win."""
        found = facts.containers.get(container)
        known = [self._releases[one] for one in found.digests if one in self._releases] if found else []
        return known[0] if known else None

    def _of(self, version: str, where: Place) -> dict[str, Any] | None:
        """What such a node must be at a release; None where the release lacks an image of its services."""
        key = version, where
        if key not in self._desired:
            try:
                self._desired[key] = share.desired(self._model, version, where)
            except RolloutError:
                self._desired[key] = None
        return self._desired[key]

    def _to_run(self, wanted: Mapping[str, Any], facts: Facts) -> list[str]:
        """The containers that have to run; where no release is wanted, those of the catalogue that it has.

        That is not what the release that runs has: with a container down none is recognized.
        """
        if wanted["target"] != NO_RELEASE:
            some = wanted["services"]
            return [
                one["container"]
                for one in some
                if one["definition"] == DECLARED or (_is_carried(one, facts) and not one["one_shot"])
            ]
        has = {*facts.containers, *facts.managed}
        entries = self._model.catalogue.of_node(wanted["roles"])
        return [entry.container for entry in entries if entry.container in has and not entry.one_shot]

    def _old_sidecars(self, own: Mapping[str, Any], facts: Facts) -> Iterator[dict[str, str]]:
        """The containers of agents that were started of another image than the agent runs, by that image.

        Where an agent itself is not at its image, that is said already.
        """
        for agent, names in _sidecars(own, facts).items():
            image = next(one["image"] for one in own["services"] if one["container"] == agent)
            runs = facts.containers.get(agent)
            if runs is None or digest_of(image) not in runs.digests:
                continue
            old: dict[str, list[str]] = {}
            for name in names:
                container = facts.containers[name]
                if digest_of(image) not in container.digests:
                    called = self.release_of(facts, name) or container.image_id[:12]
                    old.setdefault(called, []).append(name)
            for called, those in old.items():
                count = {"old": str(len(those)), "all": str(len(names)), "image": called}
                yield {"kind": "old_sidecars", "subject": agent, "detail": named(those), **count}

    def _service(self, service: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
        container = facts.containers.get(service["container"])
        return {
            "container": service["container"],
            "image": service["image"],
            "running": bool(container and container.running),
            "image_id": container.image_id if container else None,
            "local": service["image"] in facts.images,
            "release": self.release_of(facts, service["container"]),
        }


def differences(wanted: Mapping[str, Any], facts: Facts) -> dict[str, list[Difference]]:
    """What keeps a node from being at a release, by stage; an empty list is a stage that is done.

    wanted (dict): of share.desired.
    """
    found: dict[str, list[Difference]] = {stage: [] for stage in wanted["stages"]}
    for one in _all(wanted, facts):
        found[one.stage].append(one)
    return found


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


def _all(wanted: Mapping[str, Any], facts: Facts) -> Iterator[Difference]:
    for service in wanted["services"]:
        yield from _of_container(service, facts)
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
        if not _is_carried(service, facts):
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


def _can_tell(wanted: Mapping[str, Any], facts: Facts) -> bool:
    """Whether anything on a node tells which release it is at: a container of its services, or a package."""
    services = wanted["services"]
    some = any(one["definition"] == DECLARED or _is_carried(one, facts) for one in services)
    return some or not services or any(wanted["packages"].values())


def _is_carried(service: Mapping[str, Any], facts: Facts) -> bool:
    """Whether a found service is here, and ours to update."""
    record = facts.carried.get(service["container"])
    return record is not None and not record.masked


def _is_foreign(name: str, facts: Facts) -> bool:
    """Whether a container is somebody else's: not of a quadlet of ours, nor of an installer before us."""
    return name in facts.containers and name not in facts.managed and not facts.legacy_units.get(name)


def _unit(name: str, facts: Facts) -> str | None:
    """The unit that runs a container, where that is known."""
    record = facts.carried.get(name)
    return record.unit if record else facts.containers[name].unit


def _of_packages(stage: str, some: Mapping[str, str], facts: Facts) -> Iterator[Difference]:
    install, remove = packages.changes(stage, some, facts.packages, _meets(facts))
    for name, version in install.items():
        if stage == "system" and name in facts.held:
            continue  # what the operator holds is told, and stays
        yield Difference(stage, Kind.PACKAGE, name, list(facts.packages.get(name, ())), version)
    for name in remove:
        kind = Kind.PACKAGE_LEFT if name in facts.packages else Kind.PACKAGE_DOUBLE
        yield Difference(stage, kind, name)
    if stage != "system":
        yield from _unfinished(stage, packages.to_mend(stage, some, _broken(facts)), facts)


def _broken(facts: Facts) -> set[str]:
    """The packages that a killed transaction left half done."""
    return {*facts.unfinished.doubles, *facts.unfinished.half}


def _unfinished(stage: str, names: Iterable[str], facts: Facts) -> Iterator[Difference]:
    for name in sorted(names):
        if name in facts.unfinished.doubles:
            yield Difference(stage, Kind.PACKAGE_DOUBLE, name, list(facts.unfinished.doubles[name]))
        else:
            yield Difference(stage, Kind.PACKAGE_HALF, name, [facts.unfinished.half[name]])


def _beside_the_release(wanted: Mapping[str, Any], facts: Facts) -> Iterator[Difference]:
    """What has to be done by a stage although the node is at its release: newer packages, migrations, …"""
    stages = {one["container"]: one["stage"] for one in wanted["services"]}
    for name in facts.pending:
        if name in stages:
            yield Difference(stages[name], Kind.CHANGE_UNFINISHED, name)
    for due in facts.migrations:
        yield Difference(due.stage, Kind.MIGRATION, due.name)
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


def _coming(open_ends: Iterable[Difference]) -> Iterator[str]:
    """The packages that a stage is about to move."""
    for one in open_ends:
        if one.kind == Kind.PACKAGE:
            yield one.subject
        elif one.kind == Kind.NEWER:
            yield from one.want


def _renews_minion(open_ends: Iterable[Difference], facts: Facts) -> bool:
    moving = (Kind.PACKAGE, Kind.PACKAGE_DOUBLE, Kind.PACKAGE_HALF)
    pinned = any(one.kind in moving and one.subject in MINION_PACKAGES for one in open_ends)
    begun = any(one.kind == Kind.MINION for one in open_ends)
    return pinned or begun or any(name in facts.newer.upgrade for name in MINION_PACKAGES)


def _held(wanted: Mapping[str, Any], facts: Facts) -> dict[str, str]:
    """What the operator's holds and locks keep back: {name: the version that there would be}."""
    system = wanted["packages"].get("system", {})
    install, _ = packages.changes("system", system, facts.packages, _meets(facts))
    return {**facts.newer.held, **{name: one for name, one in install.items() if name in facts.held}}


def _stays(wanted: Mapping[str, Any], facts: Facts) -> dict[str, dict[str, str]]:
    """What is newer and stays, each with its cause: {name: {"version", "cause", "by"}}."""
    told = {name: one.model_dump() for name, one in facts.newer.stays.items()}
    cause = "hold" if facts.os_family == "Debian" else "versionlock"
    for name, version in _held(wanted, facts).items():
        told.setdefault(name, {"version": version, "cause": cause, "by": ""})
    return told


def _package_facts(wanted: Mapping[str, Any], facts: Facts) -> dict[str, dict[str, Any]]:
    found = {}
    for stage, some in wanted["packages"].items():
        install, remove = packages.changes(stage, some, facts.packages, _meets(facts))
        for name in (*(one for one in some if one in facts.packages or one in install), *remove):
            installed = list(facts.packages.get(name, ()))
            found[name] = {"stage": stage, "installed": installed, "wanted": some.get(name)}
    return found


def _notes(own: Mapping[str, Any], facts: Facts) -> Iterator[dict[str, str]]:
    """What runs beside the catalogue, and what earlier installers or releases left."""
    known = {service["container"] for service in own["services"]}
    known.update(name for names in _sidecars(own, facts).values() for name in names)
    for service in own["services"]:
        if service["definition"] == FOUND:
            yield from _notes_of_found(service, facts)
    for name, container in sorted(facts.containers.items()):
        if name not in known and container.running:
            yield {"kind": "beside", "subject": name, "detail": ""}
    for name in facts.managed:
        if name not in known:
            yield {"kind": "orphan", "subject": name, "detail": ""}
    found = {one["container"] for one in own["services"] if one["definition"] == FOUND}
    for name, units in sorted(facts.legacy_units.items()):
        for unit in units if name not in found else ():
            yield {"kind": "legacy", "subject": name, "detail": unit}


def _sidecars(own: Mapping[str, Any], facts: Facts) -> dict[str, list[str]]:
    """The running containers that agents of the catalogue started: {the agent's: theirs}."""
    found: dict[str, list[str]] = {}
    services = {one["container"]: one["sidecars"] for one in own["services"]}
    for name, container in sorted(facts.containers.items()):
        if container.running and name not in services:
            for agent, globs in services.items():
                if any(fnmatchcase(name, glob) for glob in globs):
                    found.setdefault(agent, []).append(name)
                    break
    return found


def _notes_of_found(service: Mapping[str, Any], facts: Facts) -> Iterator[dict[str, str]]:
    """What is told of a found service: not here, left alone, or to start as another image the next time."""
    name = service["container"]
    record, container = facts.carried.get(name), facts.containers.get(name)
    if service["one_shot"] and record and not record.masked:
        if container and not container.running and container.exit_code:
            yield {"kind": "exited", "subject": name, "detail": str(container.exit_code)}
        return
    if record is None:
        yield {"kind": "foreign" if container else "not_here", "subject": name, "detail": ""}
    elif record.masked:
        yield {"kind": "masked", "subject": name, "detail": record.unit}
    elif container and record.digests and not set(record.digests) & set(container.digests):
        yield {"kind": "defined", "subject": name, "detail": record.image}


def _failed_checks(
    wanted: Mapping[str, Any], facts: Facts, stages: Mapping[str, list[Difference]]
) -> dict[str, list[str]]:
    """What the release asks for and is not so, by the stage of the service that is about to move to it."""
    moving = _moving(stages)
    asked = {(one["service"], one["call"]) for one in wanted.get("checks", ())}
    found: dict[str, list[str]] = {}
    for service in wanted["services"]:
        if service["container"] in moving:
            lines = [
                line
                for one in facts.checks
                if one.service == service["name"] and (service["type"], one.call) in asked
                for line in one.lines
            ]
            if lines:
                found.setdefault(service["stage"], []).extend(lines)
    return found


def _settings(
    wanted: Mapping[str, Any], facts: Facts, stages: Mapping[str, list[Difference]]
) -> dict[str, list[str]]:
    """What operators have set for which services would wait that are about to move, by their stage."""
    moving = _moving(stages)
    found: dict[str, list[str]] = {}
    for service in wanted["services"]:
        container = service["container"]
        if container in moving and (lines := facts.settings.get(container)):
            found.setdefault(service["stage"], []).extend(lines)
    return found


def _moving(stages: Mapping[str, list[Difference]]) -> set[str]:
    """The containers that are about to have another image."""
    return {one.subject for some in stages.values() for one in some if one.kind == Kind.CONTAINER_IMAGE}


def _meets(facts: Facts) -> packages.Meets:
    return lambda name, floor: facts.floors.get(name, {}).get(floor, False)


def _releases_by_digest(model: Model) -> dict[str, str]:
    found: dict[str, str] = {}
    for version in releases.versions(model):
        for _, _, reference in releases.references_of(model.releases[version].images):
            if digest := digest_of(reference):
                found[digest] = version
    for _, _, reference in releases.references_of(model.custom_images):
        if digest := digest_of(reference):
            found.setdefault(digest, CUSTOM)
    return found
