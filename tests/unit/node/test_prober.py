"""The program that probes, against real sockets of this machine."""

from __future__ import annotations

import itertools
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time

import pytest

from openstack_rollout.node import prober

LOOPBACK = "127.0.0.1"


class Listener:
    """A port that takes connections, or none."""

    def __init__(self):
        self.open(0)
        self.port = self._socket.getsockname()[1]

    def open(self, port=None):
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((LOOPBACK, self.port if port is None else port))
        self._socket.listen(200)

    def close(self):
        self._socket.close()


@pytest.fixture
def listener():
    made = Listener()
    yield made
    made.close()


def plan(port, *addresses, interval=0.1, beat=0.3):
    guests = {f"g{number}": address for number, address in enumerate(addresses)}
    return {"guests": guests, "port": port, "interval": interval, "beat": beat}


class Program:
    """The program as a process. told: what it told so far."""

    def __init__(self, wanted, environment=None):
        self.process = subprocess.Popen(
            [sys.executable, prober.__file__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self.process.stdin.write(json.dumps(wanted) + "\n")
        self.process.stdin.flush()
        self.told = []

    def until(self, key):
        while line := self.process.stdout.readline():
            self.told.append(json.loads(line))
            if key in self.told[-1]:
                return self.told[-1]
        raise AssertionError(f"it ended without {key}: {self.told}")

    def end(self):
        self.process.stdin.close()
        self.told += [json.loads(line) for line in self.process.stdout.read().splitlines()]
        assert self.process.wait(60) == 0


def test_a_port_that_is_gone_for_a_while_is_a_gap_of_that_time(listener):
    program = Program(plan(listener.port, LOOPBACK))
    program.until("seen")
    gone = time.monotonic()
    listener.close()
    begun = program.until("gap")
    time.sleep(0.6)
    back = time.monotonic()
    listener.open()
    over = program.until("over")
    program.end()
    assert begun["gap"] == over["over"] == "g0" and not begun["first"]
    assert gone - 0.01 <= begun["at"] <= gone + 0.35 and back - 0.35 <= over["at"] <= back + 0.35
    sent, answered = program.told[-1]["counts"]["g0"]
    assert sent - answered == over["lost"] >= 3


def test_a_guest_that_never_answered_says_so_with_its_first_probe(listener):
    listener.close()
    program = Program(plan(listener.port, LOOPBACK))
    assert program.until("gap")["first"]
    program.end()
    listener.open()


def test_no_more_is_sent_than_there_may_be(listener):
    began = time.monotonic()
    program = Program(plan(listener.port, *["127.0.0.1"] * 1, interval=0.2))
    for _ in range(3):
        program.until("seen")
    program.end()
    took = time.monotonic() - began
    assert 2 <= program.told[-1]["counts"]["g0"][0] <= took / 0.2 + 1


def test_while_it_did_not_run_nobody_knows(listener):
    program = Program(plan(listener.port, LOOPBACK))
    program.until("seen")
    os.kill(program.process.pid, signal.SIGSTOP)
    stopped = time.monotonic()
    listener.close()
    time.sleep(3.5)
    listener.open()
    os.kill(program.process.pid, signal.SIGCONT)
    resumed = time.monotonic()
    since, until = program.until("unseen")["unseen"]
    program.until("seen")
    program.end()
    assert stopped - 0.6 <= since <= stopped + 0.6 and resumed - 0.1 <= until <= resumed + 1
    assert not [one for one in program.told if "over" in one]


def test_it_ends_with_whoever_started_it(listener):
    program = Program(plan(listener.port, LOOPBACK))
    program.until("seen")
    program.process.stdin.close()
    assert program.process.wait(60) == 0


def test_by_the_program_ping_where_there_are_no_ping_sockets(tmp_path):
    """Which gets a list of arguments, and whose exit status counts."""
    ping = tmp_path / "ping"
    ping.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$*" >> "$(dirname "$0")/asked"\ntest ! -e "$(dirname "$0")/down"\n'
    )
    ping.chmod(0o755)
    selector = selectors.DefaultSelector()
    one = prober.Ping(str(ping), selector)

    def sent():
        probe = prober.Probe(time.monotonic())
        one.send("203.0.113.7", probe)
        while probe.answered is None:
            for key, _ in selector.select(1):
                key.data()
        return probe.answered

    assert sent() is True
    (tmp_path / "down").touch()
    assert sent() is False
    assert (tmp_path / "asked").read_text().splitlines() == ["-n -q -c 1 -W 1 203.0.113.7"] * 2


def test_who_can_ping_by_no_way_is_told_why(monkeypatch, tmp_path):
    monkeypatch.setattr(
        socket, "socket", refuse := lambda *_: (_ for _ in ()).throw(PermissionError(13, "no"))
    )
    monkeypatch.setattr(prober.shutil, "which", lambda *_, **__: None)
    with selectors.DefaultSelector() as selector, pytest.raises(OSError, match="ping_group_range"):
        prober.way(LOOPBACK, None, selector)
    assert refuse


def test_of_a_file_it_writes_beside_it_and_ends_with_its_lease(listener, tmp_path):
    file = tmp_path / "audit"
    file.write_text(json.dumps(plan(listener.port, LOOPBACK)))
    process = subprocess.Popen([sys.executable, prober.__file__, str(file)])
    output = file.with_suffix(".out")
    end = time.monotonic() + 20
    while not (output.exists() and '"seen"' in output.read_text()):
        assert time.monotonic() < end
        time.sleep(0.05)
    os.utime(file, (time.time() - 2 * prober.LEASE,) * 2)
    assert process.wait(60) == 0
    process = subprocess.Popen([sys.executable, prober.__file__, str(file)])
    file.unlink()
    assert process.wait(60) in (0, 1)  # it may not even have read it


class Simulated:
    """Stands in for time and selector: waiting takes no time. sent: when something was, and to whom."""

    def __init__(self):
        self.now, self.sent = 1000.0, []

    def monotonic(self):
        return self.now

    def select(self, timeout):
        self.now += timeout + 1e-6
        return []

    def send(self, address, probe):
        self.sent.append((self.now, address))
        probe.answered = True


@pytest.mark.parametrize("late", [0.0, 1.0, 60.0])
def test_also_after_it_was_held_up_no_more_is_sent_in_a_second(monkeypatch, late):
    world, told = Simulated(), []
    monkeypatch.setattr(prober, "time", world)
    monkeypatch.setattr(prober, "way", lambda *_: world)
    addresses = [f"203.0.113.{number}" for number in range(20)]
    made = prober.Prober(plan(None, *addresses, interval=2.0), told.append)
    made.selector = world
    for _ in range(2):
        end = world.now + 20
        while world.now < end:
            made.step()
        world.now += late
    times = [at for at, _ in world.sent]
    assert min(after - before for before, after in itertools.pairwise(times)) > 2.0 / 20 - 1e-3
    assert len(times) == pytest.approx(40 / 0.1, abs=3)
    assert [address for _, address in world.sent[:20]] == addresses
    assert [one for one in told if "unseen" in one] == (
        [] if late < 3 else [{"unseen": [pytest.approx(1020, abs=1), pytest.approx(1080, abs=1)]}]
    )
