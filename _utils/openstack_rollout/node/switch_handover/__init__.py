"""Hand the bridges of a running ovs-vswitchd over to a new one: a program that systemd's reload runs.

A userspace data path stops with its ovs-vswitchd, and the next one forwards nothing before it has its flows.
So everything that takes time is done while the old one still forwards: the new one is up and waits for the
database's lock, the flows are read and parsed. Between the two remain the old one's end and the new one
taking the flows in. A database server that is to be renewed with it is put beside the old one (`database`).
Only the standard library is used: the Python that runs it need not be Salt's.

`python -m openstack_rollout.node.switch_handover REPORT FILE [SCHEMA]` leaves a JSON object in REPORT:
{"outcome", "step", "error", "gap": seconds without flows, "flows": {bridge: number}, "late": [tunnels that
BFD does not find alive any more]}; FILE, the unit's change that had it called, is removed first; with
SCHEMA, the file of the installed schema, the database server is renewed, too. With the outcomes
NOT_POSSIBLE and NOTHING_TOUCHED the old switch and the old server go on; BROKEN_OFF has the service started
anew.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

DONE, NOT_POSSIBLE, NOTHING_TOUCHED, BROKEN_OFF = "done", "not possible", "nothing touched", "broken off"
RUN = Path(os.environ.get("OVS_RUNDIR", "/run/openvswitch"))
PROC = Path("/proc")


class Failed(Exception):
    """What went wrong, for the report."""


class NotPossible(Failed):
    """This node does not let a new switch be started from here."""


def run(command: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program, and have what it says."""
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def heard(file) -> str:
    """What a process wrote to a file that is open for it, wherever it is in it."""
    return os.pread(file.fileno(), 1 << 16, 0).decode(errors="replace").strip()
