"""The copy of a whole database to a Galera member that joins (SST), while its server answers no question.

What there is to see of it then: the script that receives it, the file that marks it, and the files that it
writes. They are MariaDB's own: https://mariadb.com/kb/en/introduction-to-state-snapshot-transfers-ssts/.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from openstack_rollout.node import sockets

DATA = "/var/lib/mysql"
MARKER = "sst_in_progress"
_ACCEPTS = "00010000"  # the flags of a socket at which somebody waits for clients, in /proc/net/unix
_SERVERS = ("mariadbd", "mysqld")
_SCRIPT = re.compile(r"\bwsrep_sst_(\w+)\b.*\s--role[ =]'?(joiner|donor)\b")
_DATA = re.compile(r"\s--datadir[ =]'?([^'\s]+)")
# What a member writes while it only waits: what others change meanwhile, and its logs.
_NO_DATA = re.compile(r"galera\.cache|gcache\.page\.\d+|grastate\.dat|gvwstate\.dat|.*\.(err|log|pid|sock)")


class Running(NamedTuple):
    """What runs in a container: whether a server does, the method of the script that receives a copy ("" for
    none), and the data directory, "" where no command line names it.
    """

    server: bool
    method: str
    data: str


class Files(NamedTuple):
    """The files of a database: their number, their size on the disk (bytes), the latest change (ns), and
    whether a copy is marked as not finished.
    """

    number: int
    size: int
    changed: int
    marked: bool


def running(command_lines: str) -> Running:
    """What the processes of a container say.

    command_lines (str): theirs, one a line.
    """
    server, method, data = False, "", ""
    for line in command_lines.splitlines():
        script = _SCRIPT.search(line)
        mine = line.split(maxsplit=1)[:1] and os.path.basename(line.split()[0]) in _SERVERS
        server = server or bool(mine)
        if script and script[2] == "joiner":
            method = script[1]
        if (mine or script) and (named := _DATA.search(line)):
            data = named[1]
    return Running(server, method, data)


def listens(proc: Path, pid: str) -> str:
    """The socket at which a server under a process waits for clients (proc(5)), "" where none does.

    A server that is fed, or ends, has none: a client that reaches no server elsewhere asks the wrong one.

    proc (Path): the file system of processes. pid (str): the container's first one.
    """
    for one in _below(proc, pid):
        with contextlib.suppress(OSError):
            if (one / "comm").read_text().strip() not in _SERVERS:
                continue
            rows = [line.split() for line in (one / "net/unix").read_text().splitlines()[1:]]
            waiting = {row[6]: row[7] for row in rows if len(row) > 7 and row[3] == _ACCEPTS}
            if found := sorted(sockets.opened(one) & waiting.keys()):
                return waiting[found[0]]
    return ""


def _below(proc: Path, pid: str) -> Iterator[Path]:
    """A process, and all that it or one of its threads has started."""
    yield proc / pid
    for thread in (proc / pid / "task").glob("*"):
        with contextlib.suppress(OSError):
            for child in (thread / "children").read_text().split():
                yield from _below(proc, child)


def files(folder: Path) -> Files | None:
    """The files under a data directory, without what changes while nothing is copied; None where it cannot be
    read.

    folder (Path): as this process sees it.
    """
    try:
        marked = (folder / MARKER).exists()
        os.scandir(folder).close()
    except OSError:
        return None
    number = size = changed = 0
    for place, _, names in os.walk(folder):
        for name in names:
            if _NO_DATA.fullmatch(name):
                continue
            try:
                found = os.lstat(os.path.join(place, name))
            except FileNotFoundError:
                continue  # it was just renamed
            if stat.S_ISREG(found.st_mode):
                number, size = number + 1, size + found.st_blocks * 512
                changed = max(changed, found.st_mtime_ns)
    return Files(number, size, changed, marked)
