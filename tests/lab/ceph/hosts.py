"""The hosts of a Ceph without machines: each is a root, a name and a process tree of its own in one network.

For tests that need a real Ceph, and no systemd: killing a host pulls its plug, starting it starts the daemons
that were enabled on it. It has as much of a lab as tests.lab.ceph.cluster asks for.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.lab import base, settings
from tests.lab.enclosure import Enclosure, LabError, wait_for

from . import layer

_FILES = settings.HERE / "files" / "ceph"
_INIT = 'hostname "$0"; mount -t proc proc "$1/proc"; exec sleep infinity'
_ENABLE = ["systemctl", "enable", "--now"]
_LIST = ["systemctl", "list-units"]


class Hosts:
    """Use as a context manager.

    Args:
        home: An empty directory, on a file system that an overlay can be made of.
    """

    def __init__(self, home: Path) -> None:
        self.nodes = {node.name: node for node in settings.PROFILES[settings.CEPH]}
        self._home = home
        self._enclosure = Enclosure(home)
        self._units: dict[str, list[str]] = {name: [] for name in self.nodes}

    def __enter__(self) -> Hosts:
        root = base.ensure()
        lower = f"{layer.ensure(root)}:{root}"
        self._enclosure.open()
        for node in self.nodes.values():
            place = self._home / node.name
            for directory in ("root", "upper", "work"):
                (place / directory).mkdir(parents=True)
            options = f"lowerdir={lower},upperdir={place / 'upper'},workdir={place / 'work'},volatile"
            for argv in (
                ["mount", "-t", "overlay", "overlay", "-o", options, str(self.root(node.name))],
                ["mount", "--rbind", "/dev", str(self.root(node.name) / "dev")],
                ["cp", "-r", f"{_FILES}/.", str(self.root(node.name))],
                ["ip", "address", "add", f"{node.address}/24", "dev", settings.MANAGEMENT_BRIDGE],
            ):
                subprocess.run(self._enclosure.command(argv), check=True)
            self.start(node.name)
            self.exec(node.name, ["install", "-d", "-o", "ceph", "/run/ceph"])
        return self

    def __exit__(self, *_exception: object) -> None:
        self._enclosure.close()

    def root(self, host: str) -> Path:
        """Its root directory, in the namespaces of the hosts."""
        return self._home / host / "root"

    def seen(self, host: str, path: str) -> Path:
        """A path of a host, as this process sees it."""
        return Path(f"/proc/{self._enclosure.keeper}/root{self.root(host)}{path}")

    def running(self, host: str) -> bool:
        """Whether its plug is in."""
        return bool(self._enclosure.members(host))

    def start(self, host: str) -> None:
        """Start a host that is off, and its daemons."""
        new = ["unshare", "--uts", "--pid", "--fork", "--kill-child", "--"]
        self._enclosure.start(host, [*new, "sh", "-c", _INIT, host, str(self.root(host))])
        if not wait_for(lambda: self._init(host) is not None, 20):
            raise LabError(f"{host} does not start:\n{self._enclosure.log(host)}")
        for unit in self._units[host]:
            self._run(host, unit)

    def kill(self, host: str) -> None:
        """Pull its plug."""
        self._enclosure.kill(host)

    def command(self, host: str, argv: Sequence[str]) -> list[str]:
        """The command of this machine that runs `argv` on a host."""
        inside = ["nsenter", f"--target={self._init(host)}", "--uts", "--pid", "--"]
        return self._enclosure.command([*inside, "chroot", str(self.root(host)), *argv])

    def exec(
        self, host: str, argv: list[str], *, check: bool = True, timeout: float = 120, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a host; in place of systemd's, those that a cluster is made with.

        Raises:
            LabError: It failed, with check.
        """
        if argv[:3] == _ENABLE:
            self._units[host] += argv[3:]
            for unit in argv[3:]:
                self._run(host, unit)
            return subprocess.CompletedProcess(argv, 0, "", "")
        if argv[:2] == _LIST:
            listed = "".join(f"{unit} loaded active running\n" for unit in self._units[host])
            return subprocess.CompletedProcess(argv, 0, listed, "")
        done = subprocess.run(
            self.command(host, argv),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise LabError(f"{' '.join(argv)} on {host}: {done.stdout}{done.stderr}")
        return done

    def _run(self, host: str, unit: str) -> None:
        program, _, name = unit.removesuffix(".service").partition("@")
        daemon = [program, "-f", "--id", name, "--setuser", "ceph", "--setgroup", "ceph"]
        inside = ["nsenter", f"--target={self._init(host)}", "--uts", "--pid", "--"]
        self._enclosure.start(host, [*inside, "chroot", str(self.root(host)), *daemon])

    def _init(self, host: str) -> int | None:
        """Its first process, as this machine counts."""
        for process in self._enclosure.members(host):
            try:
                status = Path(f"/proc/{process}/status").read_text()
            except OSError:
                continue  # it ended meanwhile
            (numbers,) = (line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:"))
            if len(numbers) > 1 and numbers[-1] == "1" and "Name:\tsleep" in status:
                return process
        return None
