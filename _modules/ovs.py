"""Open vSwitch on this node: its service, which version runs and which is installed, and the reload that
brings the installed one into use without a restart.

New packages do not disturb the running switch (`ovs_packages`). The new programs run after a reload, which
saves the flows and puts them back, or after a reboot; until then the node's switch is stale.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from openstack_rollout.node import commands, waiting
from openstack_rollout.node.errors import NodeError

UNIT = "openvswitch.service"
_DEBIANS_UNIT = "openvswitch-switch.service"
_ENABLED = ("enabled", "enabled-runtime", "static", "generated", "indirect")
_ACTIVE = ("active", "reloading", "activating")
_DAEMONS = _SERVER, _SWITCH = ("ovsdb-server", "ovs-vswitchd")
_RUN = Path("/run/openvswitch")
_PROC = Path("/proc")
_DATABASE = Path("/etc/openvswitch/conf.db")
_SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
#: A setting without a meaning. ovs-vsctl returns when the switch has read it, so the switch follows its
#: database.
_SIGN = "openstack-rollout-reload"
_RESTORE_WAIT = "flow-restore-wait"
_RELOADED_IN = 60  # seconds for a daemon


def unit() -> str:
    """The name of the service that is Open vSwitch on this node's distribution (str).

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs.unit
    """
    return _DEBIANS_UNIT if __grains__.get("os_family") == "Debian" else UNIT


def status(unit: str | None = None) -> dict | None:
    """Whether the switch's service is enabled and active.

    unit (str): its name, when it is not the distribution's.

    Returns {"unit": str, "enabled": bool, "active": bool}, None where there is no such service.
    Raises NodeError OVS_FAILED when systemd does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs.status
    """
    name = unit or __salt__["ovs.unit"]()
    units = _units(name)
    if name not in units:
        return None
    return {
        "unit": name,
        "enabled": units[name]["UnitFileState"] in _ENABLED,
        # The service itself is an empty shell around its daemons.
        "active": all(one["ActiveState"] in _ACTIVE for one in units.values()),
    }


def switch() -> dict | None:
    """Which Open vSwitch runs, and which is installed.

    Returns {"running": version, "installed": version, "stale": whether some of what runs is not what is
    installed, "daemons": {name: the same of each}}; None where none is installed. A version is None where
    nothing runs, or where the program does not report it.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs.switch
    """
    daemons = {name: _daemon(name) for name in _DAEMONS}
    switch = daemons["ovs-vswitchd"]
    if switch["installed"] is None:
        return None
    return {
        "running": switch["running"],
        "installed": switch["installed"],
        "stale": any(one["stale"] for one in daemons.values()),
        "daemons": daemons,
    }


def switch_pid() -> int | None:
    """The process id of the running ovs-vswitchd (int), None when there is none.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs.switch_pid
    """
    return _pid("ovs-vswitchd")


def update(install: Mapping[str, str], remove: Sequence[str] = (), unit: str | None = None) -> dict:
    """Move Open vSwitch's packages without their scripts; the switch goes on running.

    install (dict): {name: version}. remove (list): packages of the previous stream, or name-version of a
    package's other versions. unit (str): the service, which is enabled and active afterwards in every case
    where there is one: a controller has libraries of Open vSwitch, and no switch.

    Returns {name: {"old", "new"}} of every package that moved.
    Raises NodeError PACKAGE_DOWNLOAD_FAILED, PACKAGE_FAILED or OVS_FAILED.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs.update '{openvswitch3.5: 3.5.0-1, rhosp-openvswitch: 3.5-1}' '[openvswitch3.4]'
    """
    before, had = switch_pid(), status(unit)
    try:
        moved = __salt__["ovs_packages.move"](install, remove)
    finally:
        if had or status(unit):
            ensure_service(unit)
    if before and switch_pid() != before:
        raise NodeError("OVS_FAILED", f"ovs-vswitchd was restarted: {before} became {switch_pid()}")
    return moved


def ensure_service(unit: str | None = None) -> None:
    """Have the switch's service enabled and active; one that is active is never restarted.

    unit (str): its name, when it is not the distribution's. Raises NodeError OVS_FAILED.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs.ensure_service
    """
    name = unit or __salt__["ovs.unit"]()
    _systemctl("daemon-reload")
    units = _units(name)
    if units.get(name, {}).get("UnitFileState", _ENABLED[0]) not in _ENABLED:
        _systemctl("enable", name)
    dead = [one for one, state in units.items() if state["ActiveState"] not in _ACTIVE]
    if dead:
        _systemctl("start", *dead)
    now = status(name)
    if not (now and now["enabled"] and now["active"]):
        raise NodeError("OVS_FAILED", f"{name} is not enabled and active: {now}")


def reload(timeout: int = _RELOADED_IN) -> dict:
    """Bring the installed switch into use; it keeps its flows.

    Where the database needs a new schema, the conversion is first tried on a copy: one that fails would leave
    the switch an empty database. A userspace data path stops with its database server, so switch and server
    are handed over together (`ovs_handover`). For any other data path the server is restarted first. Then the
    switch is reloaded by its own service, which saves the flows and puts them back. A daemon that is not
    stale is left alone.

    timeout (int): seconds for each daemon to report its new version.

    Returns {stale daemon: {"old": version, "how": text, "new": version}}.
    Raises NodeError OVS_FAILED.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs.reload
    """
    old = {name: found["running"] for name in _DAEMONS if (found := _daemon(name))["stale"]}
    if not old:
        return {}
    identity = _system_id()
    try:
        hows = _renew(list(old), timeout)
        return {
            name: {"old": old[name], "how": how, "new": _wait_until_new(name, timeout)}
            for name, how in hows.items()
        }
    finally:
        ensure_service()
        _end_restoring()
        if identity and _system_id() != identity:
            _ovs_vsctl("set", "Open_vSwitch", ".", f"external_ids:system-id={identity}")


def _daemon(name: str) -> dict:
    """{"running", "installed", "stale"} of one daemon; one whose program was replaced is stale, too."""
    installed = _version([name, "--version"])
    pid = _pid(name)
    running = _version(["ovs-appctl", "--timeout=10", f"--target={name}", "version"]) if pid else None
    replaced = bool(pid) and _program_was_replaced(pid)
    stale = bool(installed and pid) and (replaced or (running is not None and running != installed))
    return {"running": running, "installed": installed, "stale": stale}


def _version(command: list[str]) -> str | None:
    """The last word of `ovs-vswitchd (Open vSwitch) 3.5.0`."""
    if command[0] in _DAEMONS and not __salt__["cmd.which"](command[0]):
        return None
    result = commands.run(__salt__, command)
    words = (result.stdout.strip().strip('"').splitlines() or [""])[0].split()
    return words[-1] if words and not result.retcode else None


def _pid(name: str) -> int | None:
    try:
        pid = int((_RUN / f"{name}.pid").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return pid if (_PROC / str(pid)).exists() else None


def _program_was_replaced(pid: int) -> bool:
    try:
        return str((_PROC / str(pid) / "exe").readlink()).endswith(" (deleted)")
    except OSError:
        return False


def _renew(stale: list[str], timeout: int) -> dict[str, str]:
    """Have the installed programs run in place of the stale ones; {daemon: how}."""
    obstacle = __salt__["ovs_handover.obstacle"]()
    if _SERVER in stale or not obstacle:
        _try_conversion()
    how, why = ("", obstacle) if obstacle else _hand_over(str(_SCHEMA))
    if how:
        return dict.fromkeys(stale, how)
    hows = {}
    if _SERVER in stale:
        _renew_database(timeout)
        _wait_until_new(_SERVER, timeout)
        hows[_SERVER] = f"restarted alone: {why}"
    if _SWITCH in stale:
        how, why = ("", obstacle) if obstacle else _hand_over()
        if not how:
            _systemctl("reload", f"{_SWITCH}.service")
        hows[_SWITCH] = how or f"reloaded by its own service: {why}"
    return hows


def _hand_over(*schema: str) -> tuple[str, str]:
    """Hand the switch over, its database server too when a schema is given; (how, why it is not possible)."""
    report = __salt__["ovs_handover.reload"](*schema)
    if report["outcome"] != "done":
        return "", report["error"]
    late = f"; BFD does not find these alive again: {', '.join(report['late'])}" if report["late"] else ""
    return f"handed over: {report['gap']} s without its {sum(report['flows'].values())} flows{late}", ""


def _renew_database(timeout: int) -> None:
    """Have the installed database server run, while the old switch goes on with its flows.

    It does what Open vSwitch's own reload does, for the database alone: no other unit is touched. A reload of
    its unit would forget which chassis this is (Debian's calls ovs-ctl without the system's id), and systemd
    would reload the switch without waiting for it. This waits until the switch follows the new server, so
    that two short pauses do not become a long one.
    """
    _try_conversion()
    _systemctl("--job-mode=ignore-dependencies", "restart", "ovsdb-server.service")
    sign = ["set", "Open_vSwitch", ".", f"external_ids:{_SIGN}=1"]
    asked = commands.run(__salt__, ["ovs-vsctl", f"--timeout={timeout}", *sign])
    _ovs_vsctl("--if-exists", "remove", "Open_vSwitch", ".", "external_ids", _SIGN)
    if asked.retcode:
        raise NodeError(
            "OVS_FAILED",
            f"ovs-vswitchd does not follow the new database server after {timeout} s, and was not"
            f" reloaded: {asked.complaint()}",
        )


def _try_conversion() -> None:
    """Convert a copy of the database to the installed schema, where one is due."""
    due = commands.run(__salt__, ["ovsdb-tool", "needs-conversion", str(_DATABASE), str(_SCHEMA)])
    if due.stdout.strip() != "yes":
        return
    with tempfile.TemporaryDirectory(prefix="openstack-rollout-") as place:
        converted = str(Path(place) / "converted.db")
        tried = commands.run(__salt__, ["ovsdb-tool", "convert", str(_DATABASE), str(_SCHEMA), converted])
    if tried.retcode:
        raise NodeError(
            "OVS_FAILED",
            f"{_DATABASE} cannot be converted to the schema of the installed switch, nothing was"
            f" reloaded: {tried.complaint()}",
        )


def _wait_until_new(name: str, timeout: int) -> str | None:
    now: dict = {}

    def is_new() -> bool:
        now.update(_daemon(name))
        return bool(now["running"] and not now["stale"])

    if not waiting.until(is_new, timeout, 0.2):
        raise NodeError(
            "OVS_FAILED",
            f"{name} was reloaded and runs {now['running']} after {timeout} s,"
            f" {now['installed']} is installed",
        )
    return now["running"]


def _end_restoring() -> None:
    """End the switch's wait for saved flows: after a reload that breaks off nobody would bring them."""
    _ovs_vsctl("--if-exists", "remove", "Open_vSwitch", ".", "other_config", _RESTORE_WAIT)


def _system_id() -> str:
    """What OVN calls this chassis; "" where it does not answer."""
    return _ovs_vsctl("--if-exists", "get", "Open_vSwitch", ".", "external_ids:system-id").strip().strip('"')


def _ovs_vsctl(*arguments: str) -> str:
    return commands.run(__salt__, ["ovs-vsctl", "--timeout=10", "--no-wait", *arguments]).stdout


def _units(name: str) -> dict[str, dict[str, str]]:
    """The properties of the service's unit and of its daemons' units, those that there are: {unit: {...}}."""
    names = [name, *(f"{daemon}.service" for daemon in _DAEMONS)]
    blocks = _systemctl("show", *names, "--property=Id,LoadState,UnitFileState,ActiveState").split("\n\n")
    found = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]
    # in the order asked for: a unit that is an alias has another Id
    return {asked: one for asked, one in zip(names, found, strict=False) if one.get("LoadState") == "loaded"}


def _systemctl(*arguments: str) -> str:
    return commands.checked(__salt__, ["systemctl", *arguments], "OVS_FAILED")
