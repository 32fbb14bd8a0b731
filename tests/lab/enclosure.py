"""The walls around a lab: private mount and network namespaces, and a cgroup for every process of it.

What belongs to the lab is what is in the cgroup: nothing is looked up by name or by a recorded process id,
and killing the cgroup is certain, whatever a killed program left behind.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from . import cache, settings

_IN_CGROUP = settings.HERE / "files" / "in-cgroup"
_KEEPER = "keeper"
#: of /proc/net/tcp
_LISTENING = "0A"
#: group of what users and tests run in the lab
TOOLS = "tools"


class LabError(RuntimeError):
    """Something the lab was asked for did not work; the message says what and shows the output."""


class Enclosure:
    """The namespaces and the cgroup of the lab in one home directory."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._cgroup = _unified_hierarchy() / f"openstack-rollout-lab-{cache.digest_of(str(home.resolve()))}"

    @property
    def keeper(self) -> int | None:
        """Process id of the keeper, whose namespaces are the lab's; None when there is no lab."""
        return next(iter(self.members(_KEEPER)), None)

    def open(self) -> None:
        """Make the namespaces, unless they are there.

        Raises:
            LabError: The keeper did not get ready.
        """
        if self.keeper:
            return
        ready = self._home / "keeper.ready"
        ready.unlink(missing_ok=True)
        log = self._home / "logs" / "keeper.log"
        private = ["unshare", "--mount", "--net", "--propagation=private", "--"]
        self._start(_KEEPER, [*private, *_program("keeper", str(ready))], log)
        if not wait_for(ready.exists, 20):
            self.close()
            raise LabError(f"the lab's namespaces could not be made:\n{log.read_text()}")

    def close(self, timeout: float = 20) -> None:
        """Kill everything in the lab and wait until it is gone.

        Raises:
            LabError: Something survived, which takes a hung kernel.
        """
        self.kill("", timeout)

    def kill(self, group: str, timeout: float = 20) -> None:
        """Kill all processes of a group at once, as pulling a plug does; no group: all of the lab."""
        cgroup = self._cgroup / group
        if not cgroup.is_dir():
            return
        (cgroup / "cgroup.kill").write_text("1")
        if not wait_for(lambda: not self.members(group), timeout):
            raise LabError(f"processes survived being killed: {self.members(group)}")
        if not wait_for(lambda: _removed(cgroup), timeout):
            raise LabError(f"{cgroup} cannot be removed")

    @property
    def network_namespace(self) -> Path:
        """The kernel's name of the lab's network namespace.

        Raises:
            LabError: There is no lab.
        """
        if not self.keeper:
            raise LabError("the lab is not up: python -m tests.lab up")
        return Path(f"/proc/{self.keeper}/ns/net")

    def members(self, group: str) -> list[int]:
        """Process ids in a group, those of its subgroups too."""
        found = []
        # Not rglob: it raises when a subgroup goes away under it, as those of health checks do all the time.
        for directory, _, _ in os.walk(self._cgroup / group):
            try:
                found += [int(word) for word in (Path(directory) / "cgroup.procs").read_text().split()]
            except OSError:
                continue  # a subgroup that went away meanwhile has no members
        return found

    def command(self, argv: list[str], group: str = TOOLS) -> list[str]:
        """The command that runs `argv` inside the lab, in the caller's working directory.

        Raises:
            LabError: There is no lab.
        """
        if not self.keeper:
            raise LabError("the lab is not up: python -m tests.lab up")
        return self.placed([*self._enter(Path.cwd()), *argv], group)

    def placed(self, argv: list[str], group: str = TOOLS) -> list[str]:
        """The command that runs `argv` in a group of the lab, outside its namespaces."""
        cgroup = self._cgroup / group
        cgroup.mkdir(parents=True, exist_ok=True)
        return [str(_IN_CGROUP), str(cgroup), *argv]

    def start(self, group: str, argv: list[str]) -> None:
        """Start a long-running program inside the lab, its output in logs/GROUP.log."""
        command = [*self._enter(settings.CHECKOUT), *argv]
        self._start(group, command, self._home / "logs" / f"{group}.log")

    def start_machine(self, name: str) -> None:
        """Start the program that runs a machine."""
        self.start(name, _program("machine", str(self._home), name))

    def leader(self, name: str) -> int | None:
        """PID 1 of a machine, as seen here; None when it is not running."""
        members = self.members(name)
        facts = {pid: _parent_and_name(pid) for pid in members}
        managers = {pid for pid, (_, command) in facts.items() if command == "systemd-nspawn"}
        leaders = [
            pid for pid, (parent, command) in facts.items() if parent in managers and command == "systemd"
        ]
        return leaders[0] if leaders else None

    def _enter(self, directory: Path) -> list[str]:
        return ["nsenter", f"--target={self.keeper}", "--mount", "--net", f"--wd={directory}", "--"]

    def listens(self, port: int) -> bool:
        """Whether something inside listens on that TCP port."""
        rows = [line.split() for line in Path(f"/proc/{self.keeper}/net/tcp").read_text().splitlines()[1:]]
        return any(row[1].endswith(f":{port:04X}") and row[3] == _LISTENING for row in rows)

    def log(self, group: str) -> str:
        """What a program that was started here wrote."""
        return (self._home / "logs" / f"{group}.log").read_text(errors="replace")

    def _start(self, group: str, argv: list[str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            subprocess.Popen(
                self.placed(argv, group), cwd=settings.CHECKOUT,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip


def wait_for(condition, timeout: float, interval: float = 0.1) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


def _program(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"tests.lab.{module}", *arguments]


def _unified_hierarchy() -> Path:
    """Where the host has its version 2 cgroups."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    raise LabError("this host has no cgroup2 file system mounted")


def _removed(cgroup: Path) -> bool:
    """Remove a cgroup whose processes are gone; False while the kernel still holds some of it."""
    try:
        for directory in sorted((d for d in cgroup.rglob("*") if d.is_dir()), reverse=True):
            directory.rmdir()
        cgroup.rmdir()
    except OSError:
        return not cgroup.exists()
    return True


def _parent_and_name(pid: int) -> tuple[int, str]:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0, ""
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(fields["PPid"]), fields["Name"].strip()
