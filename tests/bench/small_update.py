"""One measurement of `make bench-node`, in a process of its own: updates of a small cloud of real machines.

    python small_update.py TREE

TREE: the checkout whose lab is booted, and which updates it, of this commit or another. Prints one JSON
object: seconds by the wall, and CPU seconds of all that is in the lab, its machines and its master.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PROFILE, CONTROLLER = "small", "ctl1"
OLD, NEW = "1.0.0", "1.0.1"

Figures = dict[str, float]


def cpu_seconds(statistics: str) -> float:
    """The CPU seconds that a control group used, by its cpu.stat (text)."""
    used = dict(line.split() for line in statistics.splitlines())
    return int(used["usage_usec"]) / 1e6


def job_seconds(events: Iterable[Mapping[str, Any]]) -> float:
    """Seconds from the start to the end of the step apply of one node, of all rounds of a stage together.

    events: of that node in that stage, as the master's bus had them.
    """
    took, began = 0.0, None
    for event in events:
        at = datetime.fromisoformat(event["_stamp"]).replace(tzinfo=UTC).timestamp()
        if event["step"] == "apply" and event["status"] == "started":
            began = at
        elif event["step"] == "apply" and event["status"] == "succeeded" and began is not None:
            took, began = took + at - began, None
    return took


@contextmanager
def measured(figures: Figures, name: str, group: Path) -> Iterator[None]:
    """Around what is measured. group: the control group of the lab."""
    began, used = time.monotonic(), cpu_seconds((group / "cpu.stat").read_text())
    yield
    figures[f"{name}_s"] = round(time.monotonic() - began, 1)
    figures[f"{name}_cpu_s"] = round(cpu_seconds((group / "cpu.stat").read_text()) - used, 1)
    print(f"{name}: {figures[f'{name}_s']} s, {figures[f'{name}_cpu_s']} CPU-s", file=sys.stderr, flush=True)


def measure() -> Figures:
    """All figures, of the lab of the tree that is imported from."""
    from tests.lab import operator, proof
    from tests.lab.deployers.inspection import downtime
    from tests.lab.events import EventLog

    figures: Figures = {}
    with operator.installed(PROFILE) as lab:
        figures["nodes"] = len(lab.nodes)
        group = lab._enclosure._cgroup
        lab.set_pillar(target_version=NEW)
        since = time.time()
        with EventLog(lab) as log, measured(figures, "update", group):
            operator.update(lab)
        proof.assert_cloud_at(lab, NEW)
        job = log.steps(node=CONTROLLER, stage="control_plane")
        figures["control_plane_job_s"] = round(job_seconds(job), 1)

        def out(argv: list[str]) -> str:
            return str(lab.exec(CONTROLLER, argv).stdout)

        moved = [
            name
            for name, key in proof.containers(lab, CONTROLLER).items()
            if lab.releases[OLD]["images"][key] != lab.releases[NEW]["images"][key]
        ]
        figures["containers"] = len(moved)
        figures["away_s"] = round(sum(downtime(out, name, since) for name in moved), 2)
        with measured(figures, "no_op", group):
            operator.update(lab)
        with measured(figures, "state_apply", group):
            lab.master(["salt", "*", "state.apply", "-t", "900"])
        bare = 0.0
        for name in moved:
            since = time.time()
            lab.exec(CONTROLLER, ["systemctl", "restart", f"{name}.service"], timeout=600)
            bare += downtime(out, name, since)
        figures["bare_restarts_s"] = round(bare, 2)
        figures["away_of_bare_restarts"] = round(figures["away_s"] / bare, 3)
    return figures


def main(tree: str) -> None:
    """Measure, and print."""
    sys.path[:0] = [f"{tree}/_utils", tree]
    with redirect_stdout(sys.stderr):
        figures = measure()
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1])
