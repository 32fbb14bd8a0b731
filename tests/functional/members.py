"""Real servers of a cluster side by side in one root directory, as modules reach those of containers.

They run in namespaces of their own: nothing of them is left when the test ends. What a module asks podman for
is answered from the processes: its `exec` enters the root, with the variables of that member.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.lab import settings
from tests.lab.enclosure import wait_for


class Members:
    """The members, by name, in a root of which the writes go to a scratch directory."""

    def __init__(self, holder: int):
        self._holder = holder
        self._settings: dict[str, dict[str, str]] = {}
        self._processes: dict[str, subprocess.Popen] = {}

    @property
    def root(self) -> Path:
        """The root directory, as this process reaches it."""
        return Path(f"/proc/{self._holder}/root")

    def add(self, name: str, **variables: str) -> None:
        """Make a member known, with the environment of its programs."""
        self._settings[name] = {"PATH": "/usr/lib/rabbitmq/bin:/usr/sbin:/usr/bin:/sbin:/bin", **variables}

    def command(self, name: str, argv: list[str]) -> list[str]:
        """What runs a program as in the container of a member."""
        target = ["--target", str(self._holder), "--mount", "--uts", "--net", "--pid", "--root", "--wd"]
        variables = [f"{key}={value}" for key, value in self._settings[name].items()]
        return ["nsenter", *target, "--", "/usr/bin/env", "-i", *variables, *argv]

    def exec(self, name: str, argv: list[str], *, check: bool = True) -> subprocess.CompletedProcess:
        """Run a program of a member and wait for it."""
        return subprocess.run(
            self.command(name, argv), capture_output=True, text=True, timeout=300, check=check
        )

    def start(self, name: str, argv: list[str]) -> None:
        """Start the server of a member."""
        log = (self.root / f"{name}.log").open("w")
        self._processes[name] = subprocess.Popen(self.command(name, argv), stdout=log, stderr=log)

    def stop(self, name: str) -> None:
        """Ask the server of a member to end, and wait for it."""
        for pid in self.pids(name)[:1]:
            subprocess.run(["kill", str(pid)], check=False)
        self._processes.pop(name).wait(60)

    def pids(self, name: str) -> list[int]:
        """The processes of a member's server, its first one first."""
        found: list[int] = []
        if name in self._processes and self._processes[name].poll() is None:
            new = _children(self._processes[name].pid)
            while new:
                found += new
                new = [child for pid in new for child in _children(pid)]
        return found

    def command_lines(self, name: str) -> str:
        """The command lines of a member's processes, as `podman top` prints them."""
        lines = []
        for pid in self.pids(name):
            with contextlib.suppress(OSError):
                lines.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
        return "\n".join(lines)

    def functions(self) -> dict[str, Callable]:
        """Salt's functions on such a machine; it has none of the members' programs itself."""
        return {
            "cmd.run_all": self.run_all,
            "cmd.has_exec": lambda name: False,
            "podman.process": lambda name: next(iter(self.pids(name)), 0),
        }

    def run_all(self, command: list[str], **_options: object) -> dict:
        """cmd.run_all on a machine whose podman runs the members."""
        engine, verb, *rest = command
        if engine != "podman":
            return {"retcode": 0, "stdout": "", "stderr": "", "pid": 0}
        if verb == "top":
            return {"retcode": 0, "stdout": self.command_lines(rest[0]), "stderr": "", "pid": 0}
        assert verb == "exec", command
        if not self.pids(rest[0]):
            return {"retcode": 125, "stdout": "", "stderr": "no such container", "pid": 0}
        done = self.exec(rest[0], rest[1:], check=False)
        return {"retcode": done.returncode, "stdout": done.stdout, "stderr": done.stderr, "pid": 0}


@contextlib.contextmanager
def members(root: Path, scratch: Path) -> Iterator[Members]:
    """Namespaces over a root directory, which itself is not written to; gone at the end with all in them."""
    upper = scratch / "upper"
    upper.mkdir()
    private = ["unshare", "--mount", "--propagation=private", "--net", "--uts", "--pid", "--fork"]
    inner = [sys.executable, "-m", "tests.lab.chroot", f"--lower={root}", str(upper)]
    ready = ["sh", "-c", "hostname lab; touch /ready; exec sleep 3600"]
    holder = subprocess.Popen([*private, "--kill-child", "--", *inner, *ready], cwd=settings.CHECKOUT)
    try:
        assert wait_for((upper / "ready").exists, 30), "the namespaces are not there"
        inside = _children(holder.pid)[0]
        network = ["nsenter", f"--target={inside}", "--net", "--"]
        subprocess.run([*network, "ip", "link", "set", "lo", "up"], check=True)
        yield Members(inside)
    finally:
        holder.kill()
        holder.wait()


def _children(pid: int) -> list[int]:
    """The processes that a process has started, by any of its threads."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            found += map(int, (thread / "children").read_text().split())
    return found
