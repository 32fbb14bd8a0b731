"""Whether the files of an image's layers are there: each layer that containers-storage keeps in the overlay
format has a list of its files beside it (tar-split).

Contents are not compared: that takes as long as to pull the image.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_DELETED = ".wh."  # a name that begins so says that a file of a lower layer is gone
_FILE = 1  # the type of an entry that is a file's


def missing(folders: list[str]) -> str:
    """The first file that a layer lacks, or has with another size (one line); "" where all are there.

    folders (list): where layers are unpacked, …/overlay/ID/diff. Of one without a list nothing is known.
    """
    for folder in map(Path, folders):
        if not folder.is_dir():
            return f"{folder} is not there"
        listed = folder.parents[1].with_name("overlay-layers") / f"{folder.parent.name}.tar-split.gz"
        if not listed.exists():
            continue
        try:
            for name, size in _files(listed).items():
                if said := _lacks(folder / name, size):
                    return said
        except (OSError, EOFError, ValueError) as error:
            return f"{listed} cannot be read: {error}"
    return ""


def _files(listed: Path) -> dict[str, int]:
    """The files of a layer, by name: their size. The last entry of a name counts."""
    found: dict[str, int] = {}
    with gzip.open(listed, "rt", encoding="utf-8") as lines:
        for name, size in _entries(lines):
            clean = os.path.normpath(name).lstrip("/")
            if not Path(clean).name.startswith(_DELETED):
                found[clean] = size
    return found


def _entries(lines: Iterator[str]) -> Iterator[tuple[str, int]]:
    for line in lines:
        entry = json.loads(line)
        if entry.get("type") == _FILE:
            raw = entry.get("name_raw")
            name = os.fsdecode(base64.b64decode(raw)) if raw else entry.get("name", "")
            yield name, int(entry.get("size") or 0)


def _lacks(file: Path, size: int) -> str:
    try:
        found = file.lstat()
    except FileNotFoundError:
        return f"{file} is not there"
    if size and stat.S_ISREG(found.st_mode) and found.st_size != size:
        return f"{file} has {found.st_size} bytes, not {size}"
    return ""
