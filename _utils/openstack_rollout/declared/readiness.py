"""What a node tells of itself before a run, as the master accepts it: records of known names and types."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from openstack_rollout.declared import told
from openstack_rollout.declared.told import Lines, Name, Names, Text, Told

#: The form of the answer; a node whose modules have another one needs saltutil.sync_all.
SCHEMA = 1
_WHAT = "its readiness is"
_Bytes = Annotated[int, Field(ge=0)]
_Number = Annotated[float, Field(strict=False, allow_inf_nan=False)]


class Clock(Told):
    """What keeps the clock (by), whether it follows a source, and the seconds by which it is wrong; None: not
    known.
    """

    by: Text
    synchronized: bool | None
    offset: _Number | None


class Store(Told):
    """Where an engine keeps images (root), and what it fetches meanwhile (copies). layers: beginnings of the
    digests of those that are here. grows: bytes on the disk for each byte that was fetched, 0 where that is
    not known. broken: what keeps containers from being made. doubts: what may.
    """

    engine: Name
    root: Text
    copies: Text
    layers: Names
    grows: _Number
    broken: Lines
    doubts: Lines


class Packages(Told):
    """The packages that would come: how many, bytes to fetch, bytes by which they grow, whether a kernel is
    among them, and how many have no known size.
    """

    count: _Bytes
    fetch: _Bytes
    grow: _Bytes
    kernel: bool
    unknown: _Bytes


class Room(Told):
    """What is free where a folder is: the mount point of its file system, bytes, files (None: no limit)."""

    system: Name
    free: _Bytes
    files: _Bytes | None


class Certificate(Told):
    """A certificate that has ended, or ends soon (seconds since the epoch)."""

    path: Name
    subject: Text
    ends: int


class Installer(Told):
    """Somebody else who changes the node: it applies a configuration, moves packages, or is an agent that
    may.
    """

    name: Name
    kind: Literal["configuration", "packages", "agent"]
    seen: Text


class Readiness(Told):
    """What a run wants to know of a node before it begins.

    rooms: by folder. boot: bytes that another kernel needs in /boot, 0 where that is not known. failed: unit
    → whether it is a declared service's, or one that a node stands on. mute: what does not answer, a line
    each. by_hand: what somebody has set aside.
    unknown: part → why it could not be told. begun, ended: by the node's own clock.
    """

    schema_: Literal[1] = Field(alias="schema")
    id: Name
    clock: Clock
    stores: Annotated[list[Store], Field(max_length=10)]
    packages: Packages
    rooms: dict[Name, Room]
    boot: _Bytes
    certificates: Annotated[list[Certificate], Field(max_length=1000)]
    failed: dict[Name, bool]
    mute: Lines = []
    by_hand: Lines
    installers: Annotated[list[Installer], Field(max_length=1000)]
    unknown: dict[Name, Text]
    begun: _Number
    ended: _Number


def read(node: str, answer: Any) -> Readiness:
    """The readiness in a node's answer (node: the minion's id). Raises RolloutError FACTS_INVALID."""
    return told.read(node, answer, Readiness, SCHEMA, _WHAT)
