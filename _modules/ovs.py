"""Open vSwitch's packages and its service, without ever stopping the switch.

The packages' own scripts restart or disable the service, so they do not run. The new binary takes over when
vswitchd is next reloaded or the node reboots; neither happens here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from salt.exceptions import CommandExecutionError

UNIT = "openvswitch.service"
_PID_FILE = Path("/run/openvswitch/ovs-vswitchd.pid")
_WITHOUT_SCRIPTS = ("tsflags=noscripts", "includepkgs=openvswitch*,*-openvswitch")
_FROM_CACHE = "cacheonly=1"


def status(unit: str = UNIT) -> dict | None:
    """How the switch's service stands.

    unit (str): its name.

    Returns {"unit": str, "enabled": bool, "active": bool}, None where there is no such service.
    Raises CommandExecutionError when systemd does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs.status
    """
    text = _systemctl("show", unit, "--property=LoadState,UnitFileState,ActiveState")
    state = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if state.get("LoadState") != "loaded":
        return None
    enabled = state.get("UnitFileState") in ("enabled", "enabled-runtime", "static", "generated", "indirect")
    return {"unit": unit, "enabled": enabled, "active": state.get("ActiveState") == "active"}


def switch_pid() -> int | None:
    """The process id of the running ovs-vswitchd (int), None when there is none.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs.switch_pid
    """
    try:
        pid = int(_PID_FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return pid if Path(f"/proc/{pid}").exists() else None


def update(install: Mapping[str, str], remove: Sequence[str] = (), unit: str = UNIT) -> dict:
    """Move Open vSwitch's packages without their scripts; the switch goes on running.

    install (dict): {name: version}. remove (list): packages of a stream that is left. unit (str): the
    service, which is enabled and active afterwards in every case.

    Returns {name: {"old", "new"}} of every package that moved.
    Raises CommandExecutionError led by PACKAGE_DOWNLOAD_FAILED, PACKAGE_FAILED or OVS_FAILED.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs.update '{openvswitch3.5: 3.5.0-1, rhosp-openvswitch: 3.5-1}' '[openvswitch3.4]'
    """
    if __grains__.get("os_family") == "Debian":
        raise CommandExecutionError(
            "OVS_FAILED: moving Open vSwitch's packages without their scripts is built for dnf only; on this"
            " node move them by hand with the node empty"
        )
    if __salt__["package_set.missing_downloads"](install):
        __salt__["package_set.download"](install)
    before = switch_pid()
    try:
        moved = _transaction(install, remove)
    finally:
        ensure_service(unit)
    if before and switch_pid() != before:
        raise CommandExecutionError(f"OVS_FAILED: ovs-vswitchd was restarted: {before} became {switch_pid()}")
    return moved


def ensure_service(unit: str = UNIT) -> None:
    """Have the switch's service enabled and active; one that is active is never restarted.

    unit (str): its name. Raises CommandExecutionError led by OVS_FAILED.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs.ensure_service
    """
    _systemctl("daemon-reload")
    now = status(unit)
    if now and not now["enabled"]:
        _systemctl("enable", unit)
    if now and not now["active"]:
        _systemctl("start", unit)
    now = status(unit)
    if not (now and now["enabled"] and now["active"]):
        raise CommandExecutionError(f"OVS_FAILED: {unit} is not enabled and active: {now}")


def _transaction(install: Mapping[str, str], remove: Sequence[str]) -> dict:
    moved = {}
    if install:
        moved = __salt__["package_set.bring"](install, setopt=[*_WITHOUT_SCRIPTS, _FROM_CACHE])
    # Most new streams obsolete the old one, which is then gone already.
    left = {
        name: versions for name, versions in __salt__["package_set.installed"]().items() if name in remove
    }
    if left:
        result = _run(["rpm", "--erase", "--noscripts", *sorted(left)])
        __context__.pop("pkg.list_pkgs", None)
        if result["retcode"]:
            raise CommandExecutionError(f"PACKAGE_FAILED: rpm --erase: {result['stderr'].strip()}")
    return {**moved, **{name: {"old": ",".join(versions), "new": ""} for name, versions in left.items()}}


def _systemctl(*arguments: str) -> str:
    result = _run(["systemctl", *arguments])
    if result["retcode"]:
        raise CommandExecutionError(
            f"OVS_FAILED: systemctl {' '.join(arguments)}: {result['stderr'].strip()}"
        )
    return result["stdout"]


def _run(command: list[str]) -> dict:
    return __salt__["cmd.run_all"](command, python_shell=False, ignore_retcode=True)
