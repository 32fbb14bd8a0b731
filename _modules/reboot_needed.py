"""Does this node need a reboot? Several pieces of evidence, each with its name.

What a reboot did not remove is remembered: it causes no further one until it changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from openstack_rollout import errors
from openstack_rollout.node import commands, kernels
from openstack_rollout.records.state_file import StateFile

# Debian's packages create this file; the names of the packages are in reboot-required.pkgs beside it.
_REQUIRED = (Path("/run/reboot-required"), Path("/var/run/reboot-required"))
# A file here asks for a reboot until it is gone, and says why in its first line. A reboot empties /run; a
# file in the other place has to be removed by whoever put it there.
MARKERS = (Path("/run/openstack-rollout/reboot.d"), Path("/etc/openstack-rollout/reboot.d"))
# Lines that a reboot did not remove, and those that the next one is to remove.
_RECORD = Path("/var/lib/openstack-rollout/reboots-without-effect.json")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_KERNEL = "kernel"
_LISTED = re.compile(r"^\s*\* (\S+)$", re.M)


def evidence(thorough: bool = True) -> list[str]:
    """Why this node needs a reboot: one line each, "NAME: what was found"; empty when it needs none.

    Without the lines that an earlier reboot did not remove: see `without_effect`.

    thorough (bool): also look for the last of these names, which takes a second.

    The names: `kernel` (a newer one is installed than runs), `reboot-required` (Debian's file), `marker` (a
    file in /run/openstack-rollout/reboot.d or /etc/openstack-rollout/reboot.d), `bootc` (an image is staged),
    `switch` (Open vSwitch runs older programs than are installed), `libraries` (services run deleted
    files and cannot be restarted safely), `needs-restarting`.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' reboot_needed.evidence
    """
    known = _known()
    return [line for line in _lines_of_evidence(thorough) if line not in known]


def without_effect() -> list[str]:
    """The evidence that is still there after a reboot that it caused. It causes no other until it changes.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' reboot_needed.without_effect
    """
    known = _known()
    return [line for line in _lines_of_evidence() if line in known] if known else []


def remember_asked(why: list[str]) -> None:
    """Note why a reboot is about to begin: what is still there after it had no effect, whoever asks then.

    why (list): what `evidence` returned.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' reboot_needed.remember_asked '["kernel: 5.14.0-1 runs, 5.14.0-2 is installed"]'
    """
    _write(_known(), why)


def remember_left(before: list[str]) -> list[str]:
    """What of some evidence a reboot did not remove; it is remembered.

    before (list): what `evidence` returned before the reboot. Returns those lines that still hold.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' reboot_needed.remember_left '["kernel: 5.14.0-1 runs, 5.14.0-2 is installed"]'
    """
    now = _lines_of_evidence()
    left = [line for line in before if line in now]
    _write([*left, *(line for line in _known() if line in now)])
    return left


def wanted_kernel() -> str:
    """The kernel that the next boot has to start: the newest installed one, as `uname -r` would print it.

    Returns "" where the running kernel is of no package of this node, and where an earlier reboot did not
    start the newest or an operator dismissed it: then any kernel will do.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' reboot_needed.wanted_kernel
    """
    line = _kernel()
    if line and f"{_KERNEL}: {line}" in _known():
        return ""
    return kernels.wanted(*_kernels()) or ""


def dismiss() -> list[str]:
    """Have what is found now cause no reboot until it changes, without one; e.g. an older kernel is to run.

    Returns its lines (list).

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' reboot_needed.dismiss
    """
    return remember_left(evidence())


def forget() -> None:
    """Have what a reboot did not remove, or what was dismissed, cause one again, after it was mended by hand.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' reboot_needed.forget
    """
    StateFile(_RECORD).forget()


def _known() -> list[str]:
    """What had no effect: as noted, and what is still there after a boot that it was to be removed by."""
    noted = StateFile(_RECORD).read_or_none() or {}
    lines = noted.get("lines", [])
    if not noted.get("asked") or noted.get("boot_id") == _boot_id():
        return lines
    now = _lines_of_evidence()
    lines = [line for line in now if line in lines or line in noted["asked"]]
    _write(lines)
    return lines


def _write(lines: Iterable[str], asked: Sequence[str] = ()) -> None:
    noted: dict = {"lines": sorted(set(lines))}
    if asked:
        noted |= {"asked": list(asked), "boot_id": _boot_id()}
    if any(noted.values()):
        StateFile(_RECORD).write(noted)
    else:
        StateFile(_RECORD).forget()


def _boot_id() -> str:
    return _BOOT_ID.read_text(encoding="utf-8").strip()


def _lines_of_evidence(thorough: bool = True) -> list[str]:
    found = {
        _KERNEL: _kernel(),
        "reboot-required": _required(),
        "marker": _markers(),
        "bootc": _image(),
        "switch": _switch(),
        "libraries": errors.some(__salt__["stale_services.unsafe"]()),
    }
    if thorough:
        found["needs-restarting"] = _needs_restarting()
    return [f"{name}: {line}" for name, line in found.items() if line]


def _kernel() -> str:
    running, *others = _kernels()
    newest = kernels.waiting(running, *others)
    return f"{running} runs, {newest} is installed" if newest else ""


def _kernels() -> tuple:
    """The running kernel, and what else `kernels` goes by."""
    return (
        str(__grains__.get("kernelrelease", "")),
        __salt__["package_set.installed"](),
        str(__grains__.get("os_family", "RedHat")),
        __salt__["pkg.version_cmp"],
    )


def _required() -> str:
    for path in _REQUIRED:
        if path.exists():
            names = _lines(path.with_name("reboot-required.pkgs"))
            return f"{path}" + (f" of {errors.some(sorted(set(filter(None, names))))}" if names else "")
    return ""


def _markers() -> str:
    found = []
    for folder in MARKERS:
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            why = next(iter(_lines(path)), "")
            found.append(f"{path}" + (f" ({why})" if why else ""))
    return errors.some(found)


def _image() -> str:
    status = __salt__["bootc.status"]()
    return f"{status['staged']} is staged" if status and status["staged"] else ""


def _switch() -> str:
    switch = __salt__["ovs.switch"]()
    if not switch or not switch["stale"]:
        return ""
    return f"{switch['running']} runs, {switch['installed']} is installed"


def _needs_restarting() -> str:
    """The packages installed since this boot that need another one, by dnf's plugin needs-restarting."""
    if __grains__.get("os_family") != "RedHat" or not __salt__["cmd.which"]("dnf"):
        return ""
    command = ["dnf", "--cacheonly", "--quiet", "needs-restarting", "--reboothint"]
    result = commands.unattended(__salt__, command)
    # 1 is the plugin's yes, and dnf's own error; only a yes lists packages.
    names = _LISTED.findall(result.stdout) if result.retcode == 1 else []
    return errors.some(sorted(set(names)))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").split("\n")[:20]
    except OSError:
        return []
