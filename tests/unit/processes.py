"""A root folder with processes as /proc shows them: their sockets, files, units and namespaces."""

from __future__ import annotations

import os

ANY, LOCAL, LAN, V6_ANY, V6_LOCAL, V6_MAPPED = (
    *("00000000", "0100007F", "0A0AA8C0"),
    *("0" * 32, "0" * 24 + "01000000", "0000000000000000FFFF00000100007F"),
)
HOST = "net:[4026531840]"
MOUNTS = """\
22 1 254:0 / / rw shared:1 - ext4 /dev/vda rw
23 22 0:25 / /dev/shm rw - tmpfs tmpfs rw
24 22 0:26 / /srv/memory rw - tmpfs tmpfs rw
25 22 253:1 / /srv/data rw - xfs /dev/sdb rw
"""


class Node:
    """A root folder with processes, as /proc shows them."""

    def __init__(self, root):
        self.root = root
        (root / "proc").mkdir()
        self.sockets = {}

    def run(self, name, listens=(), writes=(), reads=(), maps=(), cgroup="", net=HOST, arguments=None):
        """listens: (table, address, port), and another state than that of one who waits. writes, reads:
        paths, or (path, number of its mount). maps: (path, device).
        """
        process = self.root / "proc" / str(1000 + len(list((self.root / "proc").iterdir())))
        for folder in ("fd", "fdinfo", "net", "ns"):
            (process / folder).mkdir(parents=True)
        (process / "comm").write_text(f"{name[:15]}\n")
        words = arguments or [f"/usr/bin/{name}"]
        (process / "cmdline").write_bytes("\0".join([*words, ""]).encode())
        (process / "cgroup").write_text(f"0::{cgroup or f'/system.slice/{name}.service'}\n")
        (process / "stat").write_text(f"{process.name} ({name}) S 1 {process.name} {process.name} 0\n")
        (process / "mountinfo").write_text(MOUNTS)
        (process / "ns/net").symlink_to(net)
        (process / "maps").write_text(
            "".join(f"7f00-7f01 rw-s 00000000 {device} 77   {path}\n" for path, device in maps)
        )
        for number, one in enumerate([*writes, *reads], 3):
            path, mount = one if isinstance(one, tuple) else (one, 22)
            (process / "fd" / str(number)).symlink_to(path)
            flags = "0100002" if one in writes else "0100000"
            (process / "fdinfo" / str(number)).write_text(f"pos:\t0\nflags:\t{flags}\nmnt_id:\t{mount}\n")
        for number, (table, address, port, *state) in enumerate(listens, 100):
            inode = str(50000 + sum(map(len, self.sockets.values())))
            self.sockets.setdefault(net, []).append((table, address, port, inode, *state))
            (process / "fd" / str(number)).symlink_to(f"socket:[{inode}]")
        for one in (self.root / "proc").iterdir():
            if os.readlink(one / "ns/net") == net:
                self._tables(one, self.sockets.get(net, ()))
        return process

    def _tables(self, process, sockets):
        for table in ("tcp", "tcp6", "udp", "udp6"):
            rows = [
                f"   0: {address}:{port:04X} 00000000:0000 {(*state, '0A' if table[0] == 't' else '07')[0]}"
                f" 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0 100 0 0 10 0\n"
                for kind, address, port, inode, *state in sockets
                if kind == table
            ]
            (process / "net" / table).write_text("".join(["  sl  local_address\n", *rows]))
