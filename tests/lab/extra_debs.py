"""Packages of Debian that single tests need on a machine: fetched once with what they depend on."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import base, cache, chroot, settings
from .cloud import Lab

#: a member of a Galera cluster, and one of a RabbitMQ cluster
MEMBERS = ("mariadb-server", "galera-4", "rsync", "rabbitmq-server")
_FOLDER = "extra-debs"


def install(lab: Lab, node: str, names: Sequence[str]) -> None:
    """Install packages of the base image's Debian on a machine, which reaches no mirror itself.

    Args:
        lab: A lab that is up.
        node: The machine; one of RPM packages is a Debian underneath.
        names: The packages.

    Raises:
        LabError: The package manager refuses them.
    """
    debs = sorted(ensure(base.ensure(), tuple(names)).glob("*.deb"))
    place = lab.home / "repositories" / _FOLDER
    place.mkdir(exist_ok=True)
    for deb in debs:
        (place / deb.name).write_bytes(deb.read_bytes())
    url = f"http://{settings.HOST_ADDRESS}:{settings.REPOSITORY_PORT}/{_FOLDER}"
    fetched = "import sys, urllib.request as r; [r.urlretrieve(u, '/run/extra/' + u.rpartition('/')[2])"
    program = f"{fetched} for u in sys.argv[1:]]"
    lab.exec(node, ["mkdir", "-p", "/run/extra"])
    lab.exec(node, ["/usr/bin/python3", "-c", program, *(f"{url}/{deb.name}" for deb in debs)])
    # apt alone knows which of them has to be there before another is unpacked.
    tool = ["apt-get", "--quiet", "--yes", "install"] if lab.nodes[node].debian else ["dpkg", "--install"]
    lab.exec(node, [*tool, *(f"/run/extra/{deb.name}" for deb in debs)], timeout=300)


def ensure(root: Path, names: tuple[str, ...]) -> Path:
    """A folder with these packages and what they depend on, fetched when the cache lacks it.

    Args:
        root: The base image.
        names: The packages.

    Raises:
        RuntimeError: The mirror does not have them; the message has the end of apt's output.
    """
    key = cache.digest_of(Path(__file__), root.parent.name, names)
    return cache.ensure(_FOLDER, key, lambda work: _build(work, root, names))


def _build(work: Path, root: Path, names: tuple[str, ...]) -> None:
    log = cache.log(_FOLDER)
    log.write_text("")
    upper = work / "upper"
    base.configure_packaging(upper)
    for argv in (
        ["apt-get", "-qq", "update"],
        ["apt-get", "-qq", "--download-only", "install", "-y", *names],
    ):
        chroot.run(upper, argv, log=log, lower=root)
    for deb in (upper / "var/cache/apt/archives").glob("*.deb"):
        deb.rename(work / deb.name.replace("%3a", "_"))
    for scratch in ("upper", "merged", "work"):
        subprocess.run(["rm", "-rf", str(work / scratch)], check=True)
