"""Probe addresses again and again, and tell from when to when they did not answer.

A program of its own, of the standard library alone, so that neither a busy engine nor a restart of Salt is
taken for a gap of a guest:

    PYTHON prober.py            the plan is the first line of stdin; it ends with stdin
    PYTHON prober.py FILE       the plan is FILE; lines go to FILE.out; it ends once FILE is old (its lease)

What it writes are JSON lines, a mapping each; times are seconds of the host's monotonic clock:

    {"seen": TIME, "counts": {key: [sent, answered]}}    all that was sent before that is judged
    {"gap": key, "at": TIME, "first": whether it is the first probe of all, "counts": …}
    {"over": key, "at": TIME, "lost": how many, "counts": …}    that probe was answered again
    {"unseen": [TIME, TIME]}    nothing was sent meanwhile: this program did not run
    {"failed": why nothing can be probed}
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import selectors
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

ANSWER = 1.0  # seconds in which a probe has to be answered
LEASE = 120.0  # seconds after which nobody is thought to read any more
_STALLED = 2.0  # seconds late from which on nobody probed, rather than somebody a little later
_LOOK = 0.5


class Probe:
    """A probe: when it was sent, whether it was answered (None: nobody knows). ends: frees what it has."""

    def __init__(self, sent: float):
        self.sent = sent
        self.answered: bool | None = None
        self.ends: Callable[[], None] = lambda: None


class Guest:
    """An address, its probes that are not judged yet, in order, and what became of the others."""

    def __init__(self, key: str, address: str):
        self.key, self.address = key, address
        self.waiting: deque[Probe] = deque()
        self.sent = self.answered = self.lost = 0
        self.fresh = True  # no probe is judged yet, since somebody probes

    def judged(self, now: float) -> list[dict[str, Any]]:
        """Judge the oldest probes, as far as that can be done now; returns what is to be told."""
        told: list[dict[str, Any]] = []
        while self.waiting:
            probe = self.waiting[0]
            if probe.answered is None and now - probe.sent < ANSWER:
                break
            self.waiting.popleft().ends()
            self.sent += 1
            self.answered += bool(probe.answered)
            counts = {self.key: [self.sent, self.answered]}
            if probe.answered and self.lost:
                told.append({"over": self.key, "at": probe.sent, "lost": self.lost, "counts": counts})
                self.lost = 0
            elif not probe.answered:
                self.lost += 1
                if self.lost == 1:
                    told.append({"gap": self.key, "at": probe.sent, "first": self.fresh, "counts": counts})
            self.fresh = False
        return told

    def begin_anew(self) -> None:
        """Forget what was under way: nobody probed for a while."""
        while self.waiting:
            self.waiting.popleft().ends()
        self.lost, self.fresh = 0, True


class Tcp:
    """Probes by a TCP connection: what refuses it is lost, too."""

    def __init__(self, port: int, selector: selectors.BaseSelector):
        self._port = port
        self._selector = selector

    def send(self, address: str, probe: Probe) -> None:
        """Send a probe, which notes its answer by itself."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        one = socket.socket(family, socket.SOCK_STREAM)
        one.setblocking(False)
        probe.ends = lambda: _end(self._selector, one)
        try:
            one.connect((address, self._port))
        except BlockingIOError:
            self._selector.register(one, selectors.EVENT_WRITE, lambda: self._connected(one, probe))
            return
        except OSError:
            probe.answered = False
            return
        probe.answered = True

    def _connected(self, one: socket.socket, probe: Probe) -> None:
        probe.answered = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        _end(self._selector, one)


class Icmp:
    """Probes by ICMP echo through a ping socket, which needs no root (net.ipv4.ping_group_range)."""

    def __init__(self, six: bool, selector: selectors.BaseSelector):
        """Raise OSError where the kernel does not let us."""
        self._request, self._reply = (128, 129) if six else (8, 0)
        family, protocol = (
            (socket.AF_INET6, socket.getprotobyname("ipv6-icmp"))
            if six
            else (socket.AF_INET, socket.IPPROTO_ICMP)
        )
        self._socket = socket.socket(family, socket.SOCK_DGRAM, protocol)
        self._socket.setblocking(False)
        self._number = 0
        self._waiting: dict[tuple[str, int], Probe] = {}
        selector.register(self._socket, selectors.EVENT_READ, self._received)

    def send(self, address: str, probe: Probe) -> None:
        """Send a probe, which notes its answer by itself."""
        self._number = (self._number + 1) % 65_536
        key = (str(ipaddress.ip_address(address)), self._number)
        self._waiting[key] = probe
        probe.ends = lambda: self._forget(key)
        # The kernel fills in identifier and checksum.
        try:
            self._socket.sendto(struct.pack("!BBHHH", self._request, 0, 0, 0, self._number), (address, 0))
        except OSError:  # no route, or nothing may leave: nobody gets an answer so
            probe.answered = False

    def _forget(self, key: tuple[str, int]) -> None:
        self._waiting.pop(key, None)

    def _received(self) -> None:
        while True:
            try:
                data, sender = self._socket.recvfrom(1500)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of some address: its probe gets no answer
                continue
            if len(data) >= 8 and data[0] == self._reply:
                number = struct.unpack("!H", data[6:8])[0]
                if probe := self._waiting.get((str(ipaddress.ip_address(sender[0])), number)):
                    probe.answered = True


