"""The packages that a service had before its last move, kept on the node: the way back needs no repository.

A folder for each service, with the files and a record of them. It is dropped as soon as the service is proven
at its new version, so that at most one earlier version of what moved is kept. One more is of the whole run
that moved packages last (OF_THE_RUN).
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.packages import Source
from openstack_rollout.records.state_file import StateFile

FOLDER = Path("/var/lib/openstack-rollout/packages")
_RECORD = "kept.json"
#: What a whole run keeps, in place of a service's name: all that it moves, until another run moves something.
OF_THE_RUN = ".run"


class Kept(NamedTuple):
    """What is kept of a service.

    packages (dict): {name: version} that it had. files (dict): {name: path} of those whose file is kept.
    missing (dict): {name: why} of the others. begun (bool): whether the move has begun, and is not proven.
    listened (list): the ports on which its units listened before. spoke (list): those on which they answered
    HTTP, None where nobody was asked.
    """

    packages: dict[str, str] = {}  # noqa: RUF012 - never changed
    files: dict[str, str] = {}  # noqa: RUF012
    missing: dict[str, str] = {}  # noqa: RUF012
    begun: bool = False
    listened: list[int] = []  # noqa: RUF012
    spoke: list[int] | None = None


def of(service: str) -> Kept:
    """What is kept of a service; nothing where its record is damaged or its files are gone.

    service (str): its name.
    """
    found = StateFile(FOLDER / service / _RECORD, {"packages": dict, "files": dict}).read_or_none() or {}
    kept = Kept(**{key: value for key, value in found.items() if key in Kept._fields})
    gone = {name: "its file is gone" for name, path in kept.files.items() if not Path(path).exists()}
    files = {name: path for name, path in kept.files.items() if name not in gone}
    return kept._replace(files=files, missing={**kept.missing, **gone})


def every() -> dict[str, list[str]]:
    """The versions that are kept of packages, by whatever service or run: {name: [version]}."""
    found: dict[str, list[str]] = {}
    for place in FOLDER.iterdir() if FOLDER.is_dir() else ():
        for name, version in of(place.name).packages.items():
            found.setdefault(name, []).append(version)
    return found


def write(service: str, kept: Kept) -> None:
    """Record what is kept of a service. Raises NodeError DISK_FULL, or NODE_ERROR.

    service (str): its name.
    """
    try:
        StateFile(FOLDER / service / _RECORD).write(kept._asdict())
    except OSError as error:
        raise _refused(error) from error


def folder(service: str) -> str:
    """The folder of a service, made where it is missing. Raises NodeError DISK_FULL, or NODE_ERROR.

    service (str): its name.
    """
    place = FOLDER / service
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise _refused(error) from error
    return str(place)


def take(service: str, packages: Mapping[str, str], sources: Mapping[str, Source]) -> Kept:
    """Have the files of packages in the folder of a service, and nothing else.

    service (str): its name. packages (dict): {name: version}. sources (dict): where each file is.

    Raises NodeError DISK_FULL, or NODE_ERROR.
    """
    place = Path(folder(service))
    files: dict[str, str] = {}
    try:
        for name in packages:
            if path := sources[name].path:
                files[name] = str(_copied(Path(path), place))
        for one in place.iterdir():
            if one.name != _RECORD and str(one) not in files.values():
                one.unlink()
    except OSError as error:
        raise _refused(error) from error
    missing = {name: sources[name].why or "it could not be fetched" for name in packages if name not in files}
    return Kept(dict(packages), files, missing)


def at_hand(packages: Mapping[str, str]) -> dict[str, str]:
    """The files that the last run kept of packages at these versions: {name: path}.

    packages (dict): {name: version}.
    """
    kept = of(OF_THE_RUN)
    return {
        name: path for name, path in kept.files.items() if kept.packages.get(name) == packages.get(name, "")
    }


def drop(service: str) -> None:
    """Keep nothing of a service any more. A second time changes nothing.

    service (str): its name.
    """
    shutil.rmtree(FOLDER / service, ignore_errors=True)


def _copied(source: Path, place: Path) -> Path:
    target = place / source.name
    if target == source:
        return target
    aside = place / f".{source.name}.new"
    aside.unlink(missing_ok=True)
    try:
        os.link(source, aside)
    except OSError:  # another file system
        shutil.copy2(source, aside)
    return aside.replace(target)


def _refused(error: OSError) -> NodeError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NodeError("DISK_FULL", f"{FOLDER}: {error}")
    return NodeError("NODE_ERROR", f"{FOLDER}: {error}")


def told(missing: Mapping[str, str]) -> str:
    """What has no way back, and why, for a sentence; "" where everything has.

    missing (dict): {name: why}.
    """
    lines: dict[str, list[str]] = {}
    for name, why in sorted(missing.items()):
        lines.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(names)} ({why})" for why, names in lines.items())


def due_back(kept: Kept, installed: Mapping[str, Any]) -> dict[str, str]:
    """The packages of a record that are not installed at the version that it says: {name: version}.

    installed (dict): {name: [versions]}.
    """
    return {name: one for name, one in kept.packages.items() if one not in installed.get(name, [one])}
