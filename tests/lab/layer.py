"""Build what machines of a profile have over the base image: packages of Debian, as a layer of an overlay."""

import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import base, cache, chroot


def ensure(kind: str, root: Path, packages: Sequence[str], disabled: Sequence[str]) -> Path:
    """The layer's directory, for an overlay over the base image; made when the cache lacks it.

    Args:
        kind: Its name in the cache.
        root: The base image.
        packages: What is installed.
        disabled: Units that the packages enable, and that no machine runs by itself.

    Raises:
        RuntimeError: A step failed; the message has the end of its output.
    """
    key = cache.digest_of(Path(__file__), packages, disabled, root.parent.name, platform.machine())

    def build(work: Path) -> None:
        _build(kind, work, root, packages, disabled)

    return cache.ensure(kind, key, build) / "upper"


def _build(kind: str, work: Path, root: Path, packages: Sequence[str], disabled: Sequence[str]) -> None:
    log = cache.log(kind)
    log.write_text("")
    upper = work / "upper"
    base.configure_packaging(upper)
    for argv in (
        ["apt-get", "-qq", "update"],
        ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", "install", "-y", *packages],
        ["apt-get", "clean"],
        ["systemctl", "--quiet", "disable", *disabled],
    ):
        chroot.run(upper, argv, log=log, lower=root)
    base.clean(upper)
    # A build leaves device nodes where it removed what the base image has: here it removes nothing of it.
    subprocess.run(["find", str(upper), "-type", "c", "-delete"], check=True)
    for scratch in ("merged", "work"):
        shutil.rmtree(work / scratch, ignore_errors=True)
