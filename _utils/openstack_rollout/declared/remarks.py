"""What is told of a node beside what differs: holds, notes, checks of a release, operators' settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from openstack_rollout.declared.completeness import FOUND
from openstack_rollout.declared.differences import Difference, Kind
from openstack_rollout.node import ovn_wait, packages

if TYPE_CHECKING:
    from openstack_rollout.declared.facts import Facts


def held(wanted: Mapping[str, Any], facts: Facts) -> dict[str, str]:
    """What the operator's holds and locks keep back: {name: the version that there would be}."""
    system = wanted["packages"].get("system", {})
    install, _ = packages.changes("system", system, facts.packages, facts.meets)
    return {**facts.newer.held, **{name: one for name, one in install.items() if name in facts.held}}


def stays(wanted: Mapping[str, Any], facts: Facts, held_back: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What is newer and stays, each with its cause: {name: {"version", "cause", "by"}}. held_back: of `held`,
    which is told with it.
    """
    newest = {
        name
        for service in wanted["packaged"]
        for name, version in service["packages"].items()
        if version == packages.NEWEST
    }
    told = {name: one.model_dump() for name, one in facts.newer.stays.items()}
    told |= {name: one.model_dump() for name, one in facts.offered.stays.items() if name in newest}
    cause = "hold" if facts.os_family == "Debian" else "versionlock"
    for name, version in held_back.items():
        told.setdefault(name, {"version": version, "cause": cause, "by": ""})
    return told


def package_facts(wanted: Mapping[str, Any], facts: Facts) -> dict[str, dict[str, Any]]:
    """The packages that a release names: {name: {"stage", "installed", "wanted"}}."""
    found = {}
    for stage, some in _by_stage(wanted):
        install, remove = packages.changes(stage, some, facts.packages, facts.meets, facts.offered.upgrade)
        for name in (*(one for one in some if one in facts.packages or one in install), *remove):
            installed = list(facts.packages.get(name, ()))
            found[name] = {"stage": stage, "installed": installed, "wanted": some.get(name)}
    return found


def _by_stage(wanted: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    yield from wanted["packages"].items()
    yield from ((one["stage"], one["packages"]) for one in wanted["packaged"])


def notes(own: Mapping[str, Any], facts: Facts) -> Iterator[dict[str, str]]:
    """What runs beside the catalogue, and what earlier installers or releases left."""
    known = {service["container"] for service in own["services"]}
    known.update(name for names in sidecars(own, facts).values() for name in names)
    for service in own["services"]:
        if service["definition"] == FOUND:
            yield from _notes_of_found(service, facts)
    for service in own["packaged"]:
        yield from _notes_of_packaged(service, facts)
    told = facts.ovn_wait and facts.ovn_wait.model_dump()
    if told and ovn_wait.theirs_stays(own.get("ovn"), told):
        yield {"kind": "wait_stays", "subject": ovn_wait.SETTING, "detail": told["theirs"]}
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


def sidecars(own: Mapping[str, Any], facts: Facts) -> dict[str, list[str]]:
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


def failed_checks(
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


def settings(
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


def _notes_of_packaged(service: Mapping[str, Any], facts: Facts) -> Iterator[dict[str, str]]:
    """What is told of a packaged service: not here, or of units that nothing may start."""
    record = facts.packaged.get(service["name"])
    if record is None or not record.here:
        yield {"kind": "not_installed", "subject": service["name"], "detail": ""}
        return
    for unit, state in record.units.items():
        if state == "masked":
            yield {"kind": "unit_masked", "subject": service["name"], "detail": unit}


def _moving(stages: Mapping[str, list[Difference]]) -> set[str]:
    """The containers that are about to have another image."""
    return {one.subject for some in stages.values() for one in some if one.kind == Kind.CONTAINER_IMAGE}
