"""A program without a limit on its time, and with one on standing still: how much it has moved is what the
kernel counts for it and for what it started (proc(5), /proc/PID/io).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import sockets
from openstack_rollout.node.commands import Result
from openstack_rollout.records import processes

_PROC = Path("/proc")
_COUNTED = ("rchar", "wchar")
# Less than that within the limit is no progress: a runtime wakes up by reading from itself.
_LEAST = 1024
_ENDS_IN = 10  # seconds from the request to end until a program is killed
_EVERY = 0.5


class Stopped(Exception):
    """A program that was ended, since it stood still or `stop` said so.

    moved (int): bytes that it had read and written. peers (list): "address:port" to which it had connections.
    why (str): what `stop` said, "" for one that stood still.
    """

    def __init__(self, moved: int, peers: list[str], why: str = ""):
        self.moved, self.peers, self.why = moved, peers, why
        super().__init__(why or "it stood still")


class Limits(NamedTuple):
    """When a program is ended.

    stall (float): seconds without progress. stop (callable): asked now and then; says why the program has to
    end, "" to go on.
    """

    stall: float
    stop: Callable[[], str] = lambda: ""


def run(
    command: Sequence[str],
    limits: Limits,
    env: Mapping[str, str] | None = None,
    descriptors: Sequence[int] = (),
) -> Result:
    """Run a program, for as long as it gets on. It ends with the process that called this.

    command (list): the program and its arguments. limits (Limits). env (dict): variables that are set on top
    of the minion's own. descriptors (list): open files that it inherits.

    Returns how it ended. Raises Stopped when it was ended, with all that it started; CommandExecutionError
    when there is no such program.
    """
    if shutil.which(command[0]) is None:
        raise CommandExecutionError(f"{command[0]} is not installed")
    setpriv = shutil.which("setpriv")
    process = subprocess.Popen(
        [*((setpriv, "--pdeathsig", "TERM") if setpriv else ()), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(env or {})},
        start_new_session=True,
        pass_fds=descriptors,
        text=True,
        errors="replace",
    )
    try:
        stdout, stderr = _wait(process, limits)
    finally:
        _end(process)
    return Result(process.returncode, stdout, stderr)


def _wait(process: subprocess.Popen[str], limits: Limits) -> tuple[str, str]:
    """What the program printed, once it has ended."""
    mark, since = 0, time.monotonic()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=min(_EVERY, limits.stall / 2))
        moved, now = _moved(process.pid), time.monotonic()
        # What a process counted that ended is missing until its parent has taken note of that.
        if abs(moved - mark) >= _LEAST:
            mark, since = moved, now
        why = limits.stop()
        if why or now - since >= limits.stall:
            raise Stopped(moved, _peers(process.pid), why)


def _end(process: subprocess.Popen[str]) -> None:
    """End a program and all of its session. What hangs in the kernel is not waited for."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        left = _session(process.pid)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
        until = time.monotonic() + _ENDS_IN
        while _session(process.pid) and time.monotonic() < until:
            process.poll()
            time.sleep(0.05)
    process.poll()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


def _session(leader: int) -> list[int]:
    """The processes of a session that live."""
    return [one.pid for one in processes.all_of_them() if one.session == leader]


def _moved(leader: int) -> int:
    """The bytes that a session has read and written; those of its processes that ended are their parents'."""
    total = 0
    for pid in _session(leader):
        with contextlib.suppress(OSError):
            lines = (_PROC / str(pid) / "io").read_text(encoding="ascii").splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.split(":")[0] in _COUNTED)
    return total


def _peers(leader: int) -> list[str]:
    """The addresses to which a session has connections, or is making them."""
    found: set[str] = set()
    for pid in _session(leader):
        process = _PROC / str(pid)
        own = sockets.opened(process)
        for protocol in ("tcp", "tcp6"):
            rows = sockets.table(process, protocol, sockets.CONNECTED, sockets.CONNECTING)
            found |= {str(one.peer) for one in rows if one.inode in own}
    return sorted(found)
