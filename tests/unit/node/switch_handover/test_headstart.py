"""The new switch is held in its first sleep, until the old one has ended."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from openstack_rollout.node.switch_handover import headstart
from openstack_rollout.node.switch_handover.process import Process

from .host import wait_for

#: waits in poll() for a byte, sleeps as often as it is told, makes a file
SWITCH = """
import pathlib, select, sys, time
poll = select.poll()
poll.register(0, select.POLLIN)
poll.poll()
for _ in range(int(sys.argv[2])):
    time.sleep(1)
pathlib.Path(sys.argv[1]).touch()
poll.poll() and sys.stdin.read()
"""


class Switch:
    def __init__(self, place: Path, sleeps: int):
        self.opened = place / "opened"
        words = [sys.executable, "-c", SWITCH, str(self.opened), str(sleeps)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE)
        self.known = Process(self.process.pid)
        wait_for(lambda: "poll" in self.waits_in())

    def waits_in(self) -> str:
        return Path(f"/proc/{self.process.pid}/wchan").read_text()

    def unlock(self) -> None:
        self.process.stdin.write(b"x")
        self.process.stdin.flush()


@pytest.fixture
def switch(request, tmp_path):
    one = Switch(tmp_path, request.param)
    yield one
    one.process.kill()
    one.process.wait()


@pytest.mark.parametrize("switch", [1], indirect=True)
def test_it_opens_nothing_before_the_body_is_done(switch, monkeypatch):
    if "poll" not in switch.waits_in():
        pytest.skip("this kernel does not tell what a process waits in")
    monkeypatch.setattr(headstart, "_CERTAIN", 0.8)
    with headstart.given(switch.known, switch.unlock):
        assert switch.known.state == "T"
        time.sleep(1.2)  # longer than it would have slept
        assert not switch.opened.exists()
    assert wait_for(switch.opened.exists)


@pytest.mark.parametrize("switch", [0], indirect=True)
def test_one_that_does_not_sleep_may_have_started(switch, monkeypatch):
    if "poll" not in switch.waits_in():
        pytest.skip("this kernel does not tell what a process waits in")
    monkeypatch.setattr(headstart, "_PATIENCE", 0.3)
    with (
        pytest.raises(headstart.Missed, match="does not start"),
        headstart.given(switch.known, switch.unlock),
    ):
        pytest.fail("the old switch would have been ended")


@pytest.mark.parametrize("switch", [1], indirect=True)
def test_where_the_kernel_does_not_tell_it_begins_after_the_body(switch, monkeypatch):
    monkeypatch.setattr(headstart, "_waits_in", lambda process: "0")
    with headstart.given(switch.known, switch.unlock):
        assert not switch.opened.exists() and switch.known.state == "S"
    assert wait_for(switch.opened.exists)


@pytest.mark.parametrize("switch", [1], indirect=True)
def test_without_a_head_start_it_begins_after_the_body(switch):
    with headstart.given(switch.known, switch.unlock, early=False):
        assert not switch.opened.exists() and switch.known.state == "S"
    assert wait_for(switch.opened.exists)
