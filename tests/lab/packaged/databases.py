"""The databases of the packaged cloud, made once by the services' tools: a layer over the controllers'."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.lab import base, cache, chroot, settings

from . import configuration

_FILES = settings.HERE / "files" / "packaged" / "databases"
_CATALOGUE = settings.HERE / "files" / "openstack" / "image" / "catalogue.py"
_LOG = "packaged-databases"


def ensure(root: Path, layer: Path) -> Path:
    """The layer's directory, with the databases and keystone's keys; made when the cache lacks it.

    Args:
        root: The machines' Debian.
        layer: The controllers' packages.

    Raises:
        RuntimeError: A step failed; the message has the end of its output.
    """
    first = next(node for node in settings.PROFILES[settings.PACKAGES] if node.role == "controller")
    files = {
        **configuration.files(first),
        "openstack/endpoints.json": configuration.endpoints(),
        "openstack/catalogue.py": _CATALOGUE.read_text(),
        "openstack/initialise": (_FILES / "initialise").read_text(),
    }
    key = cache.digest_of(Path(__file__), sorted(files.items()), root.parent.name, layer.parent.name)
    return cache.ensure(_LOG, key, lambda work: _build(work, Path(f"{layer}:{root}"), files)) / "upper"


def _build(work: Path, lower: Path, files: dict[str, str]) -> None:
    upper = work / "upper"
    for name, content in files.items():
        path = upper / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (upper / "openstack/initialise").chmod(0o755)
    log = cache.log(_LOG)
    log.write_text("")
    isolated = ["unshare", "--net", "--uts", "--"]
    chroot.run(upper, [*isolated, "/openstack/initialise"], log=log, lower=lower)
    shutil.rmtree(upper / "openstack")
    base.clean(upper)
    for scratch in ("merged", "work"):
        shutil.rmtree(work / scratch, ignore_errors=True)
