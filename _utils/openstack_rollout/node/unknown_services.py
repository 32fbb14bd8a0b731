"""Services of kinds that nobody listed: each listens to others, and has files of its own open for writing.

A service is what runs in one container, in one unit, or else one process; its listener and its data need not
be of the same process. Whatever belongs to the node itself does not count (node/harmless.py), nor what is
in a namespace of Neutron. What opens its files for each request alone is not seen.
"""

from __future__ import annotations

import contextlib
import fnmatch
import ipaddress
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from openstack_rollout.node import harmless, sockets

_CONTAINER = re.compile(r"[0-9a-f]{64}")
_UNIT = re.compile(r"(?:.*/)?([^/]+\.service)(?=/|$)")
#: Starts programs that have nothing to do with each other.
_OF_MANY = "pacemaker.service"
#: How Neutron calls namespaces; of its routers, networks and agents.
_NEUTRON = ("qrouter-*", "qdhcp-*", "ovnmeta-*", "snat-*", "fip-*", "qlbaas-*")
#: A table of sockets, and the state of one that waits for others.
_TABLES = (
    *(("tcp", sockets.LISTENS), ("tcp6", sockets.LISTENS)),
    *(("udp", sockets.UNCONNECTED), ("udp6", sockets.UNCONNECTED)),
)
_EPHEMERAL_PORTS = (32768, 60999)  # the kernel's default
#: File systems that a reboot empties, or that hold no files of anybody.
_VOLATILE = frozenset(
    (
        *("autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs"),
        *("efivarfs", "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "ramfs", "rpc_pipefs"),
        *("securityfs", "selinuxfs", "squashfs", "sysfs", "tmpfs", "tracefs"),
    )
)
#: Files that a service can do without: logs, locks, caches, what is of this boot.
_PASSING = re.compile(
    r"/(?:run|tmp|proc|sys|var/(?:run|tmp|log|cache|lock))/"
    r"|.*/(?:logs?|te?mp|\.?caches?|locks?)/"
    r"|.*[._-]log(?:\.\d+)?$|.*\.(?:out|err|pid|lock|lck|sock)$|.*/(?:lock|log|LOCK|LOG)$"
    r"|.* \(deleted\)$",
    re.S,
)
#: The segments of a store are called as logs are.
_SEGMENT = re.compile(r"(?!/var/log/)(?!.*/(?:logs?|te?mp)/).*/\d+\.log$", re.S)
_MAPPED = re.compile(r"^\S+ .w.s \S+ ([0-9a-f]+):([0-9a-f]+) [1-9]\d*\s+(/.*)$", re.M)
_INTERPRETERS = re.compile(r"(?:python|java|node|ruby|perl|php|bash|sh)[\d.]*")
_LONGEST = 200  # characters of a path
_SHOWN = 3  # ports


class Service(NamedTuple):
    """A service of an unknown kind.

    program (str): its name. unit, container (str): its unit's name and its container's id, "" for none.
    ports: what it listens on, `tcp 8086` each. data (str): the path of a file that it writes, as it sees it.
    """

    program: str
    unit: str
    container: str
    ports: tuple[str, ...]
    data: str


class _Process(NamedTuple):
    """A process: its directory, how it is shown, what it listens on, and the files it may be writing: (path,
    descriptor).
    """

    place: Path
    shown: str
    ports: frozenset[str]
    files: tuple[tuple[str, str], ...]


def found(
    root: Path, running: Iterable[tuple[Path, str]], known: Collection[Path], control_plane: bool
) -> list[Service]:
    """The services of unknown kinds, in the order of their first ports.

    root (Path): /. running: the processes' directories and names. known: those of which the kind is known;
    what is of the same service is known, too. control_plane (bool): whether this node is of it.
    """
    own = _either((*harmless.PROGRAMS, *(harmless.OF_THE_CONTROL_PLANE if control_plane else ())))
    units = _either((*harmless.UNITS, *(harmless.OF_THE_CONTROL_PLANE if control_plane else ())))
    network = _Network(root)
    groups: dict[tuple[str, str, str], list[_Process]] = {}
    left_out = set()
    for process, name in running:
        try:
            key = _key(process)
            if process in known:
                left_out.add(key)
            elif not any(own.match(one) for one in _names(process, name)) and not units.match(key[0]):
                groups.setdefault(key, []).append(_looked_at(process, name, network))
        except OSError:
            continue  # it ended meanwhile
    services = []
    for key, processes in groups.items():
        ports = frozenset().union(*(one.ports for one in processes))
        if key not in left_out and ports and (data := _data(processes)):
            listens = next(one for one in processes if one.ports)
            services.append(Service(listens.shown, key[0], key[1], tuple(sorted(ports, key=_order)), data))
    return sorted(services, key=lambda one: (_order(one.ports[0]), one))


def is_called(service: Service, container: str, globs: Iterable[str]) -> bool:
    """Whether one of some names (globs) means a service: its program, its unit or its container.

    container (str): the name of its container, "" for none.
    """
    names = {*service.program.split(), service.unit, service.unit.removesuffix(".service"), container} - {""}
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs for name in names)


