"""Configuration files as they were before a run that renders them, kept on the node: they may hold secrets.

A folder for each run, with the contents and an index of them. The folders of the last runs stay.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from openstack_rollout.node.errors import NodeError
from openstack_rollout.records.state_file import StateFile, replace

FOLDER = Path("/var/lib/openstack-rollout/files")
RUNS = 5
_INDEX = "index.json"


class Former(NamedTuple):
    """A file before a run: its text, permissions and owners; text is None where there was none."""

    text: str | None
    mode: int = 0
    uid: int = 0
    gid: int = 0


def keep(run: str, paths: Iterable[str]) -> list[str]:
    """Keep files as they are now; of one that this run has kept that stays.

    run (str): its identifier. paths: of the files. Returns those that were kept now. Raises NodeError
    NODE_ERROR when a file cannot be read, or the copy cannot be written.
    """
    place = FOLDER / run
    index = _index(run)
    due = [path for path in paths if path not in index]
    try:
        for path in due:
            file = Path(path)
            if not file.exists():
                index[path] = {"name": ""}
                continue
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            found, name = file.stat(), f"{len(index)}.txt"
            replace(place / name, file.read_text(encoding="utf-8"))
            mode = found.st_mode & 0o7777
            index[path] = {"name": name, "mode": mode, "uid": found.st_uid, "gid": found.st_gid}
        if due:
            StateFile(place / _INDEX).write({"files": index})
        _forget_old(run)
    except (OSError, UnicodeError) as error:
        raise NodeError("NODE_ERROR", f"what files were cannot be kept: {error}") from error
    return due


def former(run: str, path: str) -> Former | None:
    """What a file was before a run, None where that was not kept, or is gone. Raises NodeError NODE_ERROR.

    run (str): its identifier. path (str): of the file.
    """
    found = _index(run).get(path)
    if found is None:
        return None
    if not found["name"]:
        return Former(None)
    try:
        text = (FOLDER / run / found["name"]).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeError) as error:
        raise NodeError("NODE_ERROR", f"{path} as it was before run {run}: {error}") from error
    return Former(text, found["mode"], found["uid"], found["gid"])


def _index(run: str) -> dict[str, dict]:
    return dict((StateFile(FOLDER / run / _INDEX, {"files": dict}).read_or_none() or {"files": {}})["files"])


def _forget_old(run: str) -> None:
    """Drop what the oldest runs kept; identifiers begin with the time."""
    there = sorted(one.name for one in FOLDER.iterdir() if one.is_dir()) if FOLDER.exists() else []
    for name in there[:-RUNS]:
        if name != run:
            shutil.rmtree(FOLDER / name, ignore_errors=True)
