"""Build what a machine of the profile `controllers` has over the base image: Pacemaker, pcs, haproxy."""

import platform
import shutil
import subprocess
from pathlib import Path

from tests.lab import base, cache, chroot

_PACKAGES = (
    *("pacemaker", "pacemaker-cli-utils", "pacemaker-resource-agents", "resource-agents"),
    *("corosync", "pcs", "haproxy", "memcached"),
)
#: what the packages enable, and the cluster or nobody runs
_DISABLED = ("pcsd.service", "pcsd-ruby.service", "haproxy.service", "memcached.service")
_MEMCACHED = "/usr/bin/memcached"


def ensure(root: Path) -> Path:
    """The layer's directory, for an overlay over the base image; made when the cache lacks it.

    Args:
        root: The base image.

    Raises:
        RuntimeError: A step failed; the message has the end of its output.
    """
    key = cache.digest_of(Path(__file__), root.parent.name, platform.machine())
    return cache.ensure("clusters-layer", key, lambda work: _build(work, root)) / "upper"


def memcached(layer: Path) -> bytes:
    """The program, whose libraries the OpenStack layer has."""
    return (layer / _MEMCACHED.lstrip("/")).read_bytes()


def _build(work: Path, root: Path) -> None:
    log = cache.log("clusters-layer")
    log.write_text("")
    upper = work / "upper"
    for name in ("usr/sbin", "etc/dpkg/dpkg.cfg.d", "etc/apt/apt.conf.d"):
        (upper / name).mkdir(parents=True)
    base.configure_packaging(upper)
    for argv in (
        ["apt-get", "-qq", "update"],
        ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", "install", "-y", *_PACKAGES],
        ["apt-get", "clean"],
        ["systemctl", "--quiet", "disable", *_DISABLED],
    ):
        chroot.run(upper, argv, log=log, lower=root)
    base.clean(upper)
    # A build leaves device nodes where it removed what the base image has: here it removes nothing of it.
    subprocess.run(["find", str(upper), "-type", "c", "-delete"], check=True)
    for scratch in ("merged", "work"):
        shutil.rmtree(work / scratch, ignore_errors=True)
