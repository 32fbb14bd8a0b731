"""Kernels among the installed packages, and whether a newer one waits for the next boot.

Pure functions over what `pkg.list_pkgs` and the grains of a node say.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence

# The packages that hold a kernel itself: RPM ones by name, each with several versions side by side; Debian's
# name holds the kernel's release.
_RPM = ("kernel-core", "kernel-rt-core", "kernel-64k-core", "kernel")
_DEB = re.compile(r"^linux-image-(?:unsigned-)?(?P<release>\d[\w.+~]*-.+)$")
# What a node gets with a kernel, and would not boot well without.
PACKAGES = ("kernel", "kernel-*", "linux-image-*", "linux-headers-*", "linux-modules-*")

# Compares two versions as the node's package manager does: negative, 0 or positive.
Compare = Callable[[str, str], "int | None"]


def installed(packages: Mapping[str, Sequence[str]], os_family: str, flavour: str = "") -> list[str]:
    """The releases of the installed kernels, as `uname -r` would print them (RPM: without the architecture).

    packages (dict): {name: [version]}. os_family (str): the grain. flavour (str): on Debian, only kernels
    with this ending (amd64, cloud-amd64): a node may have several kinds, and boots the kind that it runs.
    """
    if os_family == "Debian":
        found = [match["release"] for name in packages if (match := _DEB.match(name))]
        return [release for release in found if not flavour or _flavour(release) == flavour]
    for name in _RPM:
        if name in packages:
            return list(packages[name])
    return []


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
    flavour = _flavour(running) if os_family == "Debian" else ""
    kernels = installed(packages, os_family, flavour)
    own = next((one for one in kernels if running in (one, *_with_architecture(one, running))), None)
    if own is None:
        return None, None

    def order(one: str, other: str) -> int:
        return compare(one, other) or 0

    return own, max(kernels, key=functools.cmp_to_key(order))


def _with_architecture(release: str, running: str) -> list[str]:
    rest = running.removeprefix(f"{release}.")
    return [f"{release}.{rest}"] if rest != running and re.fullmatch(r"[\w+]+", rest) else []


def _flavour(release: str) -> str:
    """amd64 of 6.12.48+deb13-amd64, cloud-amd64 of 6.12.48+deb13-cloud-amd64."""
    match = re.match(r"^[\d.]+(?:[+~][\w.]+)?(?:-\d[\w.]*)*-(?P<flavour>[a-z].*)$", release)
    return match["flavour"] if match else ""
