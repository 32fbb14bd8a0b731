"""What the machines' own systemd says of units: which run, and each start that its journal tells of."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from tests.lab.cloud import Lab

#: of systemd's catalogue: a job that started a unit has ended
_STARTED = "39f53479d3a045ac8e11786248231fbf"
#: what somebody runs once, and the machine's own clockwork
_PASSING = (
    "openstack-rollout-",
    "run-",
    "session-",
    "user@",
    "user-runtime-dir@",
    "systemd-",
    "lab-",
    "apt-daily",
    "logrotate",
)


class Start(NamedTuple):
    """A start of a service: when (seconds since the epoch), where, which unit, how the job ended."""

    at: float
    node: str
    unit: str
    result: str


def starts(lab: Lab, since: float, nodes: Iterable[str] | None = None) -> list[Start]:
    """Each start of a service on the machines (all) since a moment, in order; passing ones left out."""
    found = []
    for node in lab.nodes if nodes is None else nodes:
        fields = "--output-fields=UNIT,JOB_RESULT,JOB_TYPE"
        ask = ["journalctl", "--quiet", "--output=json", fields, f"--since=@{since:.0f}"]
        for line in lab.exec(node, [*ask, f"MESSAGE_ID={_STARTED}"], check=False).stdout.splitlines():
            entry = json.loads(line)
            unit = entry.get("UNIT", "")
            at = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
            if at >= since and unit.endswith(".service") and not unit.startswith(_PASSING):
                found.append(Start(at, node, unit.removesuffix(".service"), entry.get("JOB_RESULT", "")))
    return sorted(found)


def invocations(lab: Lab, nodes: Iterable[str] | None = None) -> dict[tuple[str, str], str]:
    """The invocation of each service that runs on the machines (all): another one after each start."""
    found = {}
    properties = "--property=Id,InvocationID,SubState"
    show = ["systemctl", "show", "--type=service", "--state=active", properties, "*"]
    for node in lab.nodes if nodes is None else nodes:
        for block in lab.exec(node, show).stdout.split("\n\n"):
            told = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            name = told.get("Id", "").removesuffix(".service")
            if told.get("SubState") == "running" and not name.startswith(_PASSING):
                found[node, name] = told["InvocationID"]
    return found
