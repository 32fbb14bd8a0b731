"""A host for each test, of which nothing stays."""

from __future__ import annotations

import contextlib
import os
import signal

import pytest

from .host import Host


@pytest.fixture
def host(request, tmp_path):
    """The host; a parameter is its first mode, "served" one with a database server."""
    mode = getattr(request, "param", "")
    place = Host(tmp_path, "" if mode == "served" else mode, served=mode == "served")
    yield place
    for pid in [*place.switches(), *place.servers()]:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
