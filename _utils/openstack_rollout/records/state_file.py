"""A small JSON file in which processes of one machine keep what is so now: read whole, written whole.

Only its owner may read it. `replace` does the same for any text.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class StateFile:
    """The file at a path, whose folder is made when it is first written.

    path (str or Path): where it is. form: keys that it has for certain, each with the type of its value; one
    without them is damaged.
    """

    def __init__(self, path: str | os.PathLike[str], form: Mapping[str, type] | None = None):
        self.path = Path(path)
        self._form = form or {}

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Hold off other processes between a read and the write that follows from it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(f"{self.path}.guard", "a", encoding="utf-8") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield

    def read(self) -> dict[str, Any] | None:
        """What it says (dict), None when there is no file. Raises ValueError when that is no JSON or has not
        its form, OSError when it cannot be read.
        """
        try:
            state = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        if not isinstance(state, dict):
            raise ValueError("no JSON object")
        for key, kind in self._form.items():
            if not isinstance(state.get(key), kind):
                raise ValueError(f"{key} is no {kind.__name__}")
        return state

    def read_or_none(self) -> dict[str, Any] | None:
        """As `read`, but None also for a file that is damaged or cannot be read."""
        try:
            return self.read()
        except (OSError, ValueError):
            return None

    def write(self, state: Mapping[str, Any]) -> None:
        """Replace what it says.

        state (dict): anything that JSON can hold. Raises OSError when the disk refuses.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        replace(self.path, json.dumps(state))

    def forget(self) -> None:
        """Remove it; nothing happens when it is not there."""
        self.path.unlink(missing_ok=True)


def replace(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file by one written aside: nobody reads half a file, after a death or a power cut neither.

    path (Path): the file; its folder exists. text (str): all of it. mode (int): its permissions.
    Raises OSError when the disk refuses.
    """
    aside = path.with_name(f".{path.name}.new")
    aside.unlink(missing_ok=True)  # of a writer that died
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())  # a file system may write the name before what it stands for
    aside.replace(path)


def force(place: Path) -> None:
    """Have a file, or the names in a folder, written to the disk. Raises OSError when the disk refuses."""
    opened = os.open(place, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
