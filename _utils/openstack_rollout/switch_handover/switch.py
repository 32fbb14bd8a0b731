"""A running ovs-vswitchd, and another one started in its likeness."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from openstack_rollout.switch_handover import PROC, Failed, NotPossible

_SELINUX = Path("/sys/fs/selinux/enforce")
#: has the new one say on its standard error that it waits for the lock
_TELLING = "-vbridge:console:err"
#: and what it says
WAITS = "another ovs-vswitchd process is running"


class Switch:
    """A running ovs-vswitchd, as the kernel knows it.

    Args:
        pid: Its process.
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
    def alive(self) -> bool:
        """Whether it runs; a zombie does not."""
        try:
            return self._text("stat").rpartition(")")[2].split()[0] not in "ZX"
        except (OSError, IndexError):
            return False

    def start_another(self, pidfile: Path, output) -> subprocess.Popen:
        """Start the installed program as this one was: arguments, environment, limits, priority, domain."""
        environment = dict(one.split("=", 1) for one in self._text("environ").split("\0") if "=" in one)
        program = shutil.which(self.arguments[0], path=environment.get("PATH") or os.defpath)
        if program is None:
            raise Failed(f"there is no {self.arguments[0]}")
        kept = [one for one in self.arguments[1:] if not one.startswith("--pidfile")]
        kept = [one for one in kept if one not in ("--detach", _TELLING)]
        try:
            return subprocess.Popen(
                [self.arguments[0], *kept, _TELLING, f"--pidfile={pidfile}", "--detach"],
                executable=program,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                preexec_fn=self._imitation(),  # noqa: PLW1509 - the program has one thread
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise NotPossible(f"a new switch cannot be started as the old one was: {error}") from error

    def domain(self) -> str:
        """What SELinux lets it do, "" without SELinux."""
        return self._text("attr/current").strip("\0\n") if _SELINUX.exists() else ""

    def _imitation(self) -> Callable[[], None]:
        kinds = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
        limits = {kind: resource.prlimit(self.pid, kind) for kind in set(kinds)}
        mask = next(line for line in self._text("status").splitlines() if line.startswith("Umask:"))
        priority, domain = os.getpriority(os.PRIO_PROCESS, self.pid), self.domain()

        def imitate() -> None:
            for kind, limit in limits.items():
                with contextlib.suppress(ValueError, OSError):
                    resource.setrlimit(kind, limit)
            os.umask(int(mask.split()[1], 8))
            os.setpriority(os.PRIO_PROCESS, 0, priority)
            if domain:
                Path("/proc/thread-self/attr/exec").write_text(domain, encoding="ascii")

        return imitate

    def _text(self, name: str) -> str:
        return (self._place / name).read_text(encoding="utf-8", errors="surrogateescape")
