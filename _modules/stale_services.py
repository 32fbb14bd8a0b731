"""Services of this node that run libraries or programs which an update has deleted, and restarting those.

Restarting a service disturbs less than a reboot. Services that carry workloads, clusters or the system's
message bus are not restarted here: they are a reason for a reboot (`reboot_needed`). Containers have
libraries of their own and do not count.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

from openstack_rollout.node.errors import NodeError

# Not restarted: what forwards, stores or runs for others, cluster members, and what all other services need.
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
# The minion is renewed by its own step. Of a container, only the monitor (conmon) runs programs of the host.
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
    """Restart those of `found` that are safe to restart.

    Returns their names (list). Raises NodeError NODE_ERROR that names those which are not active afterwards.

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
