"""A repository of a test's own packages for the machine, and its packages killed in the middle of a move."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable

from tests.lab import packages, settings

NAME = "own"
SCRIPTS = "/var/log/rpm-scriptlets.log"
_REPO_FILE = f"""[{NAME}]
name=Packages of a test
baseurl=http://{settings.HOST_ADDRESS}:{settings.REPOSITORY_PORT}/{NAME}
gpgcheck=0
metadata_expire=1
"""


def publish(node, some: Iterable[packages.Package]) -> None:
    """Have the repository offer these packages, beside those that it offers already; the machine knows it."""
    place = node.lab.home / "repositories" / NAME
    scratch = node.lab.home / "own-packages"
    place.mkdir(parents=True, exist_ok=True)
    for package in some:
        packages.build(package, place, scratch)
    shutil.rmtree(scratch)
    subprocess.run(["createrepo_c", "--quiet", str(place)], check=True)
    node.exec(["tee", f"/etc/yum.repos.d/{NAME}.repo"], stdin=_REPO_FILE)


def withdraw(node, *names: str) -> None:
    """Have the repository no longer offer packages of these file names (globs)."""
    place = node.lab.home / "repositories" / NAME
    for glob in names:
        for path in place.glob(glob):
            path.unlink()
    subprocess.run(["createrepo_c", "--quiet", str(place)], check=True)


def install(node, *specs: str) -> None:
    """Install packages, as the machine's operator does."""
    node.exec(["dnf", "--quiet", "--assumeyes", "install", *specs], timeout=300)


def ran(node) -> list[str]:
    """The scripts of packages that ran: "NAME SCRIPT"."""
    return [line.rpartition(" ")[0] for line in node.out(["cat", SCRIPTS]).splitlines()]
