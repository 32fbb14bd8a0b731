"""Services of this node that run what an update has replaced, and restarting those.

A service is found by the libraries and programs it runs which were deleted, and by the package of its unit,
where that has moved since the service began: a program for an interpreter leaves no deleted file.

Restarting a service disturbs less than a reboot. Only those are restarted of which it is known that nothing
depends on them; all others, and those that refuse, are a reason for a reboot (`reboot_needed`). Containers
have libraries of their own and do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.packages import of_the_switch
from openstack_rollout.records.state_file import StateFile

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
# Forgotten by a reboot, as the services are that run now.
_NOTED = Path("/run/openstack-rollout/stale-services.json")
_OWNER = ("rpm", "--query", "--queryformat", "%{NAME}", "--file")
_SHOWN = ("Id", "InvocationID", "MainPID", "SourcePath", "FragmentPath")


def note(packages: Sequence[str]) -> None:
    """Note the running services of packages that have moved: until it begins anew each is stale.

    packages (list): names. Open vSwitch's do not count, whose own modules tell whether it is stale.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' stale_services.note '[tuned]'
    """
    moved = {name.partition(":")[0] for name in packages if not of_the_switch(name)}
    if not moved:
        return
    running = [unit for unit in _shown("*.service") if unit["MainPID"] != "0"]
    files = {unit["Id"]: unit["SourcePath"] or unit["FragmentPath"] for unit in running}
    owners = _owners({path for path in files.values() if path and Path(path).exists()})
    record = _noted()
    for unit in running:
        if (package := owners.get(files[unit["Id"]])) in moved:
            record[unit["Id"]] = {"invocation": unit["InvocationID"], "package": package}
    StateFile(_NOTED).write(record)


def found() -> dict[str, list[str]]:
    """The services that run what an update has replaced: {unit: [deleted files, or "package NAME"]}.

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
    for name, package in _still_noted().items():
        stale.setdefault(name, set()).add(f"package {package}")
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
    """Whether it runs again; a service whose package is gone is to end instead."""
    try:
        (state,) = _shown(unit, properties=("LoadState",))
        if state["LoadState"] == "not-found":
            return bool(__salt__["service.stop"](unit))
        return bool(__salt__["service.restart"](unit) and __salt__["service.status"](unit))
    except CommandExecutionError:
        return False  # the others get their restart all the same


def _noted() -> dict[str, dict[str, str]]:
    return StateFile(_NOTED).read_or_none() or {}


def _still_noted() -> dict[str, str]:
    """The noted services that have not begun anew: {unit: package}."""
    record = _noted()
    if not record:
        return {}
    now = {unit["Id"]: unit["InvocationID"] for unit in _shown(*record) if unit["MainPID"] != "0"}
    return {name: one["package"] for name, one in record.items() if now.get(name) == one["invocation"]}


def _shown(*units: str, properties: Sequence[str] = _SHOWN) -> list[dict[str, str]]:
    """What systemd says of units, or of the loaded ones of a pattern."""
    printed = commands.checked(
        __salt__, ["systemctl", "show", f"--property={','.join(properties)}", *units], "NODE_ERROR"
    )
    empty = dict.fromkeys(properties, "")
    parts = [part.splitlines() for part in printed.split("\n\n") if part.strip()]
    return [empty | dict(line.split("=", 1) for line in lines if "=" in line) for lines in parts]


def _owners(paths: Iterable[str]) -> dict[str, str]:
    """The packages of files: {path: name}; what is of none is left out."""
    ordered = sorted(paths)
    if __grains__.get("os_family") != "Debian":
        owners = {path: commands.run(__salt__, [*_OWNER, path]) for path in ordered}
        return {path: said.stdout.strip() for path, said in owners.items() if not said.retcode}
    if not ordered:
        return {}
    # dpkg knows a path as its package has it, with /usr before it or not.
    ends = {_end(path): path for path in ordered}
    printed = commands.run(__salt__, ["dpkg-query", "--search", *(f"*/{end}" for end in ends)]).stdout
    rows = [line.partition(": ") for line in printed.splitlines()]
    return {
        ends[_end(file)]: owners.split(",")[0].partition(":")[0]
        for owners, _, file in rows
        if _end(file) in ends
    }


def _end(path: str) -> str:
    """A file's name with its folder's."""
    return "/".join(path.split("/")[-2:])


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
