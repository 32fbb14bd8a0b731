"""Hand the bridges of a running ovs-vswitchd over to a new one: a program for the reload of its systemd unit.

A userspace data path stops with its ovs-vswitchd, and the next one forwards nothing before it has its flows.
So everything that takes time is done while the old switch still forwards: the new one is started and waits
for the database's lock, and the flows are read and parsed. The gap is then the end of the old switch and the
time in which the new one takes the flows in. Where the database server is renewed too, a new one is started
beside the old one (`database`). Only the standard library is used: the Python that runs this need not be
Salt's.

`python -m openstack_rollout.node.switch_handover REPORT FILE [SCHEMA]` leaves a JSON object in REPORT:
{"outcome", "step", "error", "gap": seconds without flows, "flows": {bridge: number}, "late": [tunnels that
BFD does not find alive any more]}. FILE is the drop-in that had systemd call this program; it is removed
first. SCHEMA is the file of the installed schema: with it, the database server is renewed, too. With the
outcomes NOT_POSSIBLE and NOTHING_TOUCHED the old switch and the old server go on. After BROKEN_OFF the
service has to be started anew.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

DONE, NOT_POSSIBLE, NOTHING_TOUCHED, BROKEN_OFF = "done", "not possible", "nothing touched", "broken off"
RUN = Path(os.environ.get("OVS_RUNDIR", "/run/openvswitch"))
PROC = Path("/proc")


class Failed(Exception):
    """What went wrong, for the report."""


class NotPossible(Failed):
    """This node does not let a new switch be started from here."""


def run(command: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program and wait for it.

    Args:
        command: The program and its arguments.
        stdin: What it reads from its standard input.

    Returns:
        Its exit status and output; a failure raises nothing.
    """
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def printed(file) -> str:
    """What a process has written so far to a file that it has open, from the beginning.

    Args:
        file: The open file, which both processes share.
    """
    return os.pread(file.fileno(), 1 << 16, 0).decode(errors="replace").strip()


def wait_until(
    condition: Callable[[], bool], timeout: float, late: str, hopeless: Callable[[], str] = str
) -> None:
    """Wait for a condition, in steps of 2 ms.

    Args:
        condition: What is waited for.
        timeout: Seconds.
        late: What to say when they are over.
        hopeless: Why it is of no use to wait any longer, "" while it is.

    Raises:
        Failed: The condition did not come true, with what `late` or `hopeless` says.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if why := hopeless() or (late if time.monotonic() > deadline else ""):
            raise Failed(why)
        time.sleep(0.002)
