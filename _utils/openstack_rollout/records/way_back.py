"""The way back of a run: what a node was before it, and what a rollback has in force, as the journal keeps
it.

What a node was is written before the run touches it, once, and only of nodes that the run has something to do
on. What a report tells of that is a record of its own (snapshot.Snapshot): it outlives this one, is of
rollbacks too, and would be too much with all of this at each transition of a node. A rollback is in force
from its first node on, until the target is another one or an operator ends it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

VERSION = 1
#: Runs of which it is kept what their nodes were before, of those that moved any.
KEPT = 5


@dataclass
class Former:
    """What a node was before a run.

    deployed: the release that it was at, "" between releases. images: service → the image (a reference with a
    digest) that its container ran, "" where no name of it is known. packages: those that releases name, with
    their versions. migrations: those that it had not done → their stage. orphans: containers of ours that the
    target no longer wants. legacy: container → units of an earlier installer that ran it. system_image: of a
    bootc host, "" elsewhere. irreversible: whether the release that it was to go to was declared so.
    ovn_wait: what node.ovn_wait.SETTING was, "" where nothing was set, None where nobody asked.
    """

    deployed: str = ""
    images: dict[str, str] = field(default_factory=dict)
    packages: dict[str, list[str]] = field(default_factory=dict)
    migrations: dict[str, str] = field(default_factory=dict)
    orphans: list[str] = field(default_factory=list)
    legacy: dict[str, list[str]] = field(default_factory=dict)
    system_image: str = ""
    irreversible: bool = False
    ovn_wait: str | None = None
    version: int = VERSION


@dataclass
class Back:
    """What one node goes back to.

    of: the run that is undone. stages: those that it moved there. release: as which the node is described,
    "" for the target. images: as in Former. packages: {name: version}. system_image, ovn_wait: as in Former.
    """

    of: str
    stages: list[str]
    release: str = ""
    images: dict[str, str] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    system_image: str = ""
    ovn_wait: str | None = None
    version: int = VERSION


@dataclass
class InForce:
    """The rollback that is in force: what overrides the target of nodes.

    of: the run that is undone. by: the run that does it. target: the target_version that it overrides; with
    another one nothing is. release: the one that all its nodes were at before, "" where they were not at one.
    """

    of: str
    by: str
    target: str
    release: str = ""
    version: int = VERSION
