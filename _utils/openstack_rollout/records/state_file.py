"""A small JSON file in which processes of one machine keep what is so now: read whole, written whole.

Only its owner may read it.
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
    """The file at that path, whose folder is made when it is first written."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Hold off other processes between a read and the write that follows from it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(f"{self.path}.guard", "a", encoding="utf-8") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield

    def read(self) -> dict[str, Any] | None:
        """What it says, None when there is no file. Raises ValueError when that is no JSON."""
        try:
            return json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def write(self, state: Mapping[str, Any]) -> None:
        """Replace it, by a file written aside: a reader, or a writer that dies, never leaves half a file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        aside = self.path.with_suffix(".new")
        aside.unlink(missing_ok=True)  # of a writer that died; its mode may be another one
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            json.dump(state, file)
        aside.replace(self.path)

    def forget(self) -> None:
        """Remove it; nothing happens when it is not there."""
        self.path.unlink(missing_ok=True)
