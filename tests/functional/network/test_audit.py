"""Gaps of a real guest in a network namespace, against what the program ping saw of them at the same time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from functools import partial
from itertools import pairwise

import pytest

from openstack_rollout.declared.audit import Audit
from openstack_rollout.node import prober
from openstack_rollout.on_salt import probing
from openstack_rollout.records.audits import Audits
from openstack_rollout.rollout.auditing import Auditor
from tests.unit.simulated_fleet import MemoryStore

RUN, PORT = "20261130-120000-abcd", 8080
#: Of those that are for such tests (RFC 2544): no network of this machine is disturbed.
MASTER, GUEST = "198.18.77.1", "198.18.77.2"
INTERVAL, EVERY = 0.2, 0.1  # seconds: of our probes, of those beside them
BUSY = 0.4  # by which either is late where the machine has much to do
_SERVES = (
    "import socket\ns = socket.create_server(('', 8080), backlog=500)\nwhile True: s.accept()[0].close()"
)
#: The program as nobody, who may not read where it is: that is done before.
_AS_NOBODY = """
import os, runpy, sys
program = runpy.run_path(sys.argv[1])
os.setgroups([]), os.setgid(65534), os.setuid(65534)
sys.exit(program["main"]([]))
"""
_ANSWER = re.compile(r"^\[(?P<at>[0-9.]+)\] .*icmp_seq=(?P<number>\d+) ttl=", re.M)


class Namespace:
    """A guest that answers pings, and serves a port."""

    def __init__(self, name):
        self.name, self._server = name, None
        port = f"v{os.getpid()}"
        run(["ip", "netns", "add", name])
        run(["ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name])
        run(["ip", "address", "add", f"{MASTER}/30", "dev", port])
        run(["ip", "link", "set", port, "up"])
        run(["ip", "-netns", name, "address", "add", f"{GUEST}/30", "dev", "eth0"])
        for link in ("lo", "eth0"):
            run(["ip", "-netns", name, "link", "set", link, "up"])

    def command(self, *command):
        return ["ip", "netns", "exec", self.name, *command]

    def deaf(self, deaf):
        run(self.command("sysctl", "-qw", f"net.ipv4.icmp_echo_ignore_all={deaf:d}"))

    def serve(self):
        self._server = subprocess.Popen(self.command(sys.executable, "-c", _SERVES))
        end = time.monotonic() + 60
        listening = self.command("ss", "-Hltn", f"sport = :{PORT}")
        while not subprocess.run(listening, capture_output=True, check=True).stdout:
            assert time.monotonic() < end
            time.sleep(0.02)

    def stop(self):
        if self._server:
            self._server.kill()
            self._server.wait()
            self._server = None

    def remove(self):
        self.stop()
        run(["ip", "netns", "delete", self.name])


class Beside:
    """The program ping, ten times a second. gaps: (begun, ended) of answers that were apart."""

    def __init__(self):
        command = ["ping", "-D", "-n", "-i", str(EVERY), GUEST]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def gaps(self):
        self._process.terminate()
        answers = [
            (float(one["at"]), int(one["number"])) for one in _ANSWER.finditer(self._process.communicate()[0])
        ]
        assert len(answers) > 10
        return [
            (before, after) for (before, number), (after, next_) in pairwise(answers) if next_ - number > 2
        ]


def run(command):
    subprocess.run(command, check=True)


@pytest.fixture
def guest():
    made = Namespace(f"audit-{os.getpid()}")
    try:
        yield made
    finally:
        made.remove()


def audited(audit, doing):
    """What was written of a guest that was probed while a test did something."""
    audits = Audits(MemoryStore())
    open_ = partial(probing.here, {"port": audit.tcp_port})
    auditor = Auditor(RUN, audit, audits, lambda _: {}, open_)
    auditor.start()
    try:
        time.sleep(3)
        doing()
        time.sleep(3)
    finally:
        auditor.close()
    (found,) = audits.guests(RUN).values()
    return found, audits.probed(RUN)


def test_gaps_of_pings_are_those_that_ping_sees(guest):
    beside = Beside()

    def interrupted():
        for seconds in (2.0, 0.7):
            guest.deaf(True)
            time.sleep(seconds)
            guest.deaf(False)
            time.sleep(1.5)

    found, probed = audited(Audit(addresses=[GUEST], interval=INTERVAL), interrupted)
    seen = beside.gaps()
    told = [(one.begun, one.ended) for one in found.gaps]
    print(f"ours {told}, those of ping {seen}")
    assert len(told) == len(seen) == 2
    for (begun, ended), (before, after) in zip(told, seen, strict=True):
        # Ours is from probe to probe, that of ping from answer to answer.
        assert before - BUSY <= begun <= before + EVERY + INTERVAL + BUSY
        assert after - EVERY - BUSY <= ended <= after + INTERVAL + BUSY
    ((since, until),) = probed.stretches
    assert found.sent == pytest.approx((until - since) / INTERVAL, rel=0.2)
    assert found.sent - found.answered == sum(one.lost for one in found.gaps)


def test_a_service_that_stops_is_a_gap_although_its_guest_answers(guest):
    guest.serve()
    beside, times = Beside(), []

    def restarted():
        times.append(time.time())
        guest.stop()
        time.sleep(1.5)
        times.append(time.time())
        guest.serve()
        times.append(time.time())

    found, _ = audited(Audit(addresses=[GUEST], tcp_port=PORT, interval=INTERVAL), restarted)
    assert beside.gaps() == []
    (gap,) = found.gaps
    print(f"ours {(gap.begun, gap.ended)}, stopped and started {times}")
    assert times[0] - BUSY <= gap.begun <= times[0] + INTERVAL + BUSY
    assert times[1] - BUSY <= gap.ended <= times[2] + INTERVAL + BUSY  # it takes its time to start


def test_a_link_that_is_down_is_a_gap_of_both_kinds(guest):
    guest.serve()
    beside = Beside()

    def cut():
        run(["ip", "-netns", guest.name, "link", "set", "eth0", "down"])
        time.sleep(2)
        run(["ip", "-netns", guest.name, "link", "set", "eth0", "up"])

    found, _ = audited(Audit(addresses=[GUEST], tcp_port=PORT, interval=INTERVAL), cut)
    ((before, after),) = beside.gaps()
    (gap,) = found.gaps
    print(f"ours {(gap.begun, gap.ended)}, that of ping {(before, after)}")
    assert before - BUSY <= gap.begun <= before + EVERY + INTERVAL + BUSY
    assert after - 0.5 <= gap.ended <= after + 1.5  # the neighbour is looked for at most once a second


def test_a_ping_socket_needs_no_root(guest):
    run(guest.command("sysctl", "-qw", "net.ipv4.ping_group_range=65534 65534"))
    program = subprocess.Popen(
        guest.command("env", "PATH=/nonexistent", sys.executable, "-c", _AS_NOBODY, prober.__file__),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    plan = {"guests": {"g": MASTER}, "port": None, "interval": INTERVAL, "beat": 0.5}
    program.stdin.write(json.dumps(plan) + "\n")
    program.stdin.flush()
    told = [json.loads(program.stdout.readline()) for _ in range(3)]
    program.stdin.close()
    assert program.wait(10) == 0
    assert all("seen" in one for one in told), told
    sent, answered = told[-1]["counts"]["g"]
    assert sent == answered > 3
