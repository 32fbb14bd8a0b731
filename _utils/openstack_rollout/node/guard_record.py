"""What a guard has begun on a node and not finished: one small file a container, which outlives the run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import salt.utils.files

from openstack_rollout.node.errors import NodeError

FOLDER = Path("/var/lib/openstack-rollout/guard")


def read(container: str, folder: Path = FOLDER) -> dict[str, Any] | None:
    """The record of a container's change, None when none is under way. Raises NodeError NODE_ERROR."""
    file = folder / f"{container}.json"
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise NodeError("NODE_ERROR", f"{file}: {error}") from error


def write(container: str, record: dict[str, Any], folder: Path = FOLDER) -> None:
    """Keep the record of a container's change. Raises NodeError NODE_ERROR when the disk refuses."""
    file = folder / f"{container}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".new")
        with salt.utils.files.set_umask(0o077):
            temporary.write_text(json.dumps(record), encoding="utf-8")
        os.replace(temporary, file)
    except OSError as error:
        raise NodeError("NODE_ERROR", f"{file}: {error}") from error


def forget(container: str, folder: Path = FOLDER) -> None:
    """The change of a container is finished, or undone."""
    (folder / f"{container}.json").unlink(missing_ok=True)