def told(service: Service, container: str) -> str:
    """What people read of a service: its program, where that runs, where it listens, what it writes.

    container (str): the name of its container, "" for none.
    """
    inside = f"container {container}" if container else service.unit
    more = ", …" if len(service.ports) > _SHOWN else ""
    ports = ", ".join(service.ports[:_SHOWN]) + more
    data = service.data if len(service.data) <= _LONGEST else f"{service.data[:_LONGEST]}…"
    return f"{service.program}{f' of {inside}' if inside else ''} on {ports} with {data}"


class _Network:
    """What is listened on in each network namespace, read once for each."""

    def __init__(self, root: Path):
        self._tables: dict[str, dict[str, str]] = {}
        spaces = root / "run/netns"
        self._of_neutron = set()
        for one in (one for glob in _NEUTRON for one in spaces.glob(glob)):
            with contextlib.suppress(OSError):  # removed meanwhile
                self._of_neutron.add(f"net:[{os.stat(one).st_ino}]")
        told = _text(root / "proc/sys/net/ipv4/ip_local_port_range").split()
        first, last = map(int, told or _EPHEMERAL_PORTS)
        self._ephemeral = range(first, last + 1)

    def listening(self, process: Path) -> dict[str, str]:
        """What may be reached from other machines where a process runs: inode of a socket → `tcp 8086`."""
        try:
            space = os.readlink(process / "ns/net")
        except OSError:
            space = process.name
        if space in self._of_neutron:
            return {}
        if space not in self._tables:
            self._tables[space] = dict(self._read(process))
        return self._tables[space]

    def _read(self, process: Path) -> Iterator[tuple[str, str]]:
        for table, state in _TABLES:
            for one in sockets.table(process, table, state):
                (address, port), protocol = one.local, table[:3]
                # Who sends datagrams has a port as well, which the kernel chose.
                sends = protocol == "udp" and port in self._ephemeral
                if not sends and not ipaddress.ip_address(address).is_loopback:
                    yield one.inode, f"{protocol} {port}"


def _looked_at(process: Path, name: str, network: _Network) -> _Process:
    """What a process listens on, and the files that it may be writing: one pass over its descriptors."""
    listening = network.listening(process)
    ports, files = set(), []
    for entry in os.scandir(process / "fd"):
        try:
            target = os.readlink(entry.path)
        except OSError:
            continue  # closed meanwhile
        if inode := sockets.inode_of(target):
            ports.add(listening.get(inode, ""))
        elif target.startswith("/") and not _passing(target):
            files.append((target, entry.name))
    return _Process(process, _shown(process, name), frozenset(ports - {""}), tuple(sorted(files)))


