"""Live patches of the running kernel (kpatch, RPM): the tool and the patch that matches, where there is one.

With `openstack:system:kpatch` in the pillar the kernel packages stay as they are, so that no kernel asks for
a reboot.
"""

from __future__ import annotations

import re

from openstack_rollout.node import commands, package_errors

_TOOL = "kpatch"
# dnf's plugins print lines of their own between those of packages.
_MARK = "openstack-rollout"
_ROW = re.compile(rf"^{_MARK} (?P<name>\S+) (?:0:)?(?P<version>\S+)$", re.M)


def due() -> dict[str, str]:
    """What would be installed: {name: version} of the newest kpatch, and of the patch for the running kernel.

    A kernel without a patch in the repositories needs none, and a newer one that is installed stays. Returns
    {} on a node without dnf.
    Raises NodeError REPOSITORY_BROKEN or PACKAGE_FAILED.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' kpatch.due
    """
    if __grains__.get("os_family") != "RedHat":
        return {}
    # As the vendor documents it: a patch provides `kpatch-patch` at the release of its kernel.
    patch = f"kpatch-patch = {__grains__['kernelrelease']}"
    newest = _available(_TOOL) | _available("--whatprovides", patch)
    installed = __salt__["package_set.installed"]()
    compare = __salt__["pkg.version_cmp"]
    return {
        name: version
        for name, version in newest.items()
        if all(compare(version, one) == 1 for one in installed.get(name, ()))
    }


def _available(*what: str) -> dict[str, str]:
    command = [
        *("dnf", "--quiet", "--cacheonly", "--setopt=skip_if_unavailable=0", "repoquery"),
        *("--latest-limit=1", f"--queryformat={_MARK} %{{name}} %{{evr}}", *what),
    ]
    result = commands.unattended(__salt__, command)
    if result.retcode:
        raise package_errors.classified(result.said(), "PACKAGE_FAILED")
    return {row["name"]: row["version"] for row in _ROW.finditer(result.stdout)}
