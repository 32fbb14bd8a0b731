"""Kernels among the installed packages, and whether a newer one waits for the next boot.

Pure functions over what `pkg.list_pkgs` and the grains of a node say.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence

# The packages that hold a kernel itself: RPM ones by name, each with several versions side by side; Debian's
# name holds the kernel's release.
_RPM = re.compile(r"^kernel(?:-(?!.*modules)[\w-]+)?-core$")
_ORDINARY = "kernel-core"
# Those of distributions that have no -core; elsewhere they hold nothing, and have the same versions.
_WHOLE = ("kernel", "kernel-uek")
_DEB = re.compile(r"^linux-image-(?:unsigned-)?(?P<release>\d[\w.+~]*-.+)$")
# What a node gets with a kernel, and would not boot well without.
PACKAGES = ("kernel", "kernel-*", "linux-image-*", "linux-headers-*", "linux-modules-*")

# Compares two versions as the node's package manager does: negative, 0 or positive.
Compare = Callable[[str, str], "int | None"]


def installed(running: str, packages: Mapping[str, Sequence[str]], os_family: str) -> list[str]:
    """The releases of the installed kernels of the kind that runs, as `uname -r` would print them (RPM:
    without the architecture): a node may have several kinds, and boots the one that it runs.

    running (str): what `uname -r` prints. packages (dict): {name: [version]}. os_family (str): the grain.
    Returns on RPM an empty list for a running kernel that comes from no package of the node.
    """
    if os_family == "Debian":
        flavour = _flavour(running)
        found = [match["release"] for name in packages if (match := _DEB.match(name))]
        return [release for release in found if not flavour or _flavour(release) == flavour]
    kinds = [packages[name] for name in _names(running, packages) if name in packages]
    return next((list(releases) for releases in kinds if _own(running, releases)), [])


def waiting(
    running: str, packages: Mapping[str, Sequence[str]], os_family: str, compare: Compare
) -> str | None:
    """The newest installed kernel, when an older installed one runs; else None.

    running (str): what `uname -r` prints. packages (dict), os_family (str): as for `installed`. compare: the
    package manager's own comparison of versions.

    The result is also None for a running kernel that comes from no package of the node: that of a container's
    host, or one that was built by hand.
    """
    own, newest = _own_and_newest(running, packages, os_family, compare)
    return newest if newest != own else None


def wanted(
    running: str, packages: Mapping[str, Sequence[str]], os_family: str, compare: Compare
) -> str | None:
    """The newest installed kernel, as `uname -r` would print it; None where `waiting` knows nothing either.

    running (str), packages (dict), os_family (str), compare: as for `waiting`.
    """
    own, newest = _own_and_newest(running, packages, os_family, compare)
    return newest + running.removeprefix(own) if own is not None and newest is not None else None


def _own_and_newest(
    running: str, packages: Mapping[str, Sequence[str]], os_family: str, compare: Compare
) -> tuple[str | None, str | None]:
    """The running kernel and the newest one, as packages call them."""
    kernels = installed(running, packages, os_family)
    own = _own(running, kernels)
    if own is None:
        return None, None

    def order(one: str, other: str) -> int:
        return compare(one, other) or 0

    return own, max(kernels, key=functools.cmp_to_key(order))


def _names(running: str, packages: Mapping[str, Sequence[str]]) -> list[str]:
    """The RPM packages that the running kernel may be of, the likeliest first.

    A variant (rt, 64k, debug) may have the very versions of the ordinary kernel: `uname -r` ends with
    its name.
    """
    variant = running.partition("+")[2]
    if variant:
        return [f"kernel-{variant}-core"]
    return [*sorted(filter(_RPM.match, packages), key=lambda name: name != _ORDINARY), *_WHOLE]


def _own(running: str, releases: Sequence[str]) -> str | None:
    """The running kernel among some releases, None where it is none of them."""
    return next((one for one in releases if running in (one, *_with_architecture(one, running))), None)


def _with_architecture(release: str, running: str) -> list[str]:
    rest = running.removeprefix(f"{release}.")
    return [f"{release}.{rest}"] if rest != running and re.fullmatch(r"\w+(?:\+[\w-]+)?", rest) else []


def _flavour(release: str) -> str:
    """amd64 of 6.12.48+deb13-amd64, cloud-amd64 of 6.12.48+deb13-cloud-amd64."""
    match = re.match(r"^[\d.]+(?:[+~][\w.]+)?(?:-\d[\w.]*)*-(?P<flavour>[a-z].*)$", release)
    return match["flavour"] if match else ""
