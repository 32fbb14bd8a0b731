"""What runs on this node and who deployed it: containers, units and engines, for a survey of a cloud.

It only looks. Of a container it tells no environment, no arguments and no label but those that name its
deployer: everything else may hold secrets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import salt.utils.path
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import carriers, commands, docker_api
from openstack_rollout.node import packages as comparing
from openstack_rollout.node.errors import NodeError

#: The form of the answer; declared/deployed.py of the master has the same number.
SCHEMA = 2
#: The module that tells of an engine → its program. Both take the same arguments and answer in one form.
ENGINES = {"podman": "podman", "docker_engine": "docker"}
_LABELS = (
    "PODMAN_SYSTEMD_UNIT",
    "managed_by",
    "config_id",
    "container_name",
    "kolla_version",
)
_OWN_LABELS = "openstack-rollout."
_AT_ONCE = 200  # names of a command
_LONGEST = 1000
_ARGUMENTS = re.compile(r"argv\[\]=(.*?) ;")
_NAMED = re.compile(r" --name[= ](\S+)")
_PROPERTIES = ("Id", "LoadState", "ActiveState", "SubState", "UnitFileState", "Type", "ExecStart")


def report(units: Sequence[str] = (), packages: Sequence[str] = ()) -> dict:
    """What is deployed on this node: records without judgement and without secrets, for the master.

    units (list): globs of unit names, such as edpm_*.service: units that fit are told also when no container
    belongs to them. packages (list): globs of names of packages, such as nova-*: those that are installed are
    told.

    Returns what declared/deployed.py of the master describes. `trouble` has a line for each engine, carrier
    or package manager that could not tell. Raises NodeError NODE_ERROR when systemd does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' deployed.report units='[edpm_*.service, tripleo_*.service]' packages="['nova-*']"
    """
    trouble: list[str] = []
    try:
        known = _units(list(units))
    except CommandExecutionError as error:
        raise NodeError("NODE_ERROR", str(error)) from error
    starters = {name: unit for unit, one in known.items() for name in one["starts"]}
    engines, containers = _engines(trouble)
    carried = _carried(trouble)
    managed = sorted(__salt__["quadlet.managed"]()) if "quadlet.managed" in __salt__ else []
    for name, one in containers.items():
        own = carried.get(name, {})
        labelled = one["labels"].get("PODMAN_SYSTEMD_UNIT")
        one["unit"] = own.get("unit") or labelled or starters.get(name)
        one["carrier"], one["definition"] = own.get("carrier", ""), own.get("definition") or ""
        unit = known.get(one["unit"] or "")
        one["unit_state"] = unit and unit["state"]
    return {
        "schema": SCHEMA,
        "id": __grains__["id"],
        "os_family": __grains__.get("os_family", "RedHat"),
        "engines": engines,
        "containers": containers,
        "managed": managed,
        "units": {
            name: one["state"]
            for name, one in sorted(known.items())
            if any(fnmatchcase(name, glob) for glob in units) and one["state"]["load"] != "not-found"
        },
        "packages": _packages(list(packages), trouble),
        "trouble": [line[:_LONGEST] for line in trouble],
    }


def _packages(globs: list[str], trouble: list[str]) -> dict[str, dict]:
    """The installed packages of the globs: their versions, and who built each."""
    if not globs:
        return {}
    try:
        installed = __salt__["package_set.installed"]()
        found = {name: versions for name, versions in installed.items() if comparing.matches(name, globs)}
        # Each family's function knows its own options alone.
        own = {"failhard": False} if __grains__.get("os_family") == "Debian" else {"attr": "vendor"}
        built = __salt__["pkg.info_installed"](*found, **own) if found else {}
    except CommandExecutionError as error:
        trouble.append(f"packages: {error}")
        return {}
    return {
        name: {"versions": list(versions), "vendor": _vendor(built.get(name) or {})}
        for name, versions in sorted(found.items())
    }


def _vendor(package: Mapping[str, Any]) -> str:
    """Who built a package: Debian's have a maintainer alone, whom Salt calls packager."""
    name = str(package.get("vendor") or package.get("packager") or "")
    return "" if name == "(none)" else name[:_LONGEST]


def _engines(trouble: list[str]) -> tuple[dict[str, str], dict[str, dict]]:
    """The version of each engine that is installed, and all containers by name."""
    versions: dict[str, str] = {}
    containers: dict[str, dict] = {}
    seen: set[str] = set()
    for engine, program in ENGINES.items():
        # docker that is installed and does not run has nothing to tell.
        if not salt.utils.path.which(program) or (program == "docker" and not docker_api.serves()):
            continue
        try:
            versions[engine] = _version(program)
            entries = _inspected(program)
            images = _images(program, {entry["Image"] for entry in entries})
        except (CommandExecutionError, KeyError, ValueError) as error:
            trouble.append(f"{engine}: {error}")
            continue
        for entry in entries:
            # A `docker` that is podman by another name tells of podman's containers once more.
            if entry["Id"] not in seen:
                seen.add(entry["Id"])
                found = _container(engine, entry, images)
                containers[entry["Name"].removeprefix("/")] = found
    return versions, containers


