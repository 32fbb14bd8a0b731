"""Faults of package managers, their repositories and their transactions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from .. import half_transaction
from .matrix import Case

HOLD = (
    "import fcntl, sys, signal; f = open(sys.argv[1], 'a'); fcntl.lockf(f, fcntl.LOCK_EX);"
    " print(1, flush=True); signal.pause()"
)
RPM_LOCK = "/var/lib/rpm/.rpm.lock"
DPKG_LOCK = "/var/lib/dpkg/lock-frontend"


def older(nodes: Iterable[str], *names: str) -> Callable[[Case], None]:
    """Packages of the nodes are those of the first release again, so that there is something to do."""

    def plant(case: Case) -> None:
        wanted = case.lab.releases["1.0.0"]["packages"]
        for node in nodes:
            chosen = [f"{name}-{wanted[name]}" for name in names]
            command = ["dnf", "--assumeyes", "--quiet", "downgrade", *chosen]
            case.lab.exec(node, command, timeout=300, check=False)

    return plant


def killed(node: str, path: str, word: str) -> Callable[[Case], None]:
    """The node's package manager is killed as soon as a file says a word."""
    return lambda case: half_transaction.arm(case.lab, node, path, word)


def killed_at(node: str, name: str) -> Callable[[Case], None]:
    """The node's package manager is killed as soon as a file of a package is that of the second release."""

    def plant(case: Case) -> None:
        version = case.lab.releases["1.0.1"]["packages"][name].removesuffix(".el9")
        half_transaction.arm(case.lab, node, f"/usr/share/{name}/VERSION", version)

    return plant


def was_killed(node: str) -> Callable[[Case], None]:
    """It was, or the fault tells nothing."""

    def heal(case: Case) -> None:
        assert half_transaction.disarm(case.lab, node), "nothing was killed"

    return heal


def repository_broken(case: Case) -> None:
    """The repositories serve no index."""
    place = case.lab.home / "repositories"
    place.rename(place.with_suffix(".away"))
    place.mkdir()


def repository_whole(case: Case) -> None:
    """They serve again."""
    place = case.lab.home / "repositories"
    place.rmdir()
    place.with_suffix(".away").rename(place)


def lock_held(node: str, lock: str) -> Callable[[Case], None]:
    """Somebody holds the package manager's lock and does not let go."""

    def plant(case: Case) -> None:
        holder = ["systemd-run", "--quiet", "--unit=lab-lock", "/usr/bin/python3", "-c", HOLD, lock]
        case.lab.exec(node, holder)
        time.sleep(1)

    return plant


def lock_free(node: str) -> Callable[[Case], None]:
    """They let go."""
    return lambda case: case.lab.exec(node, ["systemctl", "stop", "lab-lock.service"])


def together(*steps: Callable[[Case], None]) -> Callable[[Case], None]:
    """Several things, in order."""

    def plant(case: Case) -> None:
        for step in steps:
            step(case)

    return plant


def debs_older(node: str, *names: str) -> Callable[[Case], None]:
    """Packages of a Debian node are those of the first generation again."""

    def plant(case: Case) -> None:
        chosen = [f"{name}=1.0-1" for name in names]
        command = ["apt-get", "--quiet", "--yes", "--allow-downgrades", "install", *chosen]
        case.lab.exec(node, command, timeout=300)

    return plant


def no_room_for(node: str, folder: str) -> Callable[[Case], None]:
    """The file system that a package's file goes to is full."""

    def plant(case: Case) -> None:
        case.lab.exec(node, ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", folder])
        case.lab.exec(node, ["dd", "if=/dev/zero", f"of={folder}/filler", "bs=4096", "count=1"])

    return plant


def room_for(node: str, folder: str) -> Callable[[Case], None]:
    """There is room again."""
    return lambda case: case.lab.exec(node, ["umount", folder])


def indexes_gone(case: Case) -> None:
    """The vendor's repository has no index any more."""
    for path in (case.lab.home / "repositories").glob("patches/deb/InRelease"):
        path.rename(path.with_suffix(".away"))


def indexes_back(case: Case) -> None:
    """It has it again."""
    for path in (case.lab.home / "repositories").glob("patches/deb/InRelease.away"):
        path.rename(path.with_suffix(""))
