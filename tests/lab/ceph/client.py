"""A client of the lab's Ceph that writes, reads and looks while something happens: the tests' witness."""

from __future__ import annotations

import json
from typing import Any

from tests.lab.cloud import Lab

from . import cluster

_PROGRAM = "/usr/local/lib/lab-ceph-client"
_UNIT = "lab-ceph-client.service"
_LOG = "/run/lab-ceph-client"


class Client:
    """Runs on the compute; use as a context manager. Afterwards `told` is what it saw, in order."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._node = next(name for name, one in lab.nodes.items() if one.role == "compute")
        self.told: list[dict[str, Any]] = []

    def __enter__(self) -> Client:
        start = ["systemd-run", "--quiet", f"--unit={_UNIT}", f"--property=StandardOutput=truncate:{_LOG}"]
        self._lab.exec(self._node, [*start, "--property=KillMode=process", _PROGRAM, cluster.POOL])
        return self

    def __exit__(self, *_exception: object) -> None:
        self._lab.exec(self._node, ["systemctl", "stop", _UNIT], timeout=90)
        lines = self._lab.exec(self._node, ["cat", _LOG]).stdout.splitlines()
        self.told = [json.loads(line) for line in lines]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """What it told of a kind: error, slow, blind, state, end."""
        return [one for one in self.told if one["kind"] == kind]
