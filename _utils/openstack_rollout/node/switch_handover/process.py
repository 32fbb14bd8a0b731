"""A running daemon of Open vSwitch, and another one started in its likeness."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from openstack_rollout.node.switch_handover import PROC, Failed, NotPossible

_SELINUX = Path("/sys/fs/selinux/enforce")
_CGROUPS = Path("/sys/fs/cgroup")


class Process:
    """A running daemon, as the kernel shows it in /proc.

    Args:
        pid: The number of its process.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._place = PROC / str(pid)
        self.arguments = self._text("cmdline").split("\0")[:-1]

    @property
    def name(self) -> str:
        """What the kernel calls its program."""
        return self._text("comm").strip()

    @property
    def state(self) -> str:
        """The kernel's letter for its state (proc(5)); X when it has ended."""
        try:
            return self._text("stat").rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            return "X"

    @property
    def alive(self) -> bool:
        """Whether it runs; a zombie does not."""
        return self.state not in "ZX"

    @property
    def gone(self) -> bool:
        """Whether it has ended with all its threads, and closed what it had open."""
        if self.alive:
            return False
        try:
            return len(list((self._place / "task").iterdir())) <= 1
        except OSError:
            return True

    def start_another(self, pidfile: Path, output, *more: str) -> subprocess.Popen:
        """Start the installed program as this one was: arguments, environment, limits, SELinux domain, unit.

        Args:
            pidfile: The pidfile of the new one.
            output: An open file for what it prints.
            more: Further arguments.

        Raises:
            Failed: There is no such program.
            NotPossible: This program may not start it like that.
        """
        environment = dict(one.split("=", 1) for one in self._text("environ").split("\0") if "=" in one)
        program = shutil.which(self.arguments[0], path=environment.get("PATH") or os.defpath)
        if program is None:
            raise Failed(f"there is no {self.arguments[0]}")
        kept = [one for one in self.arguments[1:] if not one.startswith("--pidfile")]
        kept = [one for one in kept if one not in ("--detach", *more)]
        try:
            return subprocess.Popen(
                [self.arguments[0], *kept, *more, f"--pidfile={pidfile}", "--detach"],
                executable=program,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                preexec_fn=self._imitation(),  # noqa: PLW1509 - the program has one thread
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise NotPossible(f"{self.name} cannot be started anew as it was: {error}") from error

    def domain(self) -> str:
        """The SELinux context that it runs in, "" without SELinux."""
        return self._text("attr/current").strip("\0\n") if _SELINUX.exists() else ""

    def _imitation(self) -> Callable[[], None]:
        kinds = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
        limits = {kind: resource.prlimit(self.pid, kind) for kind in set(kinds)}
        mask = next(line for line in self._text("status").splitlines() if line.startswith("Umask:"))
        priority, domain = os.getpriority(os.PRIO_PROCESS, self.pid), self.domain()
        group, spared = self._group(), self._text("oom_score_adj")
        foreign = group != Process(os.getpid())._group()

        def imitate() -> None:
            for kind, limit in limits.items():
                with contextlib.suppress(ValueError, OSError):
                    resource.setrlimit(kind, limit)
            os.umask(int(mask.split()[1], 8))
            os.setpriority(os.PRIO_PROCESS, 0, priority)
            Path("/proc/self/oom_score_adj").write_text(spared, encoding="ascii")
            if foreign:
                (group / "cgroup.procs").write_text("0", encoding="ascii")
            if domain:
                Path("/proc/thread-self/attr/exec").write_text(domain, encoding="ascii")

        return imitate

    def _group(self) -> Path:
        """The directory of its control group, by which systemd knows the unit; none without cgroups v2."""
        lines = self._text("cgroup").splitlines()
        name = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/none")
        return _CGROUPS / name.strip("/")

    def _text(self, name: str) -> str:
        return (self._place / name).read_text(encoding="utf-8", errors="surrogateescape")
