"""What has to happen to packages: pure comparisons, the same on a node and on the master.

In the vendor's RPM repositories Open vSwitch's stream is a part of its package's name (openvswitch3.4,
openvswitch3.4-devel), so a new stream is another package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

# Before a version of a release's package: that one or any newer.
FLOOR = ">="
# In place of a version of a release's package: the newest that the node's repositories offer.
NEWEST = "newest"
OVS_PACKAGES = ("openvswitch*", "*-openvswitch")
# Salt's own packages move last, apart from all others: their scripts restart what runs the update.
MINION_PACKAGES = ("salt", "salt-common", "salt-minion")
_OVS_STREAM = re.compile(r"^openvswitch(?P<stream>\d+\.\d+)?(?P<part>-.+)?$")

#: A package's name and a floor → whether an installed version of it is at least that.
Meets = Callable[[str, str], bool]
#: As pkg.version_cmp: -1, 0, 1, or None for what it cannot compare.
Compare = Callable[[str, str], int | None]


#: Why a file was not kept that it was not looked for any more.
NO_TIME = "there was no time left to look for it"


class Source(NamedTuple):
    """Where the file of an installed package is to be had, of the very version that is installed.

    path (str): of the file, where it is on the node and whole, "" where it is not. why (str): why it is
    nowhere, "" where a repository has it.
    """

    path: str = ""
    why: str = ""


class Transaction(NamedTuple):
    """A package manager's transaction before it runs: its command, the packages that it brings ({name:
    version}) and those that it takes away, as Salt calls them.
    """

    command: list[str]
    comes: dict[str, str]
    goes: set[str]


def changes(
    stage: str,
    packages: Mapping[str, str],
    installed: Mapping[str, Sequence[str]],
    meets: Meets = lambda name, floor: False,
    newer: Mapping[str, str] | None = None,
) -> tuple[dict[str, str], list[str]]:
    """What has to happen to the packages of a stage.

    stage (str): `ovs` also follows Open vSwitch from one stream's package to the next. packages (dict): name
    → version the release wants, or the least one (">=1.2-3"), which meets tells, or `newest`. installed
    (dict): name → versions, as pkg.list_pkgs(versions_as_list=True) gives. newer (dict): name → version that
    the repositories offer, of those that are to be at the newest and are not.

    Returns ({name: version} to bring to that version, [names] to remove, of `ovs` also name-version of what a
    killed transaction left beside the wanted version). A package that a node does not have is not wanted
    there; one with several versions side by side (a kernel) is right when the wanted one is among them.
    """
    wanted = {name: version for name, version in packages.items() if name in installed}
    remove: list[str] = []
    if stage == "ovs":
        parts: set[str | None] = {match["part"] for match in map(_OVS_STREAM.match, installed) if match}
        if any(name.endswith("-openvswitch") and not name.startswith("python") for name in installed):
            # The wrapper needs a switch, also when a broken transaction took the old one away; bindings not.
            parts.add(None)
        streams = {name: match for name in packages if (match := _OVS_STREAM.match(name)) and match["stream"]}
        wanted |= {name: packages[name] for name, match in streams.items() if match["part"] in parts}
        if streams:
            remove = sorted(
                name
                for name in installed
                if name not in packages and (match := _OVS_STREAM.match(name)) and match["stream"]
            )
        remove += _doubles(wanted, installed)
    offered = newer or {}
    install = {}
    for name, one in wanted.items():
        version = offered.get(name, one) if one == NEWEST else one
        if not _is_there(name, version, installed.get(name, ()), meets):
            install[name] = version
    return install, remove


def meets_by(installed: Mapping[str, Sequence[str]], compare: Compare) -> Meets:
    """A function that says whether an installed package is at least at a version (a floor).

    installed (dict): {name: [version]}. compare: the package manager's own comparison, pkg.version_cmp; a
    floor that it cannot compare is not met.
    """

    def meets(name: str, floor: str) -> bool:
        least = floor.removeprefix(FLOOR).strip()
        return any(
            (found := compare(one, least)) is not None and found >= 0 for one in installed.get(name, ())
        )

    return meets


def to_mend(
    stage: str, packages: Iterable[str], broken: Iterable[str], exclude: Sequence[str] = ()
) -> set[str]:
    """Of the packages that a killed transaction left half done, those that a stage has to mend.

    stage (str): `system` mends all but Salt's own packages, which move apart from all others; another stage
    mends its own. packages: names and globs of those of the stage. broken: the names. exclude (list): globs
    of packages that must not move. Open vSwitch's are the business of the stage `ovs` alone, without their
    scripts.
    """
    own = set(packages)
    return {
        name
        for name in broken
        if (stage == "system" or matches(name, own))
        and not of_the_switch(name)
        and name not in MINION_PACKAGES
        and not matches(name, exclude)
    }


def matches(name: str, globs: Iterable[str]) -> bool:
    """Whether a package's name is one of the globs, with dpkg's architecture (name:i386) or without it."""
    names = (name, name.partition(":")[0])
    return any(fnmatchcase(one, glob) for glob in globs for one in names)


def salts_name(name: str, arch: str, own: str, mark: str = ".") -> str:
    """What Salt calls a package: with its architecture where that is not the node's own.

    name, arch (str): of the package. own (str): the node's architecture (the grain osarch). mark (str): what
    stands between them, ":" with dpkg.
    """
    return name if arch in (own, "noarch", "all", "") else f"{name}{mark}{arch}"


def of_the_switch(name: str) -> bool:
    """Whether a package is Open vSwitch's, or a wrapper that selects its stream.

    name (str): of the package.
    """
    return matches(name, OVS_PACKAGES)


def plain(version: str) -> str:
    """A version without the epoch, which rpm leaves out when it is 0.

    version (str): as a release or a package manager writes it.
    """
    return version.removeprefix("0:")


def _is_there(name: str, wanted: str, installed: Sequence[str], meets: Meets) -> bool:
    if wanted == NEWEST:
        return True  # nothing newer is offered
    if wanted.startswith(FLOOR):
        return bool(installed) and meets(name, wanted)
    return wanted in installed or plain(wanted) in map(plain, installed)


def _doubles(wanted: Mapping[str, str], installed: Mapping[str, Sequence[str]]) -> list[str]:
    """name-version of every other version beside the wanted one."""
    return sorted(
        f"{name}-{one}"
        for name, version in wanted.items()
        if plain(version) in map(plain, installed.get(name, ()))
        for one in installed[name]
        if plain(one) != plain(version)
    )
