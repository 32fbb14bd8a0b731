"""Who holds the package manager's locks on this node, and waiting for them, but not for ever.

dpkg, apt and rpm lock files by lockf; dnf 4 leaves files with the process id of their holder. One that a
killed dnf left may name a process that is another by now: dnf would wait for that one.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from openstack_rollout.node import waiting
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.share import KEY

# Files that are locked, and files with the process id of their holder.
_FILES = {
    "Debian": ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock"),
    "RedHat": ("/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock"),
}
_PID_FILES = {
    "Debian": (),
    "RedHat": (
        "/var/lib/dnf/rpmdb_lock.pid",
        "/var/cache/dnf/metadata_lock.pid",
        "/var/cache/dnf/download_lock.pid",
    ),
}
_PROC = Path("/proc")
# Beginnings of the names of programs that take these locks; ours asks dnf's library.
_MANAGERS = ("dnf", "yum", "packagekitd", "ask_dnf")
_PROGRAM_WITHIN = 4  # words of a command: an interpreter, its options and the program
_SOMEBODY = -1
_LOOK_EVERY = 1.0
_DOUBT = 5.0  # seconds by which the clock may have been set since
#: seconds, where the pillar does not say
PATIENCE = 300


def holders() -> list[str]:
    """Who holds a lock of the package manager now, one line each: "FILE by COMMAND (PID)".

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_lock.holders
    """
    family = __grains__.get("os_family", "RedHat")
    found = {path: _holder(Path(path)) for path in _FILES.get(family, ())}
    found |= {path: _owner(Path(path)) for path in _PID_FILES.get(family, ())}
    return [f"{path} by {_called(pid)}" for path, pid in found.items() if pid]


def wait(timeout: float | None = None) -> float:
    """Wait until nobody holds a lock of the package manager; returns the seconds it took.

    A file of dnf's whose process began after it was written is nobody's, and is removed; not where that
    process is a package manager, for the clock may have been set.

    timeout (float): seconds; `openstack:packages:lock_timeout` of the pillar by default, or 300.
    Raises NodeError PACKAGE_LOCKED, with the holder.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_lock.wait 60
    """
    begun = time.monotonic()
    for path in map(Path, _PID_FILES.get(__grains__.get("os_family", "RedHat"), ())):
        if (pid := _named(path)) and _is_anothers(pid, path):
            path.unlink(missing_ok=True)
    limit = patience() if timeout is None else float(timeout)
    if who := waiting.until_whole(holders, limit, _LOOK_EVERY):
        raise NodeError("PACKAGE_LOCKED", f"for {limit:.0f} s {who[0]}")
    return round(time.monotonic() - begun, 1)


def patience() -> float:
    """How long a lock may be held by others, in seconds (float).

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_lock.patience
    """
    return float((__pillar__.get(KEY) or {}).get("lock_timeout") or PATIENCE)


def _holder(path: Path) -> int:
    """The process that has a file locked; 0 when none has."""
    try:
        with path.open("rb+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return 0
    except OSError:
        return _locker(path)
    return 0


def _locker(path: Path) -> int:
    """The process that holds a lock, by the kernel's list of locks; _SOMEBODY when it is not in it. Inodes
    are compared and not devices, which differ for the files of an overlay.
    """
    try:
        inode = f":{path.stat().st_ino}"
        lines = (_PROC / "locks").read_text(encoding="utf-8").splitlines()
    except OSError:
        return _SOMEBODY
    found = [line.split() for line in lines if "->" not in line]
    return next((int(words[4]) for words in found if words[5].endswith(inode)), _SOMEBODY)


def _owner(path: Path) -> int:
    """The living process that wrote its id to a file; 0 when there is none."""
    pid = _named(path)
    return 0 if _is_anothers(pid, path) else pid


def _named(path: Path) -> int:
    """The living process that a file names; 0 when there is none."""
    try:
        pid = int(path.read_text(encoding="utf-8").strip() or 0)
    except (OSError, ValueError):
        return 0
    return pid if pid and (_PROC / str(pid)).exists() else 0


def _is_anothers(pid: int, path: Path) -> bool:
    """Whether a process is not the one that wrote a file."""
    return _is_younger(pid, path) and not _is_manager(pid)


def _is_manager(pid: int) -> bool:
    """Whether a process is a package manager, which is a program of an interpreter as often as not."""
    try:
        words = (_PROC / str(pid) / "cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    except OSError:
        return False
    return any(Path(word).name.startswith(_MANAGERS) for word in words[:_PROGRAM_WITHIN])


def _is_younger(pid: int, path: Path) -> bool:
    """Whether a process began after a file was written, so that it is not the one that wrote it."""
    try:
        status = (_PROC / str(pid) / "stat").read_text(encoding="utf-8")
        since_boot = int(status.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        return boot + since_boot > path.stat().st_mtime + _DOUBT
    except (OSError, IndexError, ValueError):
        return False


def _called(pid: int) -> str:
    try:
        name = (_PROC / str(pid) / "comm").read_text(encoding="utf-8").strip()
    except OSError:
        return "a process that the kernel does not name"
    return f"{name} ({pid})"
