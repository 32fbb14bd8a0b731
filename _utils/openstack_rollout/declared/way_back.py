"""The way back of a node: what it is before a run, and what it has to be while a run is undone.

What a rollback wants of a node is its share as always, with another target: the release that it was at, the
images and versions that it had, in the stages that the run moved there, in the opposite order. Pure data: the
journal keeps the records (records/way_back.py), which come here as mappings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openstack_rollout.declared import differences, releases, share
from openstack_rollout.declared.completeness import DECLARED
from openstack_rollout.declared.references import digest_of
from openstack_rollout.declared.share import Matches, Place
from openstack_rollout.errors import RolloutError
from openstack_rollout.node import ovn_wait
from openstack_rollout.node import packages as comparing
from openstack_rollout.node.packages import MINION_PACKAGES
from openstack_rollout.vocabulary import SERVICE_STAGES, STAGES

if TYPE_CHECKING:
    from openstack_rollout.declared.facts import Facts
    from openstack_rollout.declared.model import Model
    from openstack_rollout.declared.services import Service

#: What a share of a node has in place of its work, which a rollback in force leaves alone.
_IDLE: dict[str, Any] = {"stages": [], "services": [], "packaged": [], "packages": {}, "checks": []}

Known = Mapping[str, str]
#: A release and a place → what such a node must be; None where the release lacks something.
At = Callable[[str, Place], dict[str, Any] | None]


@dataclass(frozen=True)
class Rollback:
    """A rollback in force, as one node has it: the run that is undone, the run that does it, and what the
    node goes back to (records.way_back.Back as a mapping), None where it is left alone.
    """

    of: str
    by: str
    node: Mapping[str, Any] | None = None


def of(
    wanted: Mapping[str, Any], own: Mapping[str, Any], facts: Facts, deployed: str | None, known: Known
) -> dict[str, Any]:
    """What a node is, as a rollback of what comes next has to bring it back: of records.way_back.Former.

    wanted (dict): of share.desired, at the target. own (dict): the same at the release that runs. deployed:
    that release. known: digest → the reference that a release has of it.
    """
    services: dict[str, list[Mapping[str, Any]]] = {}
    for one in (*own["services"], *wanted["services"]):
        services.setdefault(one["name"], []).append(one)
    images = {
        name: image for name, some in services.items() if (image := _image(some, facts, known)) is not None
    }
    mine = {one["container"] for one in wanted["services"] if one["definition"] == DECLARED}
    return {
        "deployed": deployed or "",
        "images": images,
        "packages": {name: list(some) for name, some in facts.packages.items()},
        "migrations": {one.name: one.stage for one in facts.migrations},
        "orphans": sorted(set(facts.managed) - mine) if wanted["services"] else [],
        "legacy": {name: list(units) for name, units in facts.legacy_units.items() if units},
        "system_image": facts.bootc.booted if facts.bootc else "",
        "ovn_wait": facts.ovn_wait.have if facts.ovn_wait else None,
    }


def _image(services: Sequence[Mapping[str, Any]], facts: Facts, known: Known) -> str | None:
    """The image that a service runs; "" where no name of it is known, None where the service is not here.

    services: what releases say of it, that which runs first.
    """
    service = services[0]
    name = service["container"]
    container, record = facts.containers.get(name), facts.carried.get(name)
    if service["definition"] != DECLARED and not differences.is_carried(service, facts):
        return None
    mine = [one["image"] for one in services]
    if service["one_shot"] and record:
        return record.image if digest_of(record.image) else _named(record.digests, (), mine, known)
    return None if container is None else _named(container.digests, container.names, mine, known)


def _named(digests: Sequence[str], names: Iterable[str], mine: Iterable[str], known: Known) -> str:
    """The name of an image: that which a release has of this service (mine), or of another, before one by
    which the node has it.
    """
    found = [image for image in mine if digest_of(image) in digests]
    found += [known[one] for one in digests if one in known]
    return (found or [name for name in names if digest_of(name)] or [""])[0]


def desired(
    model: Model,
    wanted: dict[str, Any],
    where: Place,
    back: Mapping[str, Any] | None,
    at: At | None = None,
) -> dict[str, Any]:
    """What a node must be while a rollback is in force.

    wanted (dict): of share.desired, at the target. back: what it goes back to (records.way_back.Back), None
    for a node that is left alone. at: as share.desired, where the caller has it already.
    """
    if back is None or not where.roles:
        return {**wanted, **_IDLE}
    base = _described(model, wanted, where, back, at)
    stages = [stage for stage in base["stages"] if stage in back["stages"]]
    packages = _packages(model, base, where, back, stages)
    system = {
        **base["system"],
        **{"others": False, "kpatch": False, "packages": packages.get("system", {})},
        "os_image": back["system_image"] or None,
    }
    return {
        **base,
        "stages": stages,
        "services": [_service(one, back) for one in base["services"] if _is_back(one, stages, back)],
        "packaged": [_packaged(one, back) for one in base["packaged"] if one["stage"] in stages],
        "packages": packages,
        "checks": [],
        "ovn": {"wait_before_clear": ovn_wait.KEEP, "back": back.get("ovn_wait")},
        "system": system,
    }


def share_of(model: Model, where: Place, matches: Matches, rollback: Rollback) -> dict[str, Any]:
    """The share of a node while a rollback is in force. model, where, matches: as for share.share.

    Raises RolloutError as share.share does.
    """
    back, forward = rollback.node, share.share(model, where, matches)
    found = desired(model, forward, where, back)
    if not where.roles:
        return found
    base = _described(model, forward, where, back)
    there = [one["container"] for one in base["services"] if back is None or one["name"] in back["images"]]
    return {
        **forward,
        **found,
        "containers": there,
        "last": next((stage for stage in SERVICE_STAGES if stage in found["stages"]), None),
        "migrations": [] if back else forward["migrations"],
        "watched": sorted({*forward["watched"], *(back["packages"] if back else ())}),
        "newest": [],
        "rollback": {"of": rollback.of, "by": rollback.by},
        "described": back["release"] if back and base is not forward else forward["target"],
    }


def references(model: Model) -> set[str]:
    """All image references that are declared."""
    some = [*(one.images for one in model.releases.values()), model.custom_images]
    return {reference for images in some for _, _, reference in releases.references_of(images)}


def order(stages: Iterable[str]) -> list[str]:
    """Stages in the order of a rollback: through the states that the update went through, backwards."""
    return [stage for stage in reversed(STAGES) if stage in stages]


def stage_of(model: Model, name: str, roles: Sequence[str]) -> str | None:
    """The stage that moves a package on a node of these roles, with a service or by itself; None: none."""
    for one in model.catalogue.of_node(roles):
        if packages_of(one, [name]):
            return one.stage
    return share.package_stage(model, name, roles)


def packages_of(service: Service, names: Iterable[str]) -> list[str]:
    """Those of the packages that a service of the catalogue moves; none of one that is a container."""
    some = (*service.packages.values(), *service.libraries.values()) if service.deploy == "package" else ()
    return [name for name in names if any(comparing.matches(name, globs) for globs in some)]


def _described(
    model: Model, wanted: dict[str, Any], where: Place, back: Mapping[str, Any] | None, at: At | None = None
) -> dict[str, Any]:
    """A node at the release that it was at; at the target where that was no release, or is none any more."""
    release = back["release"] if back else ""
    if not release or release == wanted["target"] or release not in model.releases:
        return wanted
    try:
        found = at(release, where) if at else share.desired(model, release, where)
    except RolloutError:
        found = None
    return {**found, "target": wanted["target"]} if found else wanted


def _packages(
    model: Model, base: Mapping[str, Any], where: Place, back: Mapping[str, Any], stages: Sequence[str]
) -> dict[str, dict[str, str]]:
    """The versions that packages go back to, by the stage that moves them. Salt's own stay."""
    theirs = [glob for one in base["packaged"] for glob in (*one["own"], *one["libraries"])]
    found: dict[str, dict[str, str]] = {stage: {} for stage in base["packages"]}
    for name, version in back["packages"].items():
        stage = share.package_stage(model, name, where.roles)
        if stage is None or not stages or name in MINION_PACKAGES or comparing.matches(name, theirs):
            continue
        # What came along with another stage's packages goes back with them.
        found.setdefault(stage if stage in stages else order(stages)[-1], {})[name] = version
    return found


def _is_back(service: Mapping[str, Any], stages: Iterable[str], back: Mapping[str, Any]) -> bool:
    return service["stage"] in stages and bool(back["images"].get(service["name"]))


def _service(service: Mapping[str, Any], back: Mapping[str, Any]) -> dict[str, Any]:
    return {**service, "image": back["images"][service["name"]], "order": -service["order"]}


def _packaged(service: Mapping[str, Any], back: Mapping[str, Any]) -> dict[str, Any]:
    globs = [*service["own"], *service["libraries"]]
    found = {name: one for name, one in back["packages"].items() if comparing.matches(name, globs)}
    return {**service, "packages": found, "newest": None, "order": -service["order"]}
