"""A running daemon, as the kernel knows it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from openstack_rollout.switch_handover.process import Process

from .host import wait_for

#: for each byte that it reads, one more thread that waits
DAEMON = """
import sys, threading
while sys.stdin.buffer.read(1):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
"""


@pytest.fixture
def daemon():
    process = subprocess.Popen([sys.executable, "-c", DAEMON], stdin=subprocess.PIPE, bufsize=0)
    yield process
    process.kill()
    process.wait()


def priorities(pid: int) -> set[int]:
    threads = [int(place.name) for place in Path(f"/proc/{pid}/task").iterdir()]
    return {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root raises priorities")
def test_what_was_started_in_a_hurry_has_the_usual_priority_afterwards(daemon):
    usual = priorities(daemon.pid)
    with Process(daemon.pid).hurried():
        assert priorities(daemon.pid) == {-20}
        daemon.stdin.write(b"x")
        assert wait_for(lambda: len(list(Path(f"/proc/{daemon.pid}/task").iterdir())) == 2)
        assert priorities(daemon.pid) == {-20}
    assert priorities(daemon.pid) == usual


def test_one_that_was_not_waited_for_has_ended_all_the_same(daemon):
    known = Process(daemon.pid)
    daemon.stdin.write(b"xx")
    assert known.alive and not known.gone
    daemon.kill()
    assert wait_for(lambda: known.gone) and not known.alive
    assert known.state == "Z"
