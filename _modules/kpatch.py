"""Live patches of the running kernel (kpatch, RPM): the tool and the patch that matches, where there is one.

With `openstack:system:kpatch` in the pillar the kernel packages stay as they are, so that no kernel asks for
a reboot.
"""

from __future__ import annotations

from openstack_rollout.node import commands, package_errors

_TOOL = "kpatch"


def due() -> dict[str, str]:
    """What would be installed: {name: version} of the newest kpatch, and of the patch for the running kernel.

    A kernel without a patch in the repositories needs none. Returns {} on a node without dnf.
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
    return {name: version for name, version in newest.items() if version not in installed.get(name, ())}


def _available(*what: str) -> dict[str, str]:
    command = [
        *("dnf", "--quiet", "--cacheonly", "--setopt=skip_if_unavailable=0", "repoquery"),
        *("--latest-limit=1", "--queryformat=%{name} %{evr}", *what),
    ]
    result = commands.unattended(__salt__, command)
    if result.retcode:
        raise package_errors.classified(f"{result.stdout}\n{result.stderr}", "PACKAGE_FAILED")
    lines = [line.split() for line in result.stdout.splitlines() if len(line.split()) == 2]
    return {name: version.removeprefix("0:") for name, version in lines}
