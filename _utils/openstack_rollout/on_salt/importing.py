"""Importing releases: the source is read from a file or asked of a registry, tags are pinned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openstack_rollout.declared import found_pillar, importing
from openstack_rollout.declared.importing import Imported, Taken
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.sources import registry_place, telling
from openstack_rollout.declared.sources.found import Source
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import registry
from openstack_rollout.on_salt.refusal import refusal_of_all
from openstack_rollout.on_salt.registry import Reach

#: A file of more bytes is none that anybody wrote.
LARGEST = 80_000_000
#: What a registry says of a name that it does not have, or does not show without a login.
_NOT_THERE = ("IMAGE_MISSING", "REGISTRY_LOGIN")


def read(model: Model, source: str, reach: Reach | None = None) -> Source:
    """What a source says.

    source (str): the path of a file on the master, or docker://registry/namespace:tag. reach: what is
    declared of registries, by default nothing. Raises RolloutError RELEASE_REFUSED, WRONG_ARGUMENT, or the
    registry's reason.
    """
    if source.startswith(registry_place.PREFIX):
        return _in_registry(model, source, reach)
    path = Path(source)
    try:
        size = path.stat().st_size
        if not path.is_file() or size > LARGEST:  # a pipe may have no end
            why = f"has {size} bytes, {LARGEST} are allowed" if path.is_file() else "is no file"
            raise RolloutError("WRONG_ARGUMENT", f"source: {source}: {why}")
        return telling.read(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        text = f"source: {source}: cannot be read: {error.strerror}"
        raise RolloutError("WRONG_ARGUMENT", text) from error
    except ValueError as error:
        raise RolloutError("WRONG_ARGUMENT", f"source: {source}: is no text: {error}") from error


def _in_registry(model: Model, source: str, reach: Reach | None) -> Source:
    answers = registry.digests(registry_place.candidates(model, source), reach=reach)
    there = [name for name, answer in answers.items() if not isinstance(answer, RolloutError)]
    errors = {name: one for name, one in answers.items() if isinstance(one, RolloutError)}
    for one in errors.values():
        if one.reason not in _NOT_THERE or (one.reason == "REGISTRY_LOGIN" and not there):
            raise one
    unanswered = {name: one.reason for name, one in errors.items() if one.reason != "IMAGE_MISSING"}
    return registry_place.read(source, there, unanswered)


def pin(model: Model, releases: Sequence[Imported], custom: Taken, reach: Reach) -> None:
    """Put the registry's digests in place of tags. Raises a Refusal with all that it lacks, a line each.

    reach: what is declared of registries.
    """
    every = [*(one.taken for one in releases), custom]
    digests = registry.digests((tag for one in every for tag in importing.tags(one)), reach=reach)
    problems: dict[tuple[str, str], None] = {}
    for one in every:
        problems |= dict.fromkeys(importing.pin(model, one, digests))
    if problems:
        raise refusal_of_all(problems)


def paths(releases: Sequence[Imported], output: str) -> list[Path]:
    """The files of releases: in a folder, or the one file, which ends in .sls.

    Raises RolloutError WRONG_ARGUMENT for one file of several releases.
    """
    place = Path(output)
    is_file = place.suffix == ".sls"
    names: dict[Path, list[str]] = {}
    for one in releases:
        path = place if is_file else place / Path(found_pillar.release_path(one.version)).name
        names.setdefault(path, []).append(one.version)
    for path, named in names.items():
        if named[1:]:
            other = "give a folder, or version=" if is_file else "give version="
            text = f"output: {path}: is one file for {', '.join(named)}: {other}"
            raise RolloutError("WRONG_ARGUMENT", text)
    return list(names)


def report(
    model: Model, source: str, read: Source, releases: Sequence[Imported], custom: Taken
) -> dict[str, Any]:
    """All that there is to tell, as plain data. source (str): as it was given. read: what it says."""
    told = []
    for number, one in enumerate(releases):
        content = one.content()
        told.append(
            {
                "version": one.version,
                "known": importing.same(model, one.version),
                **one.taken.record(),
                "missing": importing.missing(model, content["images"], one.version),
                "changes": importing.changes(model, releases[number - 1] if number else None, one),
                "release": content,
            }
        )
    return {
        "imported": read.kind,
        "source": source,
        "notes": list(read.notes),
        "releases": told,
        "custom": {**custom.record(), "custom_images": importing.nested(custom.images)},
        "written": [],
    }


def lacks(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What enabled services lack of releases, as (reason, line). data: of `report`."""
    return [
        ("RELEASE_INCOMPLETE", f"{one['version']}: {', '.join(map(_needed, one['missing'].items()))}")
        for one in data["releases"]
        if one["missing"]
    ]


def _needed(one: tuple[str, Sequence[str]]) -> str:
    key, services = one
    return f"{key} ({', '.join(services)})"
