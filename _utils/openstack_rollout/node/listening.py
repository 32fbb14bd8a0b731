"""The TCP ports on which the processes of units listen, as the kernel tells them (proc(5)), and trying them.

What listened before a restart has to listen again after it, on whichever addresses; nothing has to be known
of the service for that. Ports that the kernel gives away by itself are no service's address.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from pathlib import Path

from openstack_rollout.node import sockets, unit_processes
from openstack_rollout.node.sockets import Place

_RANGE = "sys/net/ipv4/ip_local_port_range"
_ANSWERS_IN = 5.0  # seconds
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


def of(units: Iterable[str]) -> set[Place]:
    """Where the processes of units listen, in this host's own network namespace.

    units (list): their names, with `.service`.
    """
    found: set[Place] = set()
    own = _namespace(unit_processes.PROC / "self")
    for process in (one for unit in units for one in unit_processes.of(unit)):
        if _namespace(process) == own and (inodes := sockets.opened(process)):
            for protocol in ("tcp", "tcp6"):
                rows = sockets.table(process, protocol, sockets.LISTENS)
                found |= {one.local for one in rows if one.inode in inodes}
    first, last = _given_away()
    return {one for one in found if not first <= one.port <= last}


def lacking(units: Iterable[str], ports: Iterable[int]) -> list[str]:
    """Which of these ports the processes of units do not serve now, a line each.

    units (list): as for `of`. ports: that one of them has to listen on, and take a connection at.
    """
    wanted = sorted(set(ports))
    there: dict[int, list[Place]] = {}
    for one in sorted(of(units)) if wanted else ():
        there.setdefault(one.port, []).append(one)
    silent = [port for port in wanted if port not in there]
    lines = [f"nobody listens on port {port} any more" for port in silent]
    refused = [one for port in wanted for one in there.get(port, ()) if not _takes(one)]
    return [*lines, *(f"no connection to {one.address} port {one.port}" for one in refused)]


def asked_at(listener: Place) -> str:
    """The address at which this host asks who listens; "" of one that is not here now (a virtual one that has
    left). Who listens for all is asked by the host itself.
    """
    address = _ANY.get(listener.address, listener.address)
    return address if _is_here(address) else ""


def _takes(listener: Place) -> bool:
    """Whether a connection is taken. An address that is not here now says nothing."""
    address = asked_at(listener)
    if not address:
        return True
    try:
        with socket.create_connection((address, listener.port), timeout=_ANSWERS_IN):
            return True
    except OSError:
        return False


def _is_here(address: str) -> bool:
    """Whether an address is this host's: the kernel would speak to it from itself. Nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
            return probe.getsockname()[0] == address
    except OSError:
        return False


def _namespace(process: Path) -> str:
    try:
        return os.readlink(process / "ns/net")
    except OSError:
        return ""


def _given_away() -> tuple[int, int]:
    """The ports that the kernel gives to who asks for any: from, to."""
    first, last = (unit_processes.PROC / _RANGE).read_text(encoding="ascii").split()
    return int(first), int(last)
