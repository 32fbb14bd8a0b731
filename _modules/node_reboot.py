"""Reboot this node, and tell how it came back. When it may be is for the rollout engine to decide.

The reboot is systemd's own affair, so that neither the minion's end nor the master's can leave half of one.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from openstack_rollout.node.errors import NodeError

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_UNIT = "openstack-rollout-reboot"
_DELAY = 2  # seconds, so that the answer leaves the node before it goes down
_STARTING = ("initializing", "starting", "")
# Podman's own for a look at a container's health: what one found is told of the container, until the next.
_LOOKS = re.compile(r"[0-9a-f]{64}(-[0-9a-f]+)?\.(service|timer)")
_NOT_MOUNTED = ("swap", "none")


def start(boot_id: str) -> bool:
    """Reboot this node, unless it has been since.

    boot_id (str): the boot that is to end (`node_reboot.state`); a call that comes late does nothing.

    Returns whether a reboot is under way, which begins after this answer has left the node. What works of the
    node's data path is recorded before, for `datapath.verify`.
    Raises NodeError NODE_ERROR when systemd refuses.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' node_reboot.start 4f5a0b6e-8c0e-4a35-9d6c-6f3a5d9a2b11
    """
    if _boot_id() != boot_id:
        return False
    if _is_due():
        return True
    __salt__["datapath.record"]()
    timer = ["systemd-run", "--quiet", "--collect", f"--unit={_UNIT}", f"--on-active={_DELAY}"]
    said = _run([*timer, "systemctl", "reboot"])
    if said["retcode"]:
        raise NodeError("NODE_ERROR", f"the reboot was not scheduled: {said['stderr'].strip()}")
    return True


def state() -> dict:
    """What this boot is, and what of it is not in order.

    Returns {"boot_id", "time" (seconds since the epoch, by this node's clock), "settled" (systemd has started
    what it starts, and no reboot of ours is due), "failed" (units, without those of containers' health
    checks), "unmounted" (file systems of /etc/fstab that are not there)}.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' node_reboot.state
    """
    manager = _run(["systemctl", "is-system-running"])["stdout"].strip()
    listed = _run(["systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager"])["stdout"]
    failed = [line.split()[0] for line in listed.splitlines() if line.strip()]
    return {
        "boot_id": _boot_id(),
        "time": time.time(),
        "settled": manager not in (*_STARTING, "stopping") and not _is_due(),
        "failed": sorted(unit for unit in failed if not _LOOKS.fullmatch(unit)),
        "unmounted": _unmounted(),
    }


def _boot_id() -> str:
    return _BOOT_ID.read_text(encoding="utf-8").strip()


def _is_due() -> bool:
    units = [f"{_UNIT}.timer", f"{_UNIT}.service"]
    said = _run(["systemctl", "show", "--property=ActiveState", "--value", *units])["stdout"]
    return any(line in ("active", "activating") for line in said.split())


def _unmounted() -> list[str]:
    """Those of /etc/fstab that a boot mounts, and did not."""
    active = __salt__["mount.active"]()
    return sorted(
        place
        for place, entry in __salt__["mount.fstab"]().items()
        if entry["fstype"] not in _NOT_MOUNTED and "noauto" not in entry["opts"] and place not in active
    )


def _run(command: list[str]) -> dict:
    return __salt__["cmd.run_all"](command, python_shell=False, ignore_retcode=True)
