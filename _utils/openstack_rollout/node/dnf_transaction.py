"""Transactions of dnf: each is resolved by dnf's library before, and refused or run as it was resolved."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from salt.exceptions import CommandExecutionError
from salt.utils.pkg.rpm import ARCHES

from openstack_rollout.node import commands, dnf_library, package_errors, packages

# Downloaded packages outlive the next transaction: what was fetched beforehand must still be there later.
# dnf shall not wait for a lock for ever: `package_lock` waits, with a limit.
SETTINGS = ("keepcache=1", "exit_on_lock=1")


def prepared(
    salt: Mapping[str, Any],
    install: Mapping[str, str],
    own: str,
    *,
    exclude: Sequence[str] = (),
    setopt: Sequence[str] = (),
    remove: Sequence[str] = (),
    options: Sequence[str] = (),
    files: Mapping[str, str] | None = None,
) -> packages.Transaction:
    """The transaction that brings packages to these versions, once it is known what else it does.

    salt (dict): the caller's `__salt__`. install (dict): {name: version}. own (str): the node's architecture.
    exclude (list): globs of packages that must not move. setopt (list): further settings. remove (list):
    globs of packages that may go, and do where they are in the way; what one of these replaces may as well.
    options (list): further ones of dnf. files (dict): {name: path} of packages whose file is at hand.

    Raises NodeError PACKAGE_REMOVAL when a package would go that may not, PACKAGE_FAILED when another one
    would go back to an older version; CommandExecutionError when dnf has no solution, or a version is not to
    be had.
    """
    specs = asked({name: version for name, version in install.items() if name not in (files or {})})
    paths = [path for name, path in sorted((files or {}).items()) if name in install]
    settings = [*SETTINGS, *setopt]
    question = {"ask": "resolve", "install": specs, "exclude": list(exclude), "setopt": settings}
    if paths:
        question["files"] = paths
    plan = dnf_library.ask(salt, question)
    if in_the_way := _may_go(plan, remove):
        # An older stream of Open vSwitch, say, which the installed one obsoletes.
        plan = dnf_library.ask(salt, {**question, "erase": in_the_way})
        options = [*options, "--allowerasing"]
    if plan["missing"]:
        raise CommandExecutionError(_not_to_be_had(plan))
    names = {_parted(name)[0] for name in install}
    planned = {
        nevra: one
        for nevra, one in (plan.get("removed") or {}).items()
        if one["by"] in names or packages.matches(one["name"], remove)
    }
    dnf_library.refuse_removals(plan, planned)
    if "problem" in plan:
        raise CommandExecutionError(plan["problem"])
    dnf_library.refuse_downgrades(plan, names)
    # the metadata of the plan, however old it is by now
    settings = [*settings, "*.metadata_expire=-1"]
    if exclude:
        settings.append(f"excludepkgs={','.join(exclude)}")
    command = ["dnf", "--quiet", "--assumeyes", *(f"--setopt={one}" for one in settings)]
    return packages.Transaction(
        [*command, *options, "install", *specs, *paths],
        {_name(one, own): one["version"] for one in plan["comes"]},
        {_name(one, own) for one in (*planned.values(), *plan["retired"].values())},
    )


def _may_go(plan: Mapping[str, Any], remove: Sequence[str]) -> list[str]:
    """The NEVRAs without whose removal there is no solution, where each of them may go."""
    needs = plan.get("needs") or {}
    return sorted(needs) if all(packages.matches(one["name"], remove) for one in needs.values()) else []


def unfetched(salt: Mapping[str, Any], install: Mapping[str, str], own: str) -> dict[str, str] | None:
    """The packages whose files dnf would have to fetch: {name: version}; None where it has no plan.

    salt (dict): the caller's `__salt__`. install (dict): {name: version}. own (str): the node's architecture.
    Raises NodeError, as dnf_library.ask does.
    """
    said = dnf_library.ask(salt, {"ask": "unfetched", "install": asked(install)})
    if said["missing"] or "problem" in said:
        return None
    return {_name(one, own): one["version"] for one in said["unfetched"]}


def sources(
    salt: Mapping[str, Any],
    install: Mapping[str, str],
    own: str,
    *,
    fetch: bool = False,
    until: float = math.inf,
) -> dict[str, packages.Source]:
    """Where the files of packages are to be had, at the versions that are installed.

    salt (dict): the caller's `__salt__`. install (dict): {name: version}. own (str): the node's architecture.
    fetch (bool): fetch what only a repository has into dnf's cache. until (float): by time.monotonic(), when
    it is no longer looked for files. Raises NodeError, as dnf_library.ask.
    """
    if (left := until - time.monotonic()) <= 0:
        return dict.fromkeys(install, packages.Source("", packages.NO_TIME))
    names = sorted({_parted(name)[0] for name in install})
    question = {"ask": "sources", "packages": names, "fetch": fetch, "setopt": list(SETTINGS)}
    found = {}
    for one in dnf_library.ask(salt, question, longest=left)["packages"]:
        name = _name(one, own)
        if packages.plain(install.get(name, "")) == packages.plain(one["version"]):
            found[name] = _source(salt, one, fetch)
    return {name: found.get(name, packages.Source("", "it is not installed")) for name in install}


def fetched(
    salt: Mapping[str, Any], install: Mapping[str, str], own: str, folder: str, *, until: float = math.inf
) -> dict[str, packages.Source]:
    """As `sources`, once what only a repository has is fetched: into dnf's cache, and no other folder.

    salt, install, own, until: as for `sources`. folder (str): where apt would put it.
    """
    return sources(salt, install, own, fetch=True, until=until)


def _source(salt: Mapping[str, Any], one: Mapping[str, Any], fetch: bool) -> packages.Source:
    if one["path"] and not commands.run(salt, ["rpm", "-K", "--nosignature", one["path"]]).retcode:
        return packages.Source(one["path"])
    if not one["offered"]:
        return packages.Source("", "no repository has it, nor the cache")
    if one["problem"]:
        return packages.Source("", package_errors.line(one["problem"]))
    return packages.Source("", "it did not arrive" if fetch else "")


def asked(install: Mapping[str, str]) -> list[str]:
    """How dnf is asked for packages that Salt calls so: name.i686 is one of another architecture.

    install (dict): {name: version}.
    """
    return sorted(_spec(name, version) for name, version in install.items())


def _spec(name: str, version: str) -> str:
    base, arch = _parted(name)
    return f"{base}-{version}.{arch}" if arch else f"{base}-{version}"


def _parted(name: str) -> tuple[str, str]:
    """A package's own name, and its architecture where Salt's name has it."""
    base, _, arch = name.rpartition(".")
    return (base, arch) if base and arch in ARCHES else (name, "")


def _not_to_be_had(plan: Mapping[str, Any]) -> str:
    """What is missing, and why it does not come where a repository has it."""
    hidden = plan["hidden"]
    gone = [spec for spec in plan["missing"] if spec not in hidden]
    said = [f"no repository has {', '.join(gone)}"] if gone else []
    return "; ".join([*said, *(f"{spec} is hidden by {why}" for spec, why in sorted(hidden.items()))])


def _name(package: Mapping[str, str], own: str) -> str:
    return packages.salts_name(package["name"], package["arch"], own)