class Ping:
    """Probes by ICMP echo through the program ping, where ping sockets are not for us."""

    def __init__(self, program: str, selector: selectors.BaseSelector):
        self._program = program
        self._selector = selector

    def send(self, address: str, probe: Probe) -> None:
        """Send a probe, which notes its answer by itself."""
        command = [self._program, "-n", "-q", "-c", "1", "-W", "1", address]
        nothing = subprocess.DEVNULL
        try:
            process = subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing)
        except OSError:
            probe.answered = False
            return
        ended = os.pidfd_open(process.pid)

        def done() -> None:
            self._selector.unregister(ended)
            os.close(ended)
            probe.answered = process.wait() == 0
            probe.ends = lambda: None

        def kill() -> None:
            process.kill()
            done()

        self._selector.register(ended, selectors.EVENT_READ, done)
        probe.ends = kill


def _end(selector: selectors.BaseSelector, one: socket.socket) -> None:
    with contextlib.suppress(KeyError, ValueError):  # it was never waited for, or is closed
        selector.unregister(one)
    one.close()


def way(address: str, port: int | None, selector: selectors.BaseSelector) -> Tcp | Icmp | Ping:
    """How addresses of that kind are probed. Raises OSError where they cannot be."""
    if port is not None:
        return Tcp(port, selector)
    try:
        return Icmp(":" in address, selector)
    except OSError as error:
        if program := shutil.which(
            "ping", path=os.environ.get("PATH", "") + ":/usr/bin:/bin:/usr/sbin:/sbin"
        ):
            return Ping(program, selector)
        raise OSError(
            f"ICMP: no ping sockets (net.ipv4.ping_group_range: {error.strerror}), no ping"
        ) from error


class Prober:
    """Probes guests one after the other, so that never more are sent in a second than there may be.

    plan: {"guests": {key: address}, "port": of TCP, null for ICMP, "interval": seconds from one probe of an
    address to the next, "beat": seconds from one word of all to the next}. tell: takes what is told.
    """

    def __init__(self, plan: dict[str, Any], tell: Callable[[dict[str, Any]], None]):
        self._beat = float(plan["beat"])
        self._tell = tell
        self.selector = selectors.DefaultSelector()
        now = time.monotonic()
        self._apart = float(plan["interval"]) / len(plan["guests"])
        self._due, self._next = now, 0
        self._guests = [Guest(key, address) for key, address in plan["guests"].items()]
        self._ways: dict[bool, Tcp | Icmp | Ping] = {}
        for guest in self._guests:
            six = ":" in guest.address
            if six not in self._ways:
                self._ways[six] = way(guest.address, plan["port"], self.selector)
        self._beats = self._looked = now

    def step(self) -> None:
        """Wait for what comes next, and do it."""
        now = time.monotonic()
        late = now - self._looked - _LOOK
        if late > _STALLED:
            self._tell({"unseen": [self._looked, now]})
            for guest in self._guests:
                guest.begin_anew()
        self._looked = now
        if self._due <= now:
            self._send(self._guests[self._next], now)
            self._next = (self._next + 1) % len(self._guests)
            self._due += self._apart
            if self._due <= now:  # what was not sent in time is not made up for
                self._due = now + self._apart
        following = min(self._due, now + _LOOK)
        for key, _ in self.selector.select(max(following - time.monotonic(), 0.0)):
            key.data()
        now = time.monotonic()
        for guest in self._guests:
            for told in guest.judged(now):
                self._tell(told)
        if now - self._beats >= self._beat:
            self._beats = now
            self.beat()

    def _send(self, guest: Guest, now: float) -> None:
        probe = Probe(now)
        guest.waiting.append(probe)
        self._ways[":" in guest.address].send(guest.address, probe)

    def beat(self) -> None:
        """Tell how far all is seen, and how many probes there were."""
        waiting = [guest.waiting[0].sent for guest in self._guests if guest.waiting]
        counts = {guest.key: [guest.sent, guest.answered] for guest in self._guests}
        self._tell({"seen": min([time.monotonic(), *waiting]), "counts": counts})


def main(arguments: list[str]) -> int:
    """Probe until nobody wants it any more. arguments: of the command line. Returns the exit status."""
    if arguments:
        return _for_a_file(Path(arguments[0]))
    plan = json.loads(sys.stdin.buffer.readline())
    ended: list[bool] = []
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        _probe(
            plan,
            sys.stdout,
            lambda: bool(ended),
            lambda selector: selector.register(
                0, selectors.EVENT_READ, lambda: None if os.read(0, 4096) else ended.append(True)
            ),
        )
    return 0


def _for_a_file(file: Path) -> int:
    plan = json.loads(file.read_text(encoding="utf-8"))

    def ended() -> bool:
        try:
            return time.time() - file.stat().st_mtime > LEASE
        except FileNotFoundError:
            return True

    with file.with_suffix(".out").open("a", encoding="utf-8") as output:
        _probe(plan, output, ended, lambda _: None)
    return 0


def _probe(
    plan: dict[str, Any],
    output: TextIO,
    ended: Callable[[], bool],
    prepare: Callable[[selectors.BaseSelector], Any],
) -> None:
    def tell(told: dict[str, Any]) -> None:
        output.write(json.dumps(told) + "\n")
        output.flush()

    try:
        prober = Prober(plan, tell)
    except OSError as error:
        tell({"failed": str(error)})
        return
    prepare(prober.selector)
    while not ended():
        prober.step()
    prober.beat()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
