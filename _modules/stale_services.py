"""Services of this node that run libraries or programs which an update has deleted, and restarting those.

A restart of a service is less than one of the host. What carries workloads, clusters or the bus of the
system is
not restarted here: that is a reason for a reboot (`reboot_needed`). Containers have libraries of their own.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

from openstack_rollout.node.errors import NodeError

# Not restarted: what forwards, stores or runs for others, cluster members, and what all others hang on.
UNSAFE = (
    *(
        "dbus*.service",
        "systemd-logind.service",
        "user@*.service",
        "NetworkManager.service",
        "getty@*.service",
    ),
    *("openvswitch*.service", "ovs*.service", "ovn*.service", "libvirtd.service", "virt*.service"),
    *("iscsid.service", "multipathd.service", "pacemaker.service", "corosync.service", "pcsd.service"),
    *("mariadb.service", "rabbitmq*.service", "keepalived.service", "haproxy.service", "ceph-*.service"),
)
# The minion is renewed by its own step, and of a container only its monitor is the host's.
_IGNORED = ("salt-minion.service", "openstack-rollout-*.service")
_MONITOR = "conmon"
_PROC = Path("/proc")
_DELETED = re.compile(r"\s(/(?:usr|lib|lib64|opt|bin|sbin)/\S+) \(deleted\)$", re.M)
_UNIT = re.compile(r"([^/\n]+\.service)(?:/[^/\n]*)*$", re.M)


def found() -> dict[str, list[str]]:
    """The services that run deleted files: {unit: [files]}.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' stale_services.found
    """
    ours = _namespace("1")
    stale: dict[str, set[str]] = {}
    for process in _PROC.glob("[0-9]*"):
        try:
            if _namespace(process.name) != ours or _read(process / "comm").strip() == _MONITOR:
                continue
            files = set(_DELETED.findall(_read(process / "maps")))
            unit = _UNIT.search(_read(process / "cgroup"))
        except OSError:
            continue  # it ended meanwhile
        if files and unit:
            stale.setdefault(unit[1], set()).update(files)
    return {
        unit: sorted(files)
        for unit, files in sorted(stale.items())
        if not any(fnmatchcase(unit, glob) for glob in _IGNORED)
    }


def unsafe() -> list[str]:
    """Those of `found` that are not restarted.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' stale_services.unsafe
    """
    return [unit for unit in found() if _is_unsafe(unit)]


def restart() -> list[str]:
    """Restart those of `found` that may be; returns their names.

    Raises NodeError NODE_ERROR with those that are not active afterwards.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' stale_services.restart
    """
    units = [unit for unit in found() if not _is_unsafe(unit)]
    failed = [
        unit for unit in units if not (__salt__["service.restart"](unit) and __salt__["service.status"](unit))
    ]
    if failed:
        raise NodeError("NODE_ERROR", f"not active after a restart: {', '.join(failed)}")
    return units


def _is_unsafe(unit: str) -> bool:
    return any(fnmatchcase(unit, glob) for glob in UNSAFE)


def _namespace(pid: str) -> str:
    return str((_PROC / pid / "ns/mnt").readlink())


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
