"""Open vSwitch on this node: its service, what runs of it and what is installed, and how it gets from one to
the other without being restarted.

New packages come without the switch noticing (`ovs_packages`). The new programs run from a reload on, which
saves the flows and puts them back, or from a reboot on; until then the node's switch is stale.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

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
#: a setting of no meaning, that the switch has to take note of
_SIGN = "openstack-rollout-reload"
_RESTORE_WAIT = "flow-restore-wait"
_TAKES = 60


def unit() -> str:
    """The name of the service that is Open vSwitch on this node's distribution (str).

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs.unit
    """
    return _DEBIANS_UNIT if __grains__.get("os_family") == "Debian" else UNIT


def status(unit: str | None = None) -> dict | None:
    """How the switch's service stands.

    unit (str): its name, when it is not the distribution's.

    Returns {"unit": str, "enabled": bool, "active": bool}, None where there is no such service.
    Raises CommandExecutionError when systemd does not answer.

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
    nothing runs, or it does not say.

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

    install (dict): {name: version}. remove (list): packages of a stream that is left, or name-version of a
    package's other versions. unit (str): the service, which is enabled and active afterwards in every case.

    Returns {name: {"old", "new"}} of every package that moved.
    Raises NodeError PACKAGE_DOWNLOAD_FAILED, PACKAGE_FAILED or OVS_FAILED.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs.update '{openvswitch3.5: 3.5.0-1, rhosp-openvswitch: 3.5-1}' '[openvswitch3.4]'
    """
    before = switch_pid()
    try:
        moved = __salt__["ovs_packages.move"](install, remove)
    finally:
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


def reload(timeout: int = _TAKES) -> dict:
    """Have what is installed run: the switch keeps its flows.

    The schema of the database is converted where it has to be, after the conversion was tried on a copy: one
    that fails would leave the switch an empty database. A userspace data path, which stops with its database
    server, is handed over to a new switch together with that server (`ovs_handover`). For any other the
    server goes first, then the switch is reloaded by its own service, which saves the flows and puts them
    back, and a daemon that is not stale is left alone.

    timeout (int): seconds for each daemon to say its new version.

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
    """{"running", "installed", "stale"} of one daemon; a replaced program of one version is stale, too."""
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
    said = _run(command)
    words = said["stdout"].strip().strip('"').splitlines()[:1]
    return words[0].split()[-1] if words and not said["retcode"] and words[0].split() else None


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
    """Hand the switch over, with its database server given a schema; (how, why it is not possible)."""
    report = __salt__["ovs_handover.reload"](*schema)
    if report["outcome"] != "done":
        return "", report["error"]
    late = f"; not alive again, says BFD: {', '.join(report['late'])}" if report["late"] else ""
    return f"handed over: {report['gap']} s without its {sum(report['flows'].values())} flows{late}", ""


def _renew_database(timeout: int) -> None:
    """Have the installed database server run, while the old switch goes on with its flows.

    As Open vSwitch's own reload does it, for the database alone: no other unit is touched. A reload of its
    unit would forget which chassis this is (Debian's calls ovs-ctl without the system's id), and have systemd
    reload the switch without anyone waiting for it. That the switch follows again is waited for, so that two
    short pauses do not become a long one.
    """
    _try_conversion()
    _systemctl("--job-mode=ignore-dependencies", "restart", "ovsdb-server.service")
    asked = _run(["ovs-vsctl", f"--timeout={timeout}", "set", "Open_vSwitch", ".", f"external_ids:{_SIGN}=1"])
    _ovs_vsctl("--if-exists", "remove", "Open_vSwitch", ".", "external_ids", _SIGN)
    if asked["retcode"]:
        raise NodeError(
            "OVS_FAILED",
            f"ovs-vswitchd does not follow the new database server after {timeout} s, and was not"
            f" reloaded: {asked['stderr'].strip()[-300:]}",
        )


def _try_conversion() -> None:
    """Convert a copy of the database to the installed schema, where one is due."""
    if _run(["ovsdb-tool", "needs-conversion", str(_DATABASE), str(_SCHEMA)])["stdout"].strip() != "yes":
        return
    with tempfile.TemporaryDirectory(prefix="openstack-rollout-") as place:
        tried = _run(
            ["ovsdb-tool", "convert", str(_DATABASE), str(_SCHEMA), str(Path(place) / "converted.db")]
        )
    if tried["retcode"]:
        raise NodeError(
            "OVS_FAILED",
            f"{_DATABASE} cannot be converted to the schema of the installed switch, nothing was"
            f" reloaded: {tried['stderr'].strip()[-300:]}",
        )


def _wait_until_new(name: str, timeout: int) -> str | None:
    until = time.monotonic() + timeout
    while True:
        now = _daemon(name)
        if now["running"] and not now["stale"]:
            return now["running"]
        if time.monotonic() >= until:
            raise NodeError(
                "OVS_FAILED",
                f"{name} was reloaded and runs {now['running']} after {timeout} s,"
                f" {now['installed']} is installed",
            )
        time.sleep(0.2)


def _end_restoring() -> None:
    """A reload that breaks off leaves the switch waiting for flows that nobody brings."""
    _ovs_vsctl("--if-exists", "remove", "Open_vSwitch", ".", "other_config", _RESTORE_WAIT)


def _system_id() -> str:
    """What OVN calls this chassis; "" where it does not answer."""
    return _ovs_vsctl("--if-exists", "get", "Open_vSwitch", ".", "external_ids:system-id").strip().strip('"')


def _ovs_vsctl(*arguments: str) -> str:
    return _run(["ovs-vsctl", "--timeout=10", "--no-wait", *arguments])["stdout"]


def _units(name: str) -> dict[str, dict[str, str]]:
    """The properties of the service's unit and of its daemons' units, those that there are: {unit: {...}}."""
    names = [name, *(f"{daemon}.service" for daemon in _DAEMONS)]
    blocks = _systemctl("show", *names, "--property=Id,LoadState,UnitFileState,ActiveState").split("\n\n")
    found = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]
    # in the order asked for: a unit that is an alias has another Id
    return {asked: one for asked, one in zip(names, found, strict=False) if one.get("LoadState") == "loaded"}


def _systemctl(*arguments: str) -> str:
    result = _run(["systemctl", *arguments])
    if result["retcode"]:
        raise NodeError("OVS_FAILED", f"systemctl {' '.join(arguments)}: {result['stderr'].strip()}")
    return result["stdout"]


def _run(command: list[str]) -> dict:
    return __salt__["cmd.run_all"](command, python_shell=False, ignore_retcode=True)
