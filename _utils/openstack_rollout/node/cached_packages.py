"""The files of packages that the package manager of this node has in its cache."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from openstack_rollout.node import commands, packages

APT = Path("/var/cache/apt/archives")
DNF = Path("/var/cache/dnf")
_FORM = "%{NAME}\\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\\t%{ARCH}"


class File(NamedTuple):
    """A package's file: its path, the package's name and version as Salt has them, the bytes that it takes up
    (none where another folder has the same file by a link).
    """

    path: str
    name: str
    version: str
    size: int


def found(salt: Mapping[str, Any], is_apt: bool, own: str) -> list[File]:
    """All files of packages in the cache.

    salt (dict): the caller's `__salt__`. is_apt (bool): whether the node has apt. own (str): its architecture
    (the grain osarch).
    """
    return sorted(_of_apt(own) if is_apt else _of_dnf(salt, own))


def older(
    files: Sequence[File],
    installed: Mapping[str, Sequence[str]],
    keep: Mapping[str, Sequence[str]],
    compare: packages.Compare,
) -> list[File]:
    """Those of a version that is older than any that is installed, and that nobody wants to keep.

    files: of `found`. installed, keep (dict): {name: [version]}. compare: as pkg.version_cmp. What is not
    installed, and what is newer, may be there for a next step: it is none of these.
    """
    return [
        one
        for one in files
        if installed.get(one.name)
        and packages.plain(one.version) not in map(packages.plain, keep.get(one.name, ()))
        and all(compare(one.version, version) == -1 for version in installed[one.name])
    ]


def remove(file: File) -> str:
    """Remove a file. Returns why it could not be removed, "" where it is gone."""
    try:
        os.unlink(file.path)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _of_apt(own: str) -> Iterator[File]:
    for path in APT.glob("*.deb"):
        parts = path.name.removesuffix(".deb").split("_")
        if len(parts) == 3:
            name = packages.salts_name(parts[0], parts[2], own, ":")
            yield File(str(path), name, unquote(parts[1]), _size(path))


def _of_dnf(salt: Mapping[str, Any], own: str) -> Iterator[File]:
    for path in DNF.glob("*/packages/*.rpm"):
        # One by one: of several, nothing says of which a line is where one cannot be read.
        done = commands.run(salt, ["rpm", "-qp", "--nosignature", "--queryformat", _FORM, str(path)])
        told = done.stdout.split("\t")
        if not done.retcode and len(told) == 3:
            yield File(str(path), packages.salts_name(told[0], told[2], own), told[1].strip(), _size(path))


def _size(path: Path) -> int:
    try:
        said = path.stat()
    except OSError:
        return 0
    return said.st_blocks * 512 if said.st_nlink == 1 else 0
