"""sockets: those of this very process, and rows as the kernel writes them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from openstack_rollout.node import sockets

OWN = Path("/proc") / str(os.getpid())
ROW = "   0: {local} {peer} 01 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n"


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        ("0100007F:1388", "127.0.0.1:5000"),
        ("0000000000000000FFFF00000100580A:1388", "10.88.0.1:5000"),
        ("00000000000000000000000001000000:01BB", "[::1]:443"),
    ],
)
def test_addresses_of_the_kernel_are_told_as_people_write_them(tmp_path, entry, address):
    (tmp_path / "net").mkdir()
    rows = [ROW.format(local=entry, peer="00000000:0000"), "cut off\n"]
    (tmp_path / "net/tcp").write_text("".join(["  sl  local_address\n", *rows]))
    [found] = sockets.table(tmp_path, "tcp", sockets.CONNECTED)
    assert (str(found.local), found.inode) == (address, "4711")
    assert list(sockets.table(tmp_path, "tcp", sockets.LISTENS)) == []


def test_a_connection_is_seen_at_both_ends():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            mine = sockets.opened(OWN)
            peers = {one.peer for one in sockets.table(OWN, "tcp", sockets.CONNECTED) if one.inode in mine}
            listens = {one.local for one in sockets.table(OWN, "tcp", sockets.LISTENS) if one.inode in mine}
    assert sockets.Place("127.0.0.1", port) in peers & listens


def test_a_process_that_has_ended_has_none(tmp_path):
    assert sockets.opened(tmp_path / "gone") == set()
    assert list(sockets.table(tmp_path / "gone", "tcp", sockets.LISTENS)) == []
