"""The records of replacements: a carrier's token, from before its first change until it is ended.

They outlive a run that dies, and a reboot.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openstack_rollout.node.errors import NodeError
from openstack_rollout.records.state_file import StateFile

FOLDER = Path("/var/lib/openstack-rollout/replacements")


def begin(container: str, carrier: str, token: Mapping[str, Any]) -> None:
    """Record a replacement that is about to begin. Raises NodeError NODE_ERROR when the disk refuses.

    container, carrier (str): their names. token (dict): of the carrier's `prepare`.
    """
    try:
        _file(container).write({**token, "carrier": carrier})
    except OSError as error:
        raise NodeError("NODE_ERROR", f"{_file(container).path}: {error}") from error


def pending(container: str) -> dict | None:
    """The token, and "carrier", of a replacement that was begun and not ended; None without one.

    container (str): its name. Raises NodeError NODE_ERROR when the record cannot be read.
    """
    try:
        return _file(container).read()
    except (OSError, ValueError) as error:
        raise NodeError("NODE_ERROR", f"{_file(container).path}: {error}") from error


def end(container: str) -> None:
    """Drop the record of a replacement that is accepted or taken back.

    container (str): its name. Nothing happens without a record.
    """
    _file(container).forget()


def _file(container: str) -> StateFile:
    return StateFile(FOLDER / f"{container}.json")