def _version(program: str) -> str:
    words = commands.checked(__salt__, [program, "--version"]).split()
    return next((word.rstrip(",") for word in words if word[:1].isdigit()), "")


def _inspected(program: str) -> list[dict]:
    listed = commands.checked(__salt__, [program, "ps", "--all", "--quiet", "--no-trunc"]).split()
    return list(_inspect(program, "container", listed))


def _images(program: str, ids: Iterable[str]) -> dict[str, dict]:
    """Images by their id: their digests in registries."""
    found = _inspect(program, "image", sorted(ids))
    return {entry["Id"].removeprefix("sha256:"): entry for entry in found}


def _inspect(program: str, kind: str, names: Sequence[str]) -> Iterator[dict]:
    for start in range(0, len(names), _AT_ONCE):
        # What was removed between the two calls is no error: the others are told all the same.
        some = names[start : start + _AT_ONCE]
        result = commands.run(__salt__, [program, kind, "inspect", *some], secret=True)
        try:
            yield from json.loads(result.stdout or "[]")
        except ValueError as error:
            raise CommandExecutionError(f"{program} {kind} inspect: {result.complaint()}") from error


def _container(engine: str, entry: Mapping[str, Any], images: Mapping[str, Mapping[str, Any]]) -> dict:
    state, configuration = entry["State"], entry.get("Config") or {}
    image_id = entry["Image"].removeprefix("sha256:")
    labels = configuration.get("Labels") or {}
    return {
        "engine": engine,
        "running": bool(state["Running"]),
        "exit_code": int(state.get("ExitCode") or 0),
        "created": str(entry.get("Created") or "")[:64],
        # podman has the reference as it was pulled, docker only as it was asked for.
        "image": str(entry.get("ImageName") or configuration.get("Image") or ""),
        "image_id": image_id,
        "digests": sorted(set(images.get(image_id, {}).get("RepoDigests") or ())),
        "labels": {
            key: str(value) for key, value in labels.items() if key in _LABELS or key.startswith(_OWN_LABELS)
        },
    }


def _carried(trouble: list[str]) -> dict[str, dict]:
    """The containers that a carrier knows: {container: its carrier, the image it would start, its unit}."""
    found: dict[str, dict] = {}
    for carrier in reversed(carriers.CARRIERS):
        if f"{carrier}.carried" not in __salt__:
            continue
        try:
            some = __salt__[f"{carrier}.carried"]()
        except CommandExecutionError as error:
            trouble.append(f"{carrier}: {error}")
            continue
        for name, one in some.items():
            found[name] = {"carrier": carrier, "definition": one["image"], "unit": one["unit"]}
    return found


def _units(globs: list[str]) -> dict[str, dict]:
    """Units by name: all that are loaded, and those of the globs, which need not be.

    Each has its state, and the names of the containers that it starts.
    """
    unloaded = []
    if globs:
        listing = ["systemctl", "list-unit-files", "--no-legend", "--no-pager", "--plain", *globs]
        # The exit status says only whether there are any.
        unloaded = [
            line.split()[0] for line in commands.run(__salt__, listing).stdout.splitlines() if line.strip()
        ]
        unloaded = [name for name in unloaded if "@." not in name]
    texts = [_shown(["*.service"])]
    for start in range(0, len(unloaded), _AT_ONCE):
        texts.append(_shown(unloaded[start : start + _AT_ONCE]))
    return {one["Id"]: _unit(one) for text in texts for one in _blocks(text) if one.get("Id")}


def _shown(names: list[str]) -> str:
    # What a unit starts may have secrets among its arguments.
    show = ["systemctl", "show", "--all", "--no-pager", f"--property={','.join(_PROPERTIES)}", "--", *names]
    result = commands.run(__salt__, show, secret=True)
    if result.retcode:
        raise CommandExecutionError(f"systemctl show: {result.complaint()}")
    return result.stdout


def _blocks(text: str) -> Iterator[dict[str, str]]:
    for block in re.split(r"\n\s*\n", text):
        lines = [line.partition("=") for line in block.splitlines() if "=" in line]
        found: dict[str, str] = {}
        for key, _, value in lines:
            found[key] = f"{found[key]}\n{value}" if key in found else value  # ExecStart may be several
        yield found


def _unit(one: Mapping[str, str]) -> dict:
    return {
        "state": {
            "load": one.get("LoadState", ""),
            "active": one.get("ActiveState", ""),
            "sub": one.get("SubState", ""),
            "enabled": one.get("UnitFileState", ""),
            "type": one.get("Type", ""),
        },
        "starts": list(_started(one.get("ExecStart", ""))),
    }


def _started(exec_start: str) -> Iterator[str]:
    """The container that a unit starts: `podman start NAME`, `docker run --name NAME`, or by a wrapper."""
    for arguments in _ARGUMENTS.findall(exec_start):
        words = arguments.split()
        program = words[0].rpartition("/")[2] if words else ""
        if program in ENGINES.values() and words[1:2] == ["start"]:
            yield from (word for word in words[2:] if not word.startswith("-"))
        elif program in ENGINES.values() and words[1:2] == ["run"]:
            yield from _NAMED.findall(arguments)[:1]
        elif program.endswith("-start-podman-container"):
            yield from words[1:2]
