"""A host or a daemon for each test, of which nothing stays."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

import pytest

from .host import Host

#: nicer than usual; for each byte that it reads, one more thread that waits
_DAEMON = """
import os, sys, threading
os.nice(5)
os.write(1, b"+")
while sys.stdin.buffer.read(1):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
"""


@pytest.fixture
def daemon():
    """A process that has one thread more for each byte it is sent."""
    process = subprocess.Popen(
        [sys.executable, "-c", _DAEMON], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert process.stdout.read(1)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def host(request, tmp_path):
    """The host; a parameter is its first mode, "served" one with a database server."""
    mode = getattr(request, "param", "")
    place = Host(tmp_path, "" if mode == "served" else mode, served=mode == "served")
    yield place
    for pid in [*place.switches(), *place.servers()]:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
