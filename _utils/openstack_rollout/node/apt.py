"""Transactions of apt: each is one request, which is simulated, refused or run as it was simulated."""

from __future__ import annotations

import math
import re
import shlex
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands, package_errors, packages
from openstack_rollout.node.errors import NodeError

#: Configuration files that an operator changed stay as they are.
KEEP_FILES = ("-o", "DPkg::Options::=--force-confold", "-o", "DPkg::Options::=--force-confdef")
_INSTALLS = re.compile(r"^Inst (?P<name>\S+) (?:\[(?P<old>[^\]]+)\] )?\((?P<new>\S+)", re.M)
_REMOVES = re.compile(r"^(?:Remv|Purg) (\S+)", re.M)
# A package's file is named name_version_architecture, a colon of its version as %3a.
_FILES = re.compile(
    r"^'(?P<uri>[^']+)' (?P<name>[^_\s]+)_(?P<version>[^_\s]+)_(?P<arch>[^_\s.]+)\.[a-z]*deb \d+", re.M
)


class Plan(NamedTuple):
    """What apt would do: which packages it would bring that are installed already, and which anew
    ({name: version}), and which it would remove.
    """

    upgraded: dict[str, str]
    added: dict[str, str]
    removed: list[str]

    @property
    def moving(self) -> list[str]:
        """The names of all of them, sorted."""
        return sorted({*self.upgraded, *self.added, *self.removed})


def read(printed: str) -> Plan:
    """The plan that apt prints. A package of another architecture is called name:architecture.

    printed (str): by `apt-get --simulate`.
    """
    some = [match.groupdict() for match in _INSTALLS.finditer(printed)]
    return Plan(
        {one["name"]: one["new"] for one in some if one["old"]},
        {one["name"]: one["new"] for one in some if not one["old"]},
        sorted(set(_REMOVES.findall(printed))),
    )


def simulated(salt: Mapping[str, Any], request: Sequence[str]) -> Plan:
    """What apt would do.

    salt (dict): the caller's `__salt__`. request (list): its options and its verb, as `wanted` has them.

    Raises CommandExecutionError with what apt printed.
    """
    result = commands.unattended(salt, ["apt-get", "--quiet", "--simulate", *request])
    if result.retcode:
        raise CommandExecutionError(result.said())
    return read(result.stdout)


def wanted(
    install: Mapping[str, str], erase: Collection[str] = (), files: Mapping[str, str] | None = None
) -> list[str]:
    """The request for packages at these versions, which may be lower than now.

    install (dict): {name: version}. erase (list): names of packages that go. files (dict): {name: path} of
    those whose file is at hand.
    """
    known = files or {}
    asked = (known.get(name) or f"{name}={version}" for name, version in sorted(install.items()))
    return ["--allow-downgrades", "install", *asked, *(f"{name}-" for name in sorted(erase))]


def prepared(
    salt: Mapping[str, Any],
    install: Mapping[str, str],
    *,
    erase: Collection[str] = (),
    exclude: Sequence[str] = (),
    remove: Sequence[str] = (),
    options: Sequence[str] = (),
    files: Mapping[str, str] | None = None,
) -> packages.Transaction:
    """The transaction that brings packages to these versions, once it is known what else it does.

    salt (dict): the caller's `__salt__`. install, files (dict), erase (list): as for `wanted`. exclude
    (list): globs of packages that must not move. remove (list): globs of packages that may go.
    options (list): further ones of apt-get.

    Raises NodeError PACKAGE_FAILED when a package is on hold, PACKAGE_REMOVAL when one would go that may not;
    CommandExecutionError with what apt printed, or when an excluded one would move.
    """
    refuse_held(salt, {*install, *erase})
    request = [*options, *wanted(install, erase, files)]
    plan = simulated(salt, request)
    if refused := [name for name in plan.moving if packages.matches(name, exclude)]:
        raise CommandExecutionError(f"excluded packages would move: {', '.join(refused)}")
    if gone := [name for name in plan.removed if name not in erase and not packages.matches(name, remove)]:
        raise NodeError("PACKAGE_REMOVAL", f"would go: {', '.join(gone)}")
    # What the simulation did not remove, the transaction cannot.
    safe = () if plan.removed else ("--no-remove",)
    command = ["apt-get", "--quiet", "--yes", *safe, *KEEP_FILES, *request]
    return packages.Transaction(command, {**plan.upgraded, **plan.added}, set(plan.removed))


