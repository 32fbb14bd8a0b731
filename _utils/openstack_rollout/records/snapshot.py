"""What a node was when a run measured it: its release, the versions of what it has, and what is left.

For people, of every run, also of a rollback, and written with each transition of the node: so it has the ids
of images and the packages that the target names. What a node goes back to is way_back.Former: written once a
run, it has references by which images can be had again, and all packages that were told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

#: What may be left on a node, for an operator to do or to know.
Kind = Literal[
    "switch_stale", "reboot", "reboot_without_effect", "held", "configuration", "old_sidecars", "health"
]


@dataclass
class Image:
    """What a service's container is made of: the release that has that image ("custom" for one of the
    operator's, None where nobody knows it), and the image's id.
    """

    release: str | None
    id: str


@dataclass
class Left:
    """One thing that is left on a node: what it is about, what is there, and what there would be."""

    kind: Kind
    subject: str = ""
    have: str = ""
    want: str = ""


@dataclass
class Snapshot:
    """A node at one moment.

    Attributes:
        at: When it was measured, seconds since the epoch.
        release: The one that it is at, None between releases.
        services: Service → the image that its container is of.
        packages: Package that a release names → its installed versions.
        left: What is left to do there, or stays as it is.
    """

    at: float
    release: str | None = None
    services: dict[str, Image] = field(default_factory=dict)
    packages: dict[str, list[str]] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)

    def versions(self) -> dict[tuple[str, str], str]:
        """(service or package, its name) → its version, for people; a service has that of its image."""
        found = {("service", name): _version(image) for name, image in self.services.items()}
        return found | {("package", name): ", ".join(some) for name, some in self.packages.items()}

    def same(self, other: Snapshot | None) -> bool:
        """Whether another one, of another time, tells the same."""
        return other is not None and {**vars(self), "at": 0} == {**vars(other), "at": 0}


def _version(image: Image) -> str:
    return f"{image.release} ({image.id[:12]})" if image.release and image.id else image.id[:12]
