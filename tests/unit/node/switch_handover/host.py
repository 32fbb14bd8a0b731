"""A place with a switch that runs, of fakes of Open vSwitch's programs."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from openstack_rollout.node.switch_handover.process import Process

HERE = Path(__file__).resolve().parent
UTILS = HERE.parents[3] / "_utils"
FLOWS = " priority=5,in_port=1,actions=output:2\n cookie=0x7, priority=1,igmp,igmp_type=17 actions=drop\n"
GROUPS = " group_id=7,type=all,bucket=bucket_id:0,actions=output:1\n"
OPTIONS = " max option space=256\n 0x102\t0x80\t4\ttun_metadata0\n"
METERS = "meter=3 pktps burst bands=\ntype=drop rate=100 burst_size=10\n"


_PROGRAMS = [f"ovs-{name}" for name in ("vsctl", "ofctl", "appctl", "vswitchd")]
_PROGRAMS += [f"ovsdb-{name}" for name in ("client", "server", "tool")]


class Host:
    """A place with an old switch that runs."""

    def __init__(self, place: Path, mode: str = "", served: bool = False):
        self.run = place
        self.fails(mode)
        (place / "bin").mkdir()
        for name in _PROGRAMS:
            program = place / "bin" / name
            program.write_text(f"#!{sys.executable} -IS\n" + (HERE / "fake_switch.py").read_text())
            program.chmod(0o755)
        (place / "bridges").write_text("br-int")
        for kind, text in {"flows": FLOWS, "groups": GROUPS, "tlv-map": OPTIONS, "meters": METERS}.items():
            (place / f"dump-{kind}.br-int").write_text(text)
        self.environment = os.environ | {
            "OVS_RUNDIR": str(place),
            "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": f"{UTILS}:{HERE}",
        }
        if served:
            self._serve()
        start = ["ovs-vswitchd", "unix:db", "--mlockall", f"--pidfile={self.pidfile}", "--detach"]
        subprocess.run(start, env=self.environment, check=True)
        self.old = self.pid()

    @property
    def pidfile(self) -> Path:
        return self.run / "ovs-vswitchd.pid"

    def pid(self) -> int:
        return int(self.pidfile.read_text())

    def _serve(self) -> None:
        """A database of the version 1, while the installed schema is of version 2."""
        self.database.parent.mkdir()
        self.database.write_text("1")
        self.schema.write_text("2")
        remote = f"--remote=punix:{self.run / 'db.sock'}"
        start = ["ovsdb-server", str(self.database), remote, f"--pidfile={self.server_pidfile}", "--detach"]
        subprocess.run(start, env=self.environment, check=True)
        self.old_server = self.server()

    @property
    def database(self) -> Path:
        return self.run / "etc" / "conf.db"

    @property
    def schema(self) -> Path:
        return self.run / "schema"

    @property
    def server_pidfile(self) -> Path:
        return self.run / "ovsdb-server.pid"

    def server(self) -> int:
        return int(self.server_pidfile.read_text())

    def fails(self, mode: str) -> None:
        (self.run / "mode").write_text(mode)

    def hand_over(self, *schema: str, leaves: float = 10, change: str = "") -> tuple[int, dict]:
        """Run the program, which gives the old switch so many seconds and is changed by some Python.

        Returns its exit status and its report.
        """
        drop_in = self.run / "drop-in"
        drop_in.write_text("")
        (self.run / "program.py").write_text(
            "import sys\n"
            "from openstack_rollout.node.switch_handover import __main__, handover\n"
            f"handover._ENDS_IN = {leaves}\n{change}"
            "sys.exit(__main__.main(*sys.argv[1:]))\n"
        )
        program = [sys.executable, "-P", str(self.run / "program.py")]
        done = subprocess.run(
            [*program, str(self.run / "report"), str(drop_in), *schema], env=self.environment, check=False
        )
        assert not drop_in.exists()
        return done.returncode, json.loads((self.run / "report").read_text())

    def given(self, verb: str, bridge: str = "br-int") -> list[str]:
        file = self.run / f"{verb}.{bridge}"
        return file.read_text().splitlines() if file.exists() else []

    def switches(self) -> list[int]:
        """The processes of this place's ovs-vswitchd that live."""
        return self._processes(lambda words: any(word.endswith(b"/ovs-vswitchd") for word in words[:3]))

    def servers(self) -> dict[int, str]:
        """The processes of this place's ovsdb-server that live: how the kernel says that they are."""
        found = self._processes(lambda words: words[0] == b"ovsdb-server")
        return {pid: Process(pid).state for pid in found if Process(pid).alive}

    def _processes(self, wanted) -> list[int]:
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                mine = f"OVS_RUNDIR={self.run}".encode() in (place / "environ").read_bytes().split(b"\0")
                words = (place / "cmdline").read_bytes().split(b"\0")
                if mine and wanted(words):
                    found.append(int(place.name))
        return found

    def arguments(self, pid: int) -> list[str]:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[3:-1]


def wait_for(condition) -> bool:
    until = time.monotonic() + 10
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()
