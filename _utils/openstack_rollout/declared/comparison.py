"""Nodes compared with a model: what differs, what is told beside that, and the release that each is at.

Pure: nothing here is recorded, so nothing can be stale.
"""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from openstack_rollout.declared import differences, next_boot, releases, remarks, share, way_back
from openstack_rollout.declared.completeness import DECLARED
from openstack_rollout.declared.differences import Difference, Kind
from openstack_rollout.declared.next_boot import Doubt
from openstack_rollout.declared.references import digest_of
from openstack_rollout.declared.releases import NO_RELEASE
from openstack_rollout.declared.share import Place
from openstack_rollout.errors import RolloutError
from openstack_rollout.errors import some as named
from openstack_rollout.node.packages import MINION_PACKAGES

if TYPE_CHECKING:
    from openstack_rollout.declared.facts import Facts
    from openstack_rollout.declared.model import Model

CUSTOM = "custom"
#: Different answers that are kept, whoever gives them; and characters of a boot's identifier.
_KEPT, _BOOT = 256, 4096


@dataclass(frozen=True)
class Compared:
    """A node as the master judges it.

    roles, zone: by the master's own targets. target: of the node's share. deployed: the release it is at,
    None between releases. stages: what differs, by each stage that the node has. health: what is broken
    whatever the release. stateful: what serves data on it, by kind. virtual_addresses: those that it may
    hold, and whether it does. renews_minion: whether the system stage would move Salt's own packages.
    services: name → {"type", "container", "image", "running", "image_id", "local", "release"}. packages:
    name → {"stage", "installed", "wanted"}. held: name → version that the operator's holds, locks and pins
    keep back. stays: name → {"version", "cause", "by"} of all that is newer and stays. checks: stage → what
    the release asks for and is not so. settings: stage → what an operator has set for which the stage would
    wait. notes: {"kind", "subject", "detail"} of what is beside the catalogue. agents: stage → service →
    what OpenStack calls its agent, of those that are packages and run here. packaged: name → type, of the
    services that are packages and run here. os_family: of its distribution. boot_id: of the boot in which it
    was measured. next_boot: why the next may not start what is wanted. former: what a rollback would bring
    back of what comes next (way_back).
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
    virtual_addresses: dict[str, Any] = field(default_factory=dict)
    renews_minion: bool = False
    held: dict[str, str] = field(default_factory=dict)
    stays: dict[str, dict[str, str]] = field(default_factory=dict)
    configuration: list[str] = field(default_factory=list)
    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    packages: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[dict[str, str]] = field(default_factory=list)
    checks: dict[str, list[str]] = field(default_factory=dict)
    agents: dict[str, dict[str, str]] = field(default_factory=dict)
    packaged: dict[str, str] = field(default_factory=dict)
    os_family: str = ""
    boot_id: str = ""
    settings: dict[str, list[str]] = field(default_factory=dict)
    former: dict[str, Any] = field(default_factory=dict)

    def open(self, stages: Iterable[str]) -> list[Difference]:
        """What differs in these stages."""
        return [one for stage in stages for one in self.stages.get(stage, ())]


class _Judged(NamedTuple):
    """A node that was judged. own: its id and its boot, as it told them. rest: the fingerprint of what
    else it told, and what it was compared as.
    """

    own: tuple[Any, Any]
    rest: tuple[bytes, tuple[str, ...], str | None]
    compared: Compared


class Comparison:
    """Compares nodes with a model; what is the same for many nodes is worked out once.

    Whoever gets a node as judged changes nothing of it: others get the same.
    """

    _latest: Comparison | None = None

    @classmethod
    def of(cls, model: Model) -> Comparison:
        """The comparison with a model: that of the last one where both declare the same, so that a node which
        answers as it did before, to another stage of a run, is not judged anew.
        """
        found = Comparison._latest
        if found is None or found._model != model:
            found = Comparison._latest = cls(model)
        return found

    def __init__(self, model: Model):
        self._model = model
        self._desired: dict[tuple[str, Place], dict[str, Any] | None] = {}
        self._versions = list(reversed(releases.versions(model)))
        self._versions.sort(key=lambda version: version != model.target_version)
        self._releases = _releases_by_digest(model)
        self._references = _references_by_digest(model)
        self._judged: dict[str, _Judged] = {}
        self._going_back = model.backs is not None
        self._alike: dict[tuple[Any, ...], Compared] = {}

    @property
    def target(self) -> str:
        """The release that nodes are compared with, "" where the system alone is. Raises RolloutError."""
        return releases.wanted(self._model)

    def judged(
        self, answer: Any, node: str, roles: Iterable[str], zone: str | None, judge: Callable[[], Compared]
    ) -> Compared:
        """A node (its id) as `judge` finds it, or as it was found when it, or one alike, gave the same answer
        before.

        roles, zone: as of compare. Raises what judge raises.
        """
        own, rest = (None, None), answer
        if type(answer) is dict:
            own = answer.get("id"), answer.get("boot_id")
            rest = {name: value for name, value in answer.items() if name not in ("id", "boot_id")}
        try:
            key = _fingerprint(rest), tuple(roles), zone
        except ValueError:
            return judge()
        known = self._judged.get(node)
        if known is None or (known.own, known.rest) != (own, key):
            known = self._judged[node] = _Judged(own, key, self._as_one_alike(own, key, node, judge))
        return known.compared

    def _as_one_alike(
        self, own: tuple[Any, Any], key: tuple[Any, ...], node: str, judge: Callable[[], Compared]
    ) -> Compared:
        """A node as one was judged whose answer is the same, but for its id and its boot; else as it is.

        Nothing else is made of these two, but what a node goes back to.
        """
        boot = own[1]
        if self._going_back or own[0] != node or not isinstance(boot, str) or len(boot) > _BOOT:
            return judge()
        found = self._alike.pop(key, None)
        found = judge() if found is None else replace(found, id=node, boot_id=boot)
        self._alike[key] = found
        if len(self._alike) > _KEPT:
            del self._alike[next(iter(self._alike))]
        return found

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
        runs = self._of(deployed, where) or wanted if deployed else wanted
        former = way_back.of(wanted, runs, facts, deployed, self._references)
        former["irreversible"] = releases.get(self._model, target).irreversible
        if self._going_back:
            back = (self._model.backs or {}).get(facts.id)  # whose migrations are no more its own
            wanted = own = way_back.desired(self._model, wanted, where, back, self._of)
        stages = {stage: list(found) for stage, found in differences.differences(wanted, facts).items()}
        for one in differences.beside_the_release(wanted, facts):
            if one.stage in stages and not (self._going_back and one.kind == Kind.MIGRATION):
                stages[one.stage].append(one)
        held = remarks.held(wanted, facts)
        return Compared(
            id=facts.id,
            roles=where.roles,
            zone=zone,
            target=facts.target,
            deployed=deployed,
            stages=stages,
            health=differences.health(self._to_run(wanted, facts), facts),
            switch=facts.switch.model_dump() if facts.switch else None,
            reboot=list(facts.reboot),
            reboot_without_effect=list(facts.reboot_without_effect),
            next_boot=next_boot.doubts(facts.next_boot, _coming(stages.get("system", ()))),
            stateful=dict(facts.stateful),
            virtual_addresses=facts.virtual_addresses.model_dump(),
            renews_minion=_renews_minion(stages.get("system", ()), facts),
            held=held,
            stays=remarks.stays(wanted, facts, held),
            configuration=list(facts.configuration),
            services={one["name"]: self._service(one, facts) for one in own["services"]},
            packages=remarks.package_facts(wanted, facts),
            notes=[*remarks.notes(own, facts), *self._old_sidecars(own, facts)],
            checks=remarks.failed_checks(wanted, facts, stages),
            agents=_agents(wanted, facts),
            packaged={one["name"]: one["type"] for one in _running_packages(wanted, facts)},
            os_family=facts.os_family,
            boot_id=facts.boot_id,
            settings=remarks.settings(wanted, facts, stages),
            former=former,
        )

    def deployed(self, facts: Facts, where: Place) -> str | None:
        """The release a node is at: every container runs its image and every managed package has its version.

        Where a node cannot tell two releases apart, the target wins over the newest. None: it is between
        releases.
        """
        for version in self._versions:
            wanted = self._of(version, where)
            if not wanted or not wanted["stages"] or not differences.can_tell(wanted, facts):
                continue
            if not differences.differs(wanted, facts):
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
                if one["definition"] == DECLARED
                or (differences.is_carried(one, facts) and not one["one_shot"])
            ]
        has = {*facts.containers, *facts.managed}
        entries = self._model.catalogue.of_node(wanted["roles"])
        return [entry.container for entry in entries if entry.container in has and not entry.one_shot]

    def _old_sidecars(self, own: Mapping[str, Any], facts: Facts) -> Iterator[dict[str, str]]:
        """The containers of agents that were started of another image than the agent runs, by that image.

        Where an agent itself is not at its image, that is said already.
        """
        for agent, names in remarks.sidecars(own, facts).items():
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
            "type": service["type"],
            "container": service["container"],
            "image": service["image"],
            "running": bool(container and container.running),
            "image_id": container.image_id if container else None,
            "local": service["image"] in facts.images,
            "release": self.release_of(facts, service["container"]),
        }


def _fingerprint(answer: Any) -> bytes:
    """Equal only where all of an answer is equal. Raises ValueError for what is no plain data."""
    return hashlib.blake2b(marshal.dumps(answer, 2), digest_size=16).digest()


def _coming(open_ends: Iterable[Difference]) -> Iterator[str]:
    """The packages that a stage is about to move."""
    for one in open_ends:
        if one.kind == Kind.PACKAGE:
            yield one.subject
        elif one.kind == Kind.NEWER:
            yield from one.want


def _running_packages(wanted: Mapping[str, Any], facts: Facts) -> Iterator[Mapping[str, Any]]:
    """The services that are packages and whose units run, or are to."""
    for one in wanted["packaged"]:
        told = facts.packaged.get(one["name"])
        if told and {"active", "inactive"} & set(told.units.values()):
            yield one


def _agents(wanted: Mapping[str, Any], facts: Facts) -> dict[str, dict[str, str]]:
    """Stage → service → its agent, of the services that are packages and run."""
    found: dict[str, dict[str, str]] = {}
    for one in _running_packages(wanted, facts):
        if one["agent"]:
            found.setdefault(one["stage"], {})[one["name"]] = one["agent"]
    return found


def _renews_minion(open_ends: Iterable[Difference], facts: Facts) -> bool:
    moving = (Kind.PACKAGE, Kind.PACKAGE_DOUBLE, Kind.PACKAGE_HALF)
    pinned = any(one.kind in moving and one.subject in MINION_PACKAGES for one in open_ends)
    begun = any(one.kind == Kind.MINION for one in open_ends)
    return pinned or begun or any(name in facts.newer.upgrade for name in MINION_PACKAGES)


def _references_by_digest(model: Model) -> dict[str, str]:
    """The reference that a release has of a digest, a newer release's before an older one's."""
    some = [*(model.releases[one].images for one in releases.versions(model)), model.custom_images]
    found = (reference for images in some for _, _, reference in releases.references_of(images))
    return {digest: reference for reference in found if (digest := digest_of(reference))}


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
