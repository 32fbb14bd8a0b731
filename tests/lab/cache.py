"""Keep what takes long to build: one directory for each kind and content, named by a hash of what decides it.

A thing is built beside its place and renamed into it, so a build that was killed never counts.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import settings

#: how many of a kind stay, the last used ones: a lab that runs stands on some of them
_KEPT = 4


def ensure(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """The directory of that kind and key, built when it is missing.

    Args:
        kind: What it is, e.g. `base`.
        key: What its content depends on, as `digest_of` gives it.
        build: Fills an empty directory.
    """
    settings.CACHE.mkdir(parents=True, exist_ok=True)
    place = settings.CACHE / f"{kind}-{key}"
    with (settings.CACHE / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two labs do not build the same thing at once
        if not place.is_dir():
            _build(place, build)
            _prune(kind, place)
        os.utime(place)
    return place


def log(kind: str) -> Path:
    """Where a build of that kind writes what its tools say."""
    return settings.CACHE / f"{kind}.log"


def digest_of(*parts: object) -> str:
    """A short hash of values and of files' contents."""
    total = hashlib.sha256()
    for part in parts:
        directory = isinstance(part, Path) and part.is_dir()
        for item in sorted(f for f in part.rglob("*") if f.is_file()) if directory else [part]:
            content = item.read_bytes() if isinstance(item, Path) else repr(item).encode()
            name = item.name if isinstance(item, Path) else ""
            total.update(f"{name}:{len(content)}:".encode() + content)
    return total.hexdigest()[:12]


def _build(place: Path, build: Callable[[Path], None]) -> None:
    for leftover in settings.CACHE.glob(f".{place.name}-*"):  # of a killed build: we hold the lock
        shutil.rmtree(leftover)
    work = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=settings.CACHE))
    try:
        build(work)
        work.chmod(0o755)
        work.rename(place)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _prune(kind: str, newest: Path) -> None:
    others = sorted(settings.CACHE.glob(f"{kind}-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in [path for path in others if path != newest][_KEPT - 1 :]:
        shutil.rmtree(path)
