"""What the bridges of a switch hold, read from the old one and ready to be sent to the new one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import tempfile
import termios
import time

from openstack_rollout.node.switch_handover import PROC, Failed, printed, run

#: Characters of the last command that ovs-ofctl gets before `send`: less than a word. If this program is
#: killed, ovs-ofctl has no complete command, and sends nothing at all.
_WITHHELD = 3
_VERSION = "OpenFlow15"  # knows all there is to save


class Feeder:
    """An ovs-ofctl that parses commands for a bridge's switch now, and sends them when `send` is called.

    Args:
        bridge: The bridge's name.
        commands: Of `ovs-ofctl bundle`: all of them take effect, or none.
    """

    def __init__(self, bridge: str, commands: list[str]) -> None:
        self._bridge = bridge
        self._rest = commands[-1][_WITHHELD:] + "\n"
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the object
        out, into = os.pipe()
        command = ["ovs-ofctl", "-O", _VERSION, "--no-names", "bundle", bridge, "-"]
        self._process = subprocess.Popen(command, stdin=out, stdout=self._said, stderr=self._said)
        os.close(out)
        self._input = os.fdopen(into, "w")
        try:
            self._input.write("\n".join([*commands[:-1], commands[-1][:_WITHHELD]]))
            self._input.flush()
        except OSError as error:
            raise self._failure() from error

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def parsed(self) -> bool:
        """Whether it took in everything, and waits for more."""
        if self._process.poll() is not None:
            raise self._failure()
        unread = int.from_bytes(fcntl.ioctl(self._input, termios.FIONREAD, bytes(4)), sys.byteorder)
        state = (PROC / str(self._process.pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2]
        return not unread and state.split()[0] == "S"

    def send(self) -> None:
        """Have it send everything; it connects only now."""
        if not self._input.closed:
            self._input.write(self._rest)
            self._input.close()

    def end(self) -> str:
        """Send, and wait for the switch's answer; "" when it took everything, else what it refused."""
        self.send()
        return "" if self._process.wait() == 0 else str(self._failure())

    def drop(self) -> None:
        """End it. It has sent nothing unless `send` was called."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            self._input.close()

    def _failure(self) -> Failed:
        self._process.wait()
        return Failed(f"the flows of {self._bridge} were not taken: {printed(self._said)[-300:]}")


class Bridge:
    """A bridge's flows, groups, meters and tunnel options, read from the old switch for the new one.

    Args:
        name: Its name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._content: tuple = ()
        self._feeder: Feeder | None = None
        self.read()

    def read(self) -> bool:
        """Read all of it; returns whether something changed since the last time."""
        before = self._content
        flows = [_parseable(line) for line in _lines(self._ofctl("--no-names", "--no-stats", "dump-flows"))]
        groups = _lines(self._ofctl("dump-groups"))
        table = [line.split() for line in self._ofctl("dump-tlv-map").splitlines() if " 0x" in line]
        options = ",".join(f"{{class={o[0]},type={o[1]},len={o[2]}}}->{o[3]}" for o in table)
        self._content = (options, _meters(self._ofctl("dump-meters")), groups, flows)
        return _unordered(self._content) != _unordered(before)

    @property
    def flows(self) -> int:
        """How many flows it has."""
        return len(self._content[3])

    @property
    def feeder(self) -> int | None:
        """The process of the ovs-ofctl that `feed` started, None without one."""
        return self._feeder.pid if self._feeder else None

    def feed(self) -> None:
        """Have an ovs-ofctl parse the commands that restore groups and flows."""
        self.drop()
        # A new bridge without a controller has a flow of its own, which the old one may not have had.
        begin = ["flow delete_strict table=0,priority=0"]
        groups, flows = self._content[2:]
        self._feeder = Feeder(
            self.name,
            [*begin, *(f"group add {one}" for one in groups), *(f"flow add {one}" for one in flows)],
        )

    def parsed(self) -> bool:
        """Whether the commands of `feed` are parsed."""
        return self._feeder is None or self._feeder.parsed()

    def begin(self) -> None:
        """Send everything to the new switch, what flows refer to first; `end` waits for the flows."""
        options, meters = self._content[:2]
        if options:
            self._repeated("add-tlv-map", options)
        for meter in meters:
            self._repeated("add-meter", meter)
        if self._feeder:
            self._feeder.send()

    def end(self) -> str:
        """Wait for the flows; "" when all are in, else what the switch refused. The others are in then."""
        refused = self._feeder.end() if self._feeder else ""
        if refused:
            for verb, entries in zip(("add-groups", "add-flows"), self._content[2:], strict=True):
                run(["ovs-ofctl", "-O", _VERSION, verb, self.name, "-"], stdin="\n".join(entries) + "\n")
        return refused

    def drop(self) -> None:
        """End what `feed` started."""
        if self._feeder:
            self._feeder.drop()
            self._feeder = None

    def _repeated(self, verb: str, argument: str) -> None:
        """Try for 0.2 s: a switch listens a moment before it answers. A controller may be quicker."""
        for _ in range(20):
            if run(["ovs-ofctl", "-O", _VERSION, verb, self.name, argument]).returncode == 0:
                return
            time.sleep(0.01)

    def _ofctl(self, *words: str) -> str:
        done = run(["ovs-ofctl", "-O", _VERSION, *words, self.name])
        if done.returncode:
            raise Failed(f"{words[-1]} {self.name}: {done.stderr.strip()[-300:]}")
        return done.stdout


def _unordered(content: tuple) -> tuple:
    """A bridge's content without its order, which may differ between two readings."""
    return tuple(sorted(part) for part in content)


def _parseable(flow: str) -> str:
    """A flow as ovs-ofctl accepts it: it prints IGMP otherwise. The switch's own reload does the same."""
    if "igmp" not in flow:
        return flow
    flow = flow.replace("igmp_type", "tp_src").replace("igmp_code", "tp_dst")
    return flow.replace("igmp", "ip,nw_proto=2")


def _lines(dump: str) -> list[str]:
    """The entries of a dump, without its headings."""
    return [line.strip() for line in dump.splitlines() if line.startswith(" ")]


def _meters(dump: str) -> list[str]:
    """The meters of a dump as add-meter takes them; in the dump each has several lines."""
    found = [one for one in ("\n" + dump).split("\nmeter=")[1:] if one.strip()]
    return ["meter=" + ",".join(one.split()).replace("bands=,", "bands=") for one in found]