def unfetched(salt: Mapping[str, Any], install: Mapping[str, str], own: str) -> dict[str, str] | None:
    """The packages whose files apt would have to fetch: {name: version}; None where it has no plan.

    salt (dict): the caller's `__salt__`. install (dict): as for `wanted`. own (str): the node's architecture.
    """
    result = commands.unattended(salt, ["apt-get", "--quiet=2", "--yes", "--print-uris", *wanted(install)])
    if result.retcode:
        return None
    return {
        packages.salts_name(one["name"], one["arch"], own, ":"): unquote(one["version"])
        for one in _FILES.finditer(result.stdout)
        if not one["uri"].startswith("file:")  # used where it is
    }


def sources(
    salt: Mapping[str, Any], install: Mapping[str, str], own: str, *, until: float = math.inf
) -> dict[str, packages.Source]:
    """Where the files of packages are to be had, at the versions that are installed. Nothing is fetched.

    salt (dict): the caller's `__salt__`. install (dict): {name: version}. own (str): the node's architecture.
    until (float): by time.monotonic(), when it is no longer looked for files.
    """
    told = commands.run(salt, ["apt-config", "shell", "PLACE", "Dir::Cache::archives/d"]).stdout
    cache = Path(*(word.partition("=")[2] for word in shlex.split(told)[:1]))
    found = {}
    for name, version in install.items():
        if time.monotonic() > until:
            found[name] = packages.Source("", packages.NO_TIME)
            continue
        path = _cached(salt, cache, name, version, own)
        why = "" if path else _refused(_download(salt, name, version, ["--print-uris"]))
        found[name] = packages.Source(path, why)
    return found


def fetched(
    salt: Mapping[str, Any], install: Mapping[str, str], own: str, folder: str, *, until: float = math.inf
) -> dict[str, packages.Source]:
    """As `sources`, once what only a repository has is fetched into a folder.

    salt, install, own, until: as for `sources`. folder (str): its path.
    """
    found = {}
    for name, version in install.items():
        if time.monotonic() > until:
            found[name] = packages.Source("", packages.NO_TIME)
            continue
        why = _refused(_download(salt, name, version, folder=folder))
        path = "" if why else _cached(salt, Path(folder), name, version, own)
        found[name] = packages.Source(path, why or ("" if path else "it did not arrive whole"))
    return found


def held(salt: Mapping[str, Any]) -> set[str]:
    """The packages that the operator holds.

    salt (dict): the caller's `__salt__`. Raises NodeError PACKAGE_FAILED.
    """
    return set(commands.checked(salt, ["apt-mark", "showhold"], "PACKAGE_FAILED").split())


def refuse_held(salt: Mapping[str, Any], names: Collection[str]) -> None:
    """Refuse to move what the operator holds.

    salt (dict): the caller's `__salt__`. names: of the packages. Raises NodeError PACKAGE_FAILED.
    """
    if found := sorted(held(salt) & set(names)):
        raise NodeError(
            "PACKAGE_FAILED",
            f"{', '.join(found)}: on hold by the node's operator: apt-mark unhold, or leave it out of the"
            " release",
        )


def _cached(salt: Mapping[str, Any], folder: Path, name: str, version: str, own: str) -> str:
    """The whole file of a package in a folder, "" where there is none."""
    base, _, arch = name.partition(":")
    quoted = version.replace(":", "%3a")
    for one in (arch,) if arch else (own, "all"):
        path = folder / f"{base}_{quoted}_{one}.deb"
        if path.exists() and not commands.run(salt, ["dpkg-deb", "--contents", str(path)]).retcode:
            return str(path)
    return ""


def _download(
    salt: Mapping[str, Any],
    name: str,
    version: str,
    options: Sequence[str] = (),
    folder: str | None = None,
) -> commands.Result:
    command = ["apt-get", "--quiet=2", *options, "download", f"{name}={version}"]
    return commands.unattended(salt, command, folder)


def _refused(result: commands.Result) -> str:
    """Why apt has no file, "" where it has."""
    return package_errors.line(result.said()) if result.retcode else ""