def _data(processes: Iterable[_Process]) -> str:
    """The path of a file of their own that some processes write, "" where they have none."""
    for one in processes:
        systems = _Systems(one.place)
        written = (path for path, descriptor in one.files if systems.writes(path, descriptor))
        if path := next(written, "") or next(systems.mapped(), ""):
            return path
    return ""


class _Systems:
    """The file systems that a process sees, read when they are asked for."""

    def __init__(self, process: Path):
        self._process = process
        self._by_number: dict[str, str] | None = None
        self._by_device: dict[str, str] = {}

    def writes(self, path: str, descriptor: str) -> bool:
        """Whether a descriptor of the process writes a file, or a disk, that outlives a reboot."""
        lines = _text(self._process / "fdinfo" / descriptor).splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        flags = int(fields.get("flags", "0"), 8)
        if flags & os.O_ACCMODE == os.O_RDONLY or flags & os.O_PATH:
            return False
        try:
            mode = os.stat(self._process / "fd" / descriptor).st_mode
        except OSError:
            mode = stat.S_IFREG  # closed since
        if path.startswith("/dev/"):
            return stat.S_ISBLK(mode)
        return stat.S_ISREG(mode) and self._system(number=fields.get("mnt_id", "").strip()) not in _VOLATILE

    def mapped(self) -> Iterator[str]:
        """The files that the process writes through its memory."""
        for major, minor, path in _MAPPED.findall(_text(self._process / "maps")):
            device = f"{int(major, 16)}:{int(minor, 16)}"
            passing = _passing(path) or path.startswith("/dev/")
            if not passing and self._system(device=device) not in _VOLATILE:
                yield path

    def _system(self, number: str = "", device: str = "") -> str:
        if self._by_number is None:
            self._by_number = {}
            for line in _text(self._process / "mountinfo").splitlines():
                before, _, after = line.partition(" - ")
                words = before.split()
                self._by_number[words[0]] = self._by_device[words[2]] = after.split()[0]
        return self._by_number.get(number, "") or self._by_device.get(device, "")


def _key(process: Path) -> tuple[str, str, str]:
    """What the processes of one service have in common: unit, container, or what they were started as."""
    lines = _text(process / "cgroup").splitlines()
    group = max((line.split(":", 2)[-1] for line in lines), key=len, default="")
    container = _CONTAINER.search(group)
    unit = _UNIT.match(group[: container.start()] if container else group)
    if container:
        return unit[1] if unit else "", container[0], ""
    if unit and unit[1] != _OF_MANY:
        return unit[1], "", unit[0]  # with the machine that it may be a unit of
    status = _text(process / "stat").rpartition(")")[2].split()
    return "", "", status[2] if len(status) > 2 else process.name  # the group of processes


def _names(process: Path, name: str) -> set[str]:
    """How a program may be called: its process, its file, and the script that an interpreter runs."""
    words = _arguments(process)
    return {name, *words[:1], *(PurePosixPath(word).name for word in (*words[:1], *_script(words, name)))}


def _shown(process: Path, name: str) -> str:
    script = _script(_arguments(process), name)
    return f"{name} {PurePosixPath(script[0]).name}" if script and _INTERPRETERS.fullmatch(name) else name


def _script(words: Sequence[str], name: str) -> list[str]:
    """The first argument where it is none of its options, and with an interpreter the first that is none."""
    some = words[1:] if _INTERPRETERS.fullmatch(name) else words[1:2]
    return [word for word in some if word and not word.startswith("-")][:1]


def _arguments(process: Path) -> list[str]:
    return _text(process / "cmdline").split("\0")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # it ended meanwhile


def _passing(path: str) -> bool:
    return bool(_PASSING.match(path)) and not _SEGMENT.match(path)


def _order(port: str) -> tuple[str, int]:
    protocol, number = port.split()
    return protocol, int(number)


def _either(globs: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(glob) for glob in globs))
