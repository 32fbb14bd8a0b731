"""Whether the storage of an engine has room for one more container."""

from __future__ import annotations

import os

from openstack_rollout.node.errors import NodeError

# What has to be left, in bytes and files.
_ROOM = 64 * 2**20
_FILES = 1000


def require_room(store: str) -> None:
    """Make sure that a container can be created.

    store (str): the folder of the engine's storage. Raises NodeError DEFINITION_REFUSED.
    """
    room = os.statvfs(store)
    if room.f_bavail * room.f_frsize < _ROOM or (room.f_files and room.f_favail < _FILES):
        free = room.f_bavail * room.f_frsize // 2**20
        raise NodeError(
            "DEFINITION_REFUSED", f"{store} has {free} MiB and {room.f_favail} files left: make room there"
        )
