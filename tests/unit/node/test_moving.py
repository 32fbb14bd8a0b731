"""moving: programs that get on, that stand still, and what is left of those that are ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openstack_rollout.node import moving
from openstack_rollout.node.moving import Limits, Stopped

UTILS = Path(moving.__file__).parents[2]


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


@pytest.fixture
def silent():
    """A server that accepts connections and never answers; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def lives(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def until_gone(pid: int) -> bool:
    end = time.monotonic() + 20
    while lives(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not lives(pid)


def test_what_a_program_prints_and_how_it_ends():
    program = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    assert moving.run(python(program), Limits(30)) == (3, "out\n", "err\n", False)


def test_a_program_that_gets_on_slowly_is_not_ended():
    slow = "import time\nfor _ in range(8): time.sleep(0.5); open('/dev/zero', 'rb').read(2048)"
    assert moving.run(python(slow), Limits(2)).retcode == 0


def test_what_its_children_move_counts():
    child = "import time\nfor _ in range(8): time.sleep(0.5); open('/dev/zero', 'rb').read(2048)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert moving.run(python(parent), Limits(2)).retcode == 0


def test_a_program_that_waits_for_a_silent_server_is_ended_and_the_server_named(silent):
    waits = f"import socket; socket.create_connection(('127.0.0.1', {silent})).recv(1)"
    with pytest.raises(Stopped) as stopped:
        moving.run(python(waits), Limits(1))
    assert stopped.value.peers == [f"127.0.0.1:{silent}"] and stopped.value.why == ""


def test_a_program_that_stands_still_without_a_connection_has_no_peers():
    with pytest.raises(Stopped) as stopped:
        moving.run(["sleep", "100"], Limits(1))
    assert stopped.value.peers == []


def test_what_it_started_ends_with_it_also_what_refuses_to(tmp_path, monkeypatch):
    monkeypatch.setattr(moving, "_ENDS_IN", 1.0)
    pids = tmp_path / "pids"
    program = f"trap '' TERM; sleep 100 & echo $! $$ > {pids}; wait"
    monotonic = time.monotonic()
    with pytest.raises(Stopped):
        moving.run(["sh", "-c", program], Limits(1))
    assert all(not lives(int(pid)) for pid in pids.read_text().split())
    assert time.monotonic() - monotonic < 60


def test_it_is_ended_when_it_is_told_to():
    with pytest.raises(Stopped) as stopped:
        moving.run(["sleep", "100"], Limits(60, lambda: "no room"))
    assert stopped.value.why == "no room"


def test_it_does_not_outlive_the_process_that_waits_for_it(tmp_path):
    pid = tmp_path / "pid"
    waits = f"""
import sys
sys.path.insert(0, {str(UTILS)!r})
from openstack_rollout.node import moving
moving.run(["sh", "-c", "echo $$ > {pid}; exec sleep 100"], moving.Limits(90))
"""
    with subprocess.Popen(python(waits)) as parent:
        end = time.monotonic() + 30
        while not (pid.exists() and pid.read_text().strip()) and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(parent.pid, signal.SIGKILL)
    assert until_gone(int(pid.read_text()))


def test_a_program_that_is_not_there():
    with pytest.raises(moving.CommandExecutionError):
        moving.run(["no-such-program"], Limits(1))
