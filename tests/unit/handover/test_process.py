"""A running daemon, as the kernel knows it."""

from __future__ import annotations

import subprocess
import sys

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


def test_one_that_was_not_waited_for_has_ended_all_the_same(daemon):
    known = Process(daemon.pid)
    daemon.stdin.write(b"xx")
    assert known.alive and not known.gone
    daemon.kill()
    assert wait_for(lambda: known.gone) and not known.alive
    assert known.state == "Z"
