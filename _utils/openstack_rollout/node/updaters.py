"""Those who change packages of a node by themselves: none of them begins while packages move here.

Each of their services gets a condition, by a drop-in under /run (systemd.unit(5)): while a folder of ours is
there, a start of it is skipped, whoever asks for it. systemd itself takes the folder away when the unit ends
that it belongs to (RuntimeDirectory= in systemd.exec(5)), and that one ends with the process that began it.
So no kill leaves an updater held off, and nothing has to be put back: no timer is stopped, and what the
operator stopped, disabled or masked stays so. A run that would have begun meanwhile is left out; its timer
comes again at its next time. With timers stopped, Persistent= would have it all begin right afterwards.

An updater that works already is never stopped: it is waited for. PackageKit is asked to end, which it does
when it has nothing to do (org.freedesktop.PackageKit.SuggestDaemonQuit); who needs it starts it by D-Bus.
unattended-upgrades.service is left alone: it only waits for the machine to go down, and to be stopped is what
it waits for. The program of that name is run by apt-daily-upgrade.service.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from openstack_rollout.node import commands, waiting
from openstack_rollout.node.errors import NodeError
from openstack_rollout.records import state_file

PACKAGEKIT = "packagekit.service"
#: Those that move packages.
_MOVE = (
    *("apt-daily-upgrade.service", "dnf-automatic.service", "dnf-automatic-install.service"),
    *("dnf5-automatic.service", PACKAGEKIT),
)
#: Those that fetch alone; what they lock is waited for by `package_lock`.
_FETCH = (
    *("apt-daily.service", "dnf-makecache.service", "dnf5-makecache.service"),
    *("dnf-automatic-download.service", "dnf-automatic-notifyonly.service"),
)
ASK_TO_END = (
    *("busctl", "call", "--auto-start=no", "org.freedesktop.PackageKit", "/org/freedesktop/PackageKit"),
    *("org.freedesktop.PackageKit", "SuggestDaemonQuit"),
)
#: Forgotten by a reboot, as the condition is.
FOLDER = Path("/run/systemd/system")
_FILE = "zz-openstack-rollout-packages.conf"
_MOVING = "openstack-rollout/moving"  # under /run
_CONDITION = f"""# of openstack-rollout: it does not begin while packages move
[Unit]
ConditionPathExistsGlob=!/run/{_MOVING}/*
"""
_PROPERTIES = ("Id", "LoadState", "ActiveState", "NeedDaemonReload")
_RESTS = ("inactive", "failed")
# seconds after which even one that nobody ended ends, such as that of a process whose number another has now
_LONGEST = 6 * 3600
_begun: ContextVar[bool] = ContextVar("packages_move", default=False)


def found(salt: Mapping[str, Any]) -> dict[str, str]:
    """The updaters of this node that could begin by themselves, but for the masked: {service: its state}.

    salt (dict): the caller's `__salt__`. Raises NodeError NODE_ERROR when systemd does not answer.
    """
    return {name: one["ActiveState"] for name, one in _shown(salt).items()}


@contextlib.contextmanager
def held_off(salt: Mapping[str, Any]) -> Iterator[None]:
    """While it lasts no updater begins; one that works is waited for first. One may be within another.

    salt (dict): the caller's `__salt__`. Raises NodeError PACKAGE_LOCKED where one works for longer than
    others may hold a lock; NODE_ERROR when systemd refuses.
    """
    some = {} if _begun.get() else conditioned(salt)
    if not some:
        yield
        return
    outer, name = _begun.set(True), uuid.uuid4().hex[:8]
    unit = f"openstack-rollout-moving-{name}.service"
    try:
        # Type=exec: the folder is there when this returns.
        options = [f"--unit={unit}", "--property=Type=exec", belongs(name)]
        options.append(f"--property=RuntimeMaxSec={_LONGEST}")
        program = ["tail", f"--pid={os.getpid()}", "--follow", "/dev/null"]
        commands.checked(salt, ["systemd-run", "--quiet", "--collect", *options, *program], "NODE_ERROR")
        _wait(salt, some)
        yield
    finally:
        commands.run(salt, ["systemctl", "stop", unit])
        _begun.reset(outer)


def conditioned(salt: Mapping[str, Any]) -> dict[str, str]:
    """Give each updater of this node its condition, which counts while a unit that has `belongs` runs.

    salt (dict): the caller's `__salt__`. Returns them, as `found`. Raises NodeError NODE_ERROR when systemd
    or the disk refuses.
    """
    some = _shown(salt)
    stale = any(one["NeedDaemonReload"] == "yes" for one in some.values())
    try:
        for file in (FOLDER / f"{name}.d" / _FILE for name in some):
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                state_file.replace(file, _CONDITION, 0o644)
                stale = True
    except OSError as error:
        raise NodeError("NODE_ERROR", f"{FOLDER}: {error}") from error
    if stale:
        commands.checked(salt, ["systemctl", "daemon-reload"], "NODE_ERROR")
    return {name: one["ActiveState"] for name, one in some.items()}


def belongs(name: str) -> str:
    """The option of systemd-run for a unit during which no updater begins.

    name (str): of its folder, which no other has.
    """
    return f"--property=RuntimeDirectory={_MOVING}/{name}"


def movers(some: Collection[str]) -> list[str]:
    """Those that move packages, and have to be waited for where they work.

    some: names of services, as of `found`.
    """
    return [name for name in some if name in _MOVE]


def _wait(salt: Mapping[str, Any], some: Collection[str]) -> None:
    """Wait until no updater works that moves packages."""
    wanted = movers(some)
    if PACKAGEKIT in wanted and PACKAGEKIT in _working(salt):
        commands.run(salt, ASK_TO_END)
    limit = salt["package_lock.patience"]()
    if left := waiting.until_whole(lambda: [name for name in _working(salt) if name in wanted], limit):
        raise NodeError("PACKAGE_LOCKED", f"for {limit:.0f} s {', '.join(left)} works")


def _working(salt: Mapping[str, Any]) -> list[str]:
    return [name for name, state in found(salt).items() if state not in _RESTS]


def _shown(salt: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """What systemd says of the updaters that are here."""
    command = ["systemctl", "show", f"--property={','.join(_PROPERTIES)}", *_MOVE, *_FETCH]
    blocks = commands.checked(salt, command, "NODE_ERROR").split("\n\n")
    told = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]
    return {one["Id"]: one for one in told if one.get("LoadState") == "loaded"}
