"""What keeps this node's clock right, and how far off it says that it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands

_PATIENCE = 5.0  # seconds
_TRACKING = 14  # columns of `chronyc -c tracking`
_OFFSET, _LEAP = 4, 13


def found(salt: Mapping[str, Any]) -> dict[str, Any]:
    """What keeps the clock. salt (dict): the caller's `__salt__`.

    Returns {"by": the program that was asked, "" where none answers, "synchronized": whether it follows a
    source, None where that is not known, "offset": seconds by which it is wrong, as far as it knows}.
    """
    return _by_chrony(salt) or _by_systemd(salt) or {"by": "", "synchronized": None, "offset": None}


def _by_chrony(salt: Mapping[str, Any]) -> dict[str, Any] | None:
    columns = _said(salt, ["chronyc", "-n", "-c", "tracking"]).strip().split(",")
    if len(columns) < _TRACKING:
        return None
    synchronized = columns[_LEAP] != "Not synchronised"
    offset = abs(float(columns[_OFFSET])) if synchronized else None
    return {"by": "chrony", "synchronized": synchronized, "offset": offset}


def _by_systemd(salt: Mapping[str, Any]) -> dict[str, Any] | None:
    """As the kernel has it, whichever program keeps the clock."""
    told = _said(salt, ["timedatectl", "show", "--property=NTPSynchronized", "--value"]).strip()
    if told not in ("yes", "no"):
        return None
    return {"by": "kernel", "synchronized": told == "yes", "offset": None}


def _said(salt: Mapping[str, Any], command: list[str]) -> str:
    try:
        result = commands.run(salt, command, timeout=_PATIENCE)
    except CommandExecutionError:
        return ""  # it is not installed
    return "" if result.retcode else result.stdout
