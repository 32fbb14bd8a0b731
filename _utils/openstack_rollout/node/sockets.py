"""The sockets of processes, as the kernel tells them (proc(5)): those that one has open, and their tables."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: States of a socket (net/tcp_states.h of the kernel); the last is of one for datagrams without a peer.
CONNECTED, CONNECTING, LISTENS, UNCONNECTED = "01", "02", "0A", "07"
_LINK = "socket:["


class Place(NamedTuple):
    """An address, as people write it (of IPv4 where it is one of that, mapped), and a port."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Socket(NamedTuple):
    """A row of a table: its inode's number, where it is bound, and where its peer is."""

    inode: str
    local: Place
    peer: Place


def inode_of(link: str) -> str:
    """The number of the inode that a descriptor's link names, "" for what is no socket.

    link (str): what the link says, such as `socket:[4711]`.
    """
    return link[len(_LINK) : -1] if link.startswith(_LINK) else ""


def opened(process: Path) -> set[str]:
    """The inodes of the sockets that a process has open; none of one that has ended.

    process (Path): its folder in the file system of processes.
    """
    found = set()
    with contextlib.suppress(OSError):
        for link in (process / "fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                found.add(inode_of(os.readlink(link)))
    return found - {""}


def table(process: Path, protocol: str, *states: str) -> Iterator[Socket]:
    """The sockets of a protocol in the network namespace of a process that are in one of some states; none
    where it has ended, or the kernel does not know the protocol.

    process (Path): as for `opened`. protocol (str): tcp, tcp6, udp or udp6.
    """
    try:
        rows = (process / "net" / protocol).read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return
    for row in rows:
        fields = row.split(None, 10)
        if len(fields) > 9 and fields[3] in states:
            yield Socket(fields[9], _place(fields[1]), _place(fields[2]))


def _place(text: str) -> Place:
    """ADDRESS:PORT of the kernel: words of 32 bits, each in the host's own order."""
    written, _, port = text.partition(":")
    words = [int(written[at : at + 8], 16) for at in range(0, len(written), 8)]
    found = ipaddress.ip_address(b"".join(word.to_bytes(4, sys.byteorder) for word in words))
    return Place(str(getattr(found, "ipv4_mapped", None) or found), int(port, 16))
