"""Asking a server of Open vSwitch's or OVN's at its control socket (ovs-appctl(8)).

The socket of one in a container is reached from the node, below the root of the container's process: that
takes no engine, whose exec costs more than the question. Where the node has no ovs-appctl, or the way to the
socket leads over links, which are the container's own to set, the engine's exec asks.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from openstack_rollout.node import commands

_PROC = Path("/proc")
_ASK = ("ovs-appctl", "--timeout=10", "-t")
_FOLDER = PurePosixPath("/run/ovn")


def ask(salt: Mapping[str, Any], container: str, socket: str, *command: str) -> commands.Result:
    """What a server answers at its control socket.

    salt (dict): the caller's `__salt__`. container (str): its name, or a unit's as for commands.in_container.
    socket (str): its path in the container. command (str): of ovs-appctl.

    Returns the result; of a container that does not run, as commands.in_container.
    """
    if place := _from_here(salt, container, socket):
        return commands.run(salt, [*_ASK, place, *command])
    return commands.in_container(salt, container, [*_ASK, socket, *command])


def ask_ovn(salt: Mapping[str, Any], container: str, server: str, *command: str) -> commands.Result:
    """As `ask`, of a server of OVN's that has its usual socket.

    salt, container, command: as for `ask`. server (str): its program, such as ovn-controller.
    """
    root = _root(salt, container)
    if root:
        try:
            number = int((root / str(_FOLDER / f"{server}.pid").lstrip("/")).read_text(encoding="ascii"))
        except (OSError, ValueError):
            number = 0
        if place := _from_here(salt, container, str(_FOLDER / f"{server}.{number}.ctl")):
            return commands.run(salt, [*_ASK, place, *command])
    return commands.in_container(salt, container, ["ovn-appctl", "--timeout=10", "-t", server, *command])


def _from_here(salt: Mapping[str, Any], container: str, socket: str) -> str:
    """The path of a container's socket as the node has it; "" where it is not to be gone by."""
    root = _root(salt, container)
    if not root or not salt["cmd.has_exec"](_ASK[0]):
        return ""
    # /var/run is a link to /run everywhere.
    parts = PurePosixPath(socket.replace("/var/run/", "/run/", 1)).parts[1:]
    steps = [root.joinpath(*parts[: count + 1]) for count in range(len(parts))]
    try:
        kinds = [one.lstat().st_mode for one in steps]
    except OSError:
        return ""
    plain = all(stat.S_ISDIR(one) for one in kinds[:-1]) and stat.S_ISSOCK(kinds[-1])
    return str(steps[-1]) if plain else ""


def _root(salt: Mapping[str, Any], container: str) -> Path | None:
    """The root folder of a container that runs; None of another one, and of a unit."""
    if commands.is_unit(container) or not (process := commands.main_process(salt, container)):
        return None
    return _PROC / process / "root"
