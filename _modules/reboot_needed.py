"""Does this node need a reboot? Several pieces of evidence, each with its name.

What a reboot did not remove is remembered: it causes no further one until it changes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from openstack_rollout import errors
from openstack_rollout.node import commands, kernels
from openstack_rollout.records.state_file import StateFile

# Debian's packages create this file; the names of the packages are in reboot-required.pkgs beside it.
_REQUIRED = (Path("/run/reboot-required"), Path("/var/run/reboot-required"))
# A file here asks for a reboot until it is gone, and says why in its first line. A reboot empties /run; a
# file in the other place has to be removed by whoever put it there.
MARKERS = (Path("/run/openstack-rollout/reboot.d"), Path("/etc/openstack-rollout/reboot.d"))
# What a reboot did not remove ("left"), and what the next one is to remove ("expected").
_RECORD = Path("/var/lib/openstack-rollout/reboots-without-effect.json")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_KERNEL = "kernel"
# {name of an evidence: {what a reboot is to remove: how that is told}}
Found = dict[str, dict[str, str]]
# The same, by what is to be removed alone.
Items = Mapping[str, Collection[str]]
_LISTED = re.compile(r"^\s*\* (\S+)$", re.M)


def evidence(thorough: bool = True, switch: dict | None = None) -> list[str]:
    """Why this node needs a reboot: one line each, "NAME: what was found"; empty when it needs none.

    Without what an earlier reboot did not remove: see `without_effect`.

    thorough (bool): also look for the last of these names, which takes a second. switch (dict): what
    `ovs.switch` tells now, where the caller has asked already.

    The names: `kernel` (a newer one is installed than runs), `reboot-required` (Debian's file), `marker` (a
    file in /run/openstack-rollout/reboot.d or /etc/openstack-rollout/reboot.d), `bootc` (an image is staged),
    `switch` (Open vSwitch runs older programs than are installed), `libraries` (services run what an
    update replaced and cannot be restarted safely), `needs-restarting`.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' reboot_needed.evidence
    """
    return _told(_parted(_found(thorough, switch), _known(), of_them=False))


def without_effect() -> list[str]:
    """The evidence that is still there after a reboot that it caused. It causes no other until it changes.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' reboot_needed.without_effect
    """
    known = _known()
    return _told(_parted(_found(), known)) if known else []


def remember_asked(why: list[str]) -> None:
    """Note why a reboot is about to begin: what is still there after it had no effect, whoever asks then.

    why (list): what `evidence` returned.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' reboot_needed.remember_asked '["kernel: 5.14.0-1 runs, 5.14.0-2 is installed"]'
    """
    names = {line.partition(":")[0] for line in why}
    _write(_known(), {name: list(items) for name, items in _found().items() if name in names})


def remember_left(before: list[str]) -> list[str]:
    """What a reboot did not remove of the evidence that `remember_asked` noted; it is remembered.

    before (list): what `evidence` returned before the reboot. Returns lines of what still holds, under the
    same names and as it is now.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' reboot_needed.remember_left '["kernel: 5.14.0-1 runs, 5.14.0-2 is installed"]'
    """
    names = {line.partition(":")[0] for line in before}
    left = _parted(_found(), _known())
    _write(left)
    return _told({name: items for name, items in left.items() if name in names})


def wanted_kernel() -> str:
    """The kernel that the next boot has to start: the newest installed one, as `uname -r` would print it.

    Returns "" where the running kernel is of no package of this node, and where an earlier reboot did not
    start the newest or an operator dismissed it: then any kernel will do.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' reboot_needed.wanted_kernel
    """
    wanted = kernels.wanted(*_kernels())
    return wanted if wanted and not _kernel().keys() & set(_known().get(_KERNEL, ())) else ""


def dismiss() -> list[str]:
    """Have what is found now cause no reboot until it changes, without one; e.g. an older kernel is to run.

    Returns its lines (list).

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' reboot_needed.dismiss
    """
    found, known = _found(), _known()
    _write(found)
    return _told(_parted(found, known, of_them=False))


def forget() -> None:
    """Have what a reboot did not remove, or what was dismissed, cause one again, after it was mended by hand.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' reboot_needed.forget
    """
    StateFile(_RECORD).forget()


def _known() -> Items:
    """What had no effect: as noted, and what is still there after a boot that it was to be removed by.

    What any later boot removed is forgotten: it causes another one when it comes back.
    """
    noted = StateFile(_RECORD).read_or_none() or {}
    left, expected = noted.get("left", {}), noted.get("expected", {})
    if not (left or expected) or noted.get("boot_id") == _boot_id():
        return left
    either = {name: [*left.get(name, ()), *expected.get(name, ())] for name in {*left, *expected}}
    left = _parted(_found(), either)
    _write(left)
    return left


def _write(left: Items, expected: Items | None = None) -> None:
    if left or expected:
        noted = {"left": {name: sorted(items) for name, items in left.items()}, "expected": expected or {}}
        StateFile(_RECORD).write({**noted, "boot_id": _boot_id()})
    else:
        StateFile(_RECORD).forget()


def _parted(found: Found, items: Items, of_them: bool = True) -> Found:
    """What is found and is of some items; with `of_them` False what is not."""
    parted = {
        name: {item: told for item, told in one.items() if (item in items.get(name, ())) is of_them}
        for name, one in found.items()
    }
    return {name: one for name, one in parted.items() if one}


def _told(found: Found) -> list[str]:
    return [f"{name}: {errors.some(list(items.values()))}" for name, items in found.items()]


def _boot_id() -> str:
    return _BOOT_ID.read_text(encoding="utf-8").strip()


def _found(thorough: bool = True, switch: dict | None = None) -> Found:
    found = {
        _KERNEL: _kernel(),
        "reboot-required": _required(),
        "marker": _markers(),
        "bootc": _image(),
        "switch": _switch(switch or __salt__["ovs.switch"]()),
        "libraries": _each(__salt__["stale_services.unsafe"]()),
    }
    if thorough:
        found["needs-restarting"] = _needs_restarting()
    return {name: items for name, items in found.items() if items}


def _each(items: Collection[str]) -> dict[str, str]:
    return {item: item for item in items}


def _kernel() -> dict[str, str]:
    """The newest kernel, whichever older one runs: a boot that starts a third one does not remove it."""
    running, *others = _kernels()
    newest = kernels.waiting(running, *others)
    return {newest: f"{running} runs, {newest} is installed"} if newest else {}


def _kernels() -> tuple:
    """The running kernel, and what else `kernels` goes by."""
    return (
        str(__grains__.get("kernelrelease", "")),
        __salt__["package_set.installed"](),
        str(__grains__.get("os_family", "RedHat")),
        __salt__["pkg.version_cmp"],
    )


def _required() -> dict[str, str]:
    for path in _REQUIRED:
        if path.exists():
            names = _lines(path.with_name("reboot-required.pkgs"))
            return _each(sorted(set(filter(None, names))) or [str(path)])
    return {}


def _markers() -> dict[str, str]:
    found = []
    for folder in MARKERS:
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            why = next(iter(_lines(path)), "")
            found.append(f"{path}" + (f" ({why})" if why else ""))
    return _each(found)


def _image() -> dict[str, str]:
    staged = (__salt__["bootc.status"]() or {}).get("staged")
    return {staged: f"{staged} is staged"} if staged else {}


def _switch(switch: dict | None) -> dict[str, str]:
    if not switch or not switch["stale"]:
        return {}
    return {switch["installed"]: errors.stale_switch(switch["running"], switch["installed"])}


def _needs_restarting() -> dict[str, str]:
    """The packages installed since this boot that need another one, by dnf's plugin needs-restarting."""
    if __grains__.get("os_family") != "RedHat" or not __salt__["cmd.which"]("dnf"):
        return {}
    command = ["dnf", "--cacheonly", "--quiet", "needs-restarting", "--reboothint"]
    result = commands.unattended(__salt__, command)
    # 1 is the plugin's yes, and dnf's own error; only a yes lists packages.
    return _each(sorted(set(_LISTED.findall(result.stdout)))) if result.retcode == 1 else {}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").split("\n")[:20]
    except OSError:
        return []
