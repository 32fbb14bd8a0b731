"""What this node keeps that nobody needs any more: images of former releases, and packages in the cache.

The master says what is needed. What it does not know is left alone, and so is what a container is of, what a
unit names, and what somebody gave a name of his own. The files that a rollback needs are in a folder of their
own (kept_packages), which is never touched here; images that a run held (kept_images) and that nobody needs
are held no longer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from openstack_rollout.node import cached_packages, kept_images, kept_packages, stored_images
from openstack_rollout.node.cached_packages import File
from openstack_rollout.node.stored_images import Image

SCHEMA = 1


def prune(
    keep: Sequence[str],
    known: Sequence[str],
    packages: Mapping[str, Sequence[str]] | None = None,
    test: bool = False,
) -> dict[str, Any]:
    """Remove the images and the cached packages that nobody needs any more.

    keep (list): images that are needed: references, of which the digest counts where there is one. known
    (list): repositories of images that are the releases' (registry/path); images of others are left alone.
    packages (dict): {name: [version]} that are needed beside what is installed. test (bool): remove nothing,
    tell what would be.

    Returns {"schema", "images": [a name of each that went], "packages": [path], "freed": bytes, as far as the
    engine's and the file system's own figures tell, "left": {name: why it was left alone, though no release
    needs it}, "failed": {name or path: why it could not be removed}}. Raises CommandExecutionError when an
    engine, or the package manager, does not answer; NodeError PACKAGE_LOCKED, and nothing is removed.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' surplus.prune '["registry.example/nova@sha256:…"]' '[registry.example/nova]' test=True
    """
    every = stored_images.found(__salt__)
    going, left = _judged(every, keep, known)
    files = _files(packages or {})
    failed: dict[str, str] = {}
    if not test:
        if files:
            __salt__["package_lock.wait"]()  # before anything goes: who waits in vain has removed nothing
        kept_images.release(__salt__, set(kept_images.held(__salt__)) - _needed(every, keep))
        failed |= {_name(one): why for one in going if (why := stored_images.remove(__salt__, one))}
        failed |= {one.path: why for one in files if (why := cached_packages.remove(one))}
    gone = [one for one in going if _name(one) not in failed]
    files = [one for one in files if one.path not in failed]
    return {
        "schema": SCHEMA,
        "images": sorted(map(_name, gone)),
        "packages": [one.path for one in files],
        "freed": stored_images.bytes_of(gone, every) + sum(one.size for one in files),
        "left": left,
        "failed": failed,
    }


def _judged(
    every: Collection[Image], keep: Sequence[str], known: Sequence[str]
) -> tuple[list[Image], dict[str, str]]:
    """The images that nobody needs, and those that are left alone though no release needs them."""
    needed, repositories = _needed(every, keep), set(known)
    own = [one for one in every if any(_repository(name) in repositories for name in one.names)]
    spare = [one for one in own if one.id not in needed]
    if not spare:
        return [], {}
    ids, written = stored_images.used(__salt__, [name for one in spare for name in one.names])
    going: list[Image] = []
    left: dict[str, str] = {}
    for one in spare:
        others = [name for name in one.names if _repository(name) not in repositories]
        if one.id in ids:
            left[_name(one)] = "a container is of it"
        elif named := [name for name in one.names if name in written]:
            left[_name(one)] = f"a unit names {named[0]}"
        elif others:
            left[_name(one)] = f"somebody calls it {others[0]}"
        else:
            going.append(one)
    return going, left


def _needed(every: Collection[Image], keep: Sequence[str]) -> set[str]:
    """The ids of the images that are needed."""
    needed = {one.partition("@")[2] or one for one in keep}
    return {one.id for one in every if any((name.partition("@")[2] or name) in needed for name in one.names)}


def _files(keep: Mapping[str, Sequence[str]]) -> list[File]:
    is_apt = __grains__.get("os_family") == "Debian"
    there = cached_packages.found(__salt__, is_apt, __grains__.get("osarch", ""))
    if not there:
        return []
    kept = kept_packages.every()
    needed = {name: [*keep.get(name, ()), *kept.get(name, ())] for name in {*keep, *kept}}
    installed = __salt__["package_set.installed"]()
    return cached_packages.older(there, installed, needed, __salt__["pkg.version_cmp"])


def _name(image: Image) -> str:
    """The name by which an image is told: by its digest, where it has one."""
    return next((name for name in image.names if "@" in name), image.names[0])


def _repository(name: str) -> str:
    """A name without its digest and its tag; a colon before a slash is a registry's port."""
    base = name.partition("@")[0]
    head, colon, tag = base.rpartition(":")
    return head if colon and "/" not in tag else base
