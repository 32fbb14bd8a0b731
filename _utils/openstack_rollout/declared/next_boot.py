"""Whether a node's next boot would start what is wanted: judged of what the node tells of its boot loader."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from openstack_rollout.node import kernels

if TYPE_CHECKING:
    from openstack_rollout.declared.facts import NextBoot


class Cause(StrEnum):
    """Why a boot may not start what is wanted."""

    UNKNOWN = "unknown"  # nothing is known of the loader: that refuses nothing, and is told
    DEFAULT_ENTRY = "default_entry"
    KERNEL_MISSING = "kernel_missing"
    INITRAMFS_MISSING = "initramfs_missing"
    NO_ROOM = "no_room"


@dataclass(frozen=True)
class Doubt:
    """One thing that stands between a node and the boot that is wanted.

    cause (Cause). have, want (str): what would be started and what is to be, the file, or bytes.
    """

    cause: Cause
    have: str = ""
    want: str = ""

    @property
    def refuses(self) -> bool:
        """Whether no node may be drained for such a boot (bool)."""
        return self.cause is not Cause.UNKNOWN


def doubts(boot: NextBoot | None, coming: Iterable[str]) -> list[Doubt]:
    """What is wrong with the next boot, as far as it can be told.

    boot: what the node tells, None where it was not asked. coming: the packages that are about to move there.
    """
    if boot is None:
        return []
    if boot.unknown:
        return [Doubt(Cause.UNKNOWN, boot.unknown)]
    found = [Doubt(Cause.KERNEL_MISSING, name) for name in boot.missing.kernel]
    found += [Doubt(Cause.INITRAMFS_MISSING, name) for name in boot.missing.initramfs]
    if boot.wanted and boot.release != boot.wanted:
        found.append(Doubt(Cause.DEFAULT_ENTRY, boot.release or boot.entry, boot.wanted))
    room = boot.room
    if room and room.free < room.need and any(map(_is_kernel, coming)):
        found.append(Doubt(Cause.NO_ROOM, str(room.free), str(room.need)))
    return found


def _is_kernel(package: str) -> bool:
    return any(fnmatchcase(package, glob) for glob in kernels.PACKAGES)
