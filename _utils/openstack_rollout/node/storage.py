"""Whether file systems have room: for images, for one more container, for what this project writes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from openstack_rollout.node.errors import NodeError

#: What has to be left for one more container and its files, in bytes and files.
ROOM = 64 * 2**20
FILES = 1000
_RECORDS = 2**20  # bytes for quadlets and records
_RECORD_FILES = 16
#: Where this project writes while a container is changed.
WRITTEN = ("/etc/containers/systemd", "/var/lib/openstack-rollout", "/run/systemd/system")


class Room(NamedTuple):
    """What is free where a folder is: the mount point of its file system, bytes, files (None: no limit)."""

    system: str
    free: int
    files: int | None


def room(folder: str) -> Room:
    """What is free where a folder is, or would be made.

    folder (str): its path. Raises NodeError NODE_ERROR when the file system cannot be asked.
    """
    place = Path(folder)
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        found = os.statvfs(place)
    except OSError as error:
        raise NodeError("NODE_ERROR", f"{place}: {error}") from error
    files = found.f_favail if found.f_files else None
    return Room(_mount_point(place.resolve()), found.f_bavail * found.f_frsize, files)


def lacking(folder: str, wants: str, size: int = ROOM, files: int = FILES) -> str:
    """What a file system lacks (one line), "" where it has enough room.

    folder (str): a place in it. wants (str): what needs the room. size, files (int): what has to be free.
    """
    now = room(folder)
    if now.free >= size and (now.files is None or now.files >= files):
        return ""
    left = "" if now.files is None else f" and {now.files} files"
    where = now.system if now.system == folder else f"{now.system} (for {folder})"
    return f"{where} has {now.free} bytes{left} free, {wants} needs {size} bytes and {files} files"


def require_room(folder: str, wants: str, size: int = ROOM, files: int = FILES) -> None:
    """Make sure that a file system has room. Raises NodeError DISK_FULL.

    folder, wants, size, files: as for `lacking`.
    """
    if said := lacking(folder, wants, size, files):
        raise NodeError("DISK_FULL", said)


def require_writable() -> None:
    """Make sure that there is room for what a change writes. Raises NodeError DISK_FULL."""
    for folder in WRITTEN:
        require_room(folder, "the record of a change", _RECORDS, _RECORD_FILES)


def _mount_point(place: Path) -> str:
    while not place.is_mount():
        place = place.parent
    return str(place)
