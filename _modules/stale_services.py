"""Services of this node that run libraries or programs which an update has deleted, and restarting those.

Restarting a service disturbs less than a reboot. Only those are restarted of which it is known that nothing
depends on them; all others, and those that refuse, are a reason for a reboot (`reboot_needed`). Containers
have libraries of their own and do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands
from openstack_rollout.node.errors import NodeError

# Restarted: what others do not notice. All else is a reason for a reboot: nobody knows what it carries.
HARMLESS = (
    *("sshd.service", "ssh.service", "cron.service", "crond.service", "atd.service"),
    *("rsyslog.service", "syslog-ng.service", "systemd-journald.service", "systemd-udevd.service"),
    *("chronyd.service", "chrony.service", "ntpd.service", "ntpsec.service", "systemd-timesyncd.service"),
    *("tuned.service", "irqbalance.service", "polkit.service", "postfix*.service", "exim4.service"),
    *("snmpd.service", "lldpd.service", "smartd.service", "smartmontools.service", "rngd.service"),
    *("collectd.service", "telegraf.service", "zabbix-agent*.service", "nrpe.service"),
    *("node_exporter.service", "prometheus-node-exporter.service", "packagekit.service"),
    *("unattended-upgrades.service", "insights-client*.service", "rhsmcertd.service"),
)
# Only told: a restart would end the job that asks. Its own step restarts it when Salt's packages move.
_MINION = "salt-minion.service"
# An instance of a socket is a login: it ends by itself, and cannot be started.
_IGNORED = ("openstack-rollout-*.service", "sshd@*.service", "ssh@*.service")
# Of a container, only the monitor runs programs of the host.
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
    ours = _places("1")
    stale: dict[str, set[str]] = {}
    for process in _PROC.glob("[0-9]*"):
        try:
            # Services may have mounts of their own, or another root; only a container has both.
            alien = all(one != own for one, own in zip(_places(process.name), ours, strict=True))
            if alien or _read(process / "comm").strip() == _MONITOR:
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
    """Those of `found` that need a reboot: nobody knows that a restart does no harm, or systemd refuses it.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' stale_services.unsafe
    """
    return _unsafe(found())


def due() -> list[str]:
    """Those of `found` that are safe to restart.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' stale_services.due
    """
    stale = found()
    left = {_MINION, *_unsafe(stale)}
    return [unit for unit in stale if unit not in left]


def restart() -> list[str]:
    """Restart those that are `due`.

    Returns their names (list). Raises NodeError NODE_ERROR that names those which are not active afterwards.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' stale_services.restart
    """
    units = due()
    failed = [unit for unit in units if not _restarted(unit)]
    if failed:
        raise NodeError("NODE_ERROR", f"not active after a restart: {', '.join(failed)}")
    return units


def _restarted(unit: str) -> bool:
    try:
        return bool(__salt__["service.restart"](unit) and __salt__["service.status"](unit))
    except CommandExecutionError:
        return False  # the others get their restart all the same


def _unsafe(units: Iterable[str]) -> list[str]:
    return [
        unit
        for unit in units
        if unit != _MINION and (not any(fnmatchcase(unit, glob) for glob in HARMLESS) or _refuses(unit))
    ]


def _refuses(unit: str) -> bool:
    """Whether systemd does not restart a unit by hand, such as auditd.service (systemd.unit(5))."""
    command = ["systemctl", "show", "--property=RefuseManualStop,RefuseManualStart", "--value", unit]
    return "yes" in commands.run(__salt__, command).stdout.split()


def _places(pid: str) -> tuple[tuple[int, int], Path]:
    """The root folder of a process, and the mounts that it sees."""
    root = (_PROC / pid / "root").stat()
    return (root.st_dev, root.st_ino), (_PROC / pid / "ns/mnt").readlink()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
