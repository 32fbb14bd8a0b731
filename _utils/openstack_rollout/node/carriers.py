"""The carriers: execution modules that replace the image of a container which somebody else deployed.

A container's definition belongs to its deployer. A carrier knows one way in which containers are run, and
leaves everything but the image as it is. This is their list and their contract; each carrier is a file of
`_modules/` with that name. Nothing here needs Salt, since the master reads the list as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

#: In the order in which they are asked: what is Pacemaker's is nobody else's.
CARRIERS = ("pacemaker_bundle", "foreign_quadlet", "podman_command", "podman_api", "docker_container")
#: Those that can replace the image of a definition and start nothing (`define`, with the arguments of
#: `replace`).
DEFINING = ("foreign_quadlet",)


class Carrier(Protocol):
    """The functions of a carrier. `container` is always the container's name.

    A token (dict) is plain data without secrets: what finishes a replacement, or takes it back. It is
    recorded from before the first change until `accept` or `put_back`. It has at least `unit`; `engine`; and
    `definition`, which node/definitions.py makes of the container that runs.
    """

    def carried(self) -> dict[str, dict]:
        """The containers of the node that are run this way. It is a first look: what the job knows already of
        containers counts (`containers(known=True)` of an engine).

        Returns {container: {"unit": name, "" where none runs it, "engine": execution module that tells of
        it, "image": reference that its definition starts, "journal": whether the unit's journal has its
        log}}. Touches nothing.
        """

    def prepare(self, container: str, image: str) -> dict:
        """Prove the next container with another image, and touch nothing that runs. Returns the token.

        image (str): reference with a digest; it is local. Raises NodeError DEFINITION_REFUSED where the next
        one could not start, DEFINITION_CHANGED where it would be another one.
        """

    def replace(self, container: str, token: dict) -> None:
        """Stop the container, and start the next one in its place. Raises CommandExecutionError."""

    def put_back(self, container: str, token: dict) -> None:
        """Have what ran before run again, and drop what `prepare` made. A second time changes nothing."""

    def accept(self, container: str, token: dict) -> None:
        """The next container is proven: drop what `put_back` would need."""

    def discard(self, container: str, token: dict) -> None:
        """Drop what a replacement made and kept beside what has the container's name: it was never begun, or
        its deployer has made the container anew."""


def carried(salt: Mapping[str, Any]) -> dict[str, dict]:
    """Every container of the node that a carrier knows to run: {container: its record, and "carrier"}.

    What the job knows already of containers counts. salt (dict): the caller's `__salt__`.
    """
    found: dict[str, dict] = {}
    for carrier in reversed(CARRIERS):
        if f"{carrier}.carried" in salt:
            some = salt[f"{carrier}.carried"]()
            found |= {name: {**one, "carrier": carrier} for name, one in some.items()}
    return found
