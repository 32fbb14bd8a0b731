"""Reboot this node, and report how it came back. The rollout engine decides when a node may be rebooted.

A timer of systemd's starts the reboot, so that it happens also when the minion or the master ends meanwhile.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

from openstack_rollout.node import commands
from openstack_rollout.node.errors import NodeError

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_UNIT = "openstack-rollout-reboot"
_DELAY = 2  # seconds, so that the answer leaves the node before it goes down
_STOPPING = "stopping"
_STARTING = ("initializing", "starting", "")
# Podman's units that run a container's health check: the container reports a failure itself.
_HEALTH_CHECKS = re.compile(r"[0-9a-f]{64}(-[0-9a-f]+)?\.(service|timer)")
_NOT_MOUNTED = ("swap", "none")


def start(boot_id: str, why: Sequence[str] = ()) -> bool:
    """Reboot this node, unless it was rebooted since the caller looked.

    boot_id (str): the boot that is to end, as `node_reboot.state` gives it. For any other nothing happens.
    why (list): what `reboot_needed.evidence` returned; it is noted, so that no other reboot is made for it.

    Returns whether a reboot is under way; it begins two seconds after this answer. What works of the node's
    data path is recorded before, for `datapath.verify`. Raises NodeError NODE_ERROR when systemd refuses.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' node_reboot.start 4f5a0b6e-8c0e-4a35-9d6c-6f3a5d9a2b11
    """
    if _boot_id() != boot_id:
        return False
    if _is_due():
        return True
    __salt__["datapath.record"]()
    __salt__["reboot_needed.remember_asked"](list(why))
    timer = ["systemd-run", "--quiet", "--collect", f"--unit={_UNIT}", f"--on-active={_DELAY}"]
    scheduled = commands.run(__salt__, [*timer, "systemctl", "reboot"])
    if scheduled.retcode:
        raise NodeError("NODE_ERROR", f"the reboot was not scheduled: {scheduled.complaint()}")
    return True


def state() -> dict:
    """Which boot this is, and what of it is not in order.

    Returns {"boot_id": str, "time": seconds since the epoch by this node's clock, "stopping": whether systemd
    is shutting the node down, "settled": whether it has finished starting units and no reboot of ours is due,
    "failed": [units, without containers' health checks], "unmounted": [file systems of /etc/fstab that are
    not mounted]}.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' node_reboot.state
    """
    manager = _systemctl("is-system-running").strip()
    listed = _systemctl("list-units", "--failed", "--plain", "--no-legend", "--no-pager")
    failed = [line.split()[0] for line in listed.splitlines() if line.strip()]
    return {
        "boot_id": _boot_id(),
        "time": time.time(),
        "stopping": manager == _STOPPING,
        "settled": manager not in (*_STARTING, _STOPPING) and not _is_due(),
        "failed": sorted(unit for unit in failed if not _HEALTH_CHECKS.fullmatch(unit)),
        "unmounted": _unmounted(),
    }


def _boot_id() -> str:
    return _BOOT_ID.read_text(encoding="utf-8").strip()


def _is_due() -> bool:
    units = [f"{_UNIT}.timer", f"{_UNIT}.service"]
    states = _systemctl("show", "--property=ActiveState", "--value", *units).split()
    return any(state in ("active", "activating") for state in states)


def _unmounted() -> list[str]:
    """The file systems of /etc/fstab that a boot mounts, and that are not mounted."""
    active = __salt__["mount.active"]()
    return sorted(
        place
        for place, entry in __salt__["mount.fstab"]().items()
        if entry["fstype"] not in _NOT_MOUNTED and "noauto" not in entry["opts"] and place not in active
    )


def _systemctl(*arguments: str) -> str:
    return commands.run(__salt__, ["systemctl", *arguments]).stdout
