"""`make bench-network`: what updates of OVN and Open vSwitch cost the VMs, ours and plain ones, in one run.

The same machines, the same traffic: plain restarts, plain replacements, and our stages follow one another
under one probe. Prints lost packets and longest gaps, and leaves them in build/bench-network.json, each
packet in build/bench-network.jsonl, and the gaps over time in build/bench-network.png.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import compare

from . import baselines, operator
from .cloud import Lab
from .enclosure import LabError
from .events import EventLog
from .network import Overlay
from .probe import Measurement, Probe
from .settings import CHECKOUT

OLD, NEW, LAST = "1.0.0", "1.0.5", "1.0.6"
#: Flows of a compute of which a computation takes longer than EDPM's 8 s, and the rules that make them.
MANY, _MANY_RULES, _MANY_ADDRESSES = 100_000, 300, 200
_OF_EDPM = "EDPM's settings"
_BUILD = CHECKOUT / "build"


@dataclass
class Phase:
    """One way to do one stage: when each node was disturbed, in seconds since the epoch."""

    stage: str
    name: str
    windows: dict[str, tuple[float, float]] = field(default_factory=dict)
    #: node → its flows, and ms of the longest computation of them, where the phase is about these
    flows: dict[str, tuple[int, int | None]] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether it is a stage of this project."""
        return self.name.startswith("openstack-rollout")


class Bench:
    """The phases in their order, on a lab that runs.

    Args:
        overlay: A built overlay of a lab at the older release.
    """

    def __init__(self, overlay: Overlay) -> None:
        self._overlay = overlay
        self._lab = overlay.lab
        self._nodes = [*overlay.gateways, *overlay.computes]
        self._probe = Probe(overlay)
        self.phases: list[Phase] = []
        #: why the phases were not all played
        self.unfinished = ""

    def run(self) -> Measurement:
        """Play all phases under one probe; every packet."""
        images = {"ovn_controller_image": self._lab.releases["1.0.1"]["images"]["ovn_controller_image"]}
        self._lab.add_release(NEW, like=OLD, packages_like="1.0.1", images=images)
        self._lab.add_release(LAST, like=OLD, packages_like="1.0.1")
        with self._probe as probe:
            try:
                self._play()
            except (LabError, AssertionError, subprocess.TimeoutExpired) as error:
                self.unfinished = str(error)  # what was measured before is worth having
            return probe.stop()

    def _play(self) -> None:
        self._each("ovn", "systemctl restart", baselines.restart_controller)
        self._renewed("kill -9", baselines.crash_controller)
        self._set(baselines.set_as_edpm)
        self._renewed(f"{_OF_EDPM}, systemctl restart", baselines.restart_controller)
        self._renewed(f"{_OF_EDPM}, kill -9", baselines.crash_controller)
        self._set(baselines.unset_as_edpm)
        self._each("ovn", "container stopped, removed, run", baselines.replace_controller)
        self._ours("ovn", "openstack-rollout", {})
        for stage in ("control_plane", "services"):
            operator.update(self._lab, f"orch.{stage}")
        self._each("ovs", "systemctl restart", baselines.restart_switch)
        self._each("ovs", "dnf without scripts", self._plain_switch)
        self._ours("ovs", "openstack-rollout, reload: false", {"ovs": {"userspace": "accept"}})
        policies = {"gateway": {"drain": "ovn_failover"}} if len(self._overlay.gateways) > 1 else {}
        reload = {"ovs": {"reload": True, "userspace": "accept"}, "policies": policies}
        self._ours("ovs", "openstack-rollout, reload: true", reload)
        self._many_flows()

    def _many_flows(self) -> None:
        """The cases for which EDPM's settings are too short: computing the flows takes longer."""
        self._set(baselines.set_as_edpm)
        self._overlay.add_rules(_MANY_RULES, _MANY_ADDRESSES)
        fewest = min(baselines.flow_count(self._lab, node) for node in self._overlay.computes)
        if fewest < MANY:
            print(f"-- a compute has {fewest} flows only, {MANY} are wanted", flush=True)
        many = f"{fewest // 1000 * 1000:,} flows: "
        self._renewed(f"{many}{_OF_EDPM}, systemctl restart", baselines.restart_controller)
        self._renewed(f"{many}{_OF_EDPM}, kill -9", baselines.crash_controller)
        wait = {"ovn": {"wait_before_clear": "auto"}}
        self._ours("ovn", f"openstack-rollout, {many}wait_before_clear: auto", wait, LAST)
        self._note_flows()
        self._renewed(f"{many}wait_before_clear: auto, kill -9", baselines.crash_controller)

    def _set(self, what: Callable[[Lab, str], None]) -> None:
        for node in self._nodes:
            what(self._lab, node)
        self._overlay.wait()

    def _renewed(self, name: str, what: Callable[[Lab, str], None]) -> None:
        """A way to start ovn-controller anew, until its own flows are in place of the old ones."""

        def until_new(lab: Lab, node: str) -> None:
            began = time.time()
            what(lab, node)
            baselines.wait_for_new_flows(lab, node, began)

        self._each("ovn", name, until_new)
        self._note_flows()

    def _note_flows(self) -> None:
        self.phases[-1].flows = {
            node: (baselines.flow_count(self._lab, node), baselines.longest_computation(self._lab, node))
            for node in self._nodes
        }

    def _plain_switch(self, lab: Lab, node: str) -> None:
        baselines.move_switch_packages(lab, node, "1.0.1")

    def _each(self, stage: str, name: str, what: Callable[[Lab, str], None]) -> None:
        print(f"-- {stage}: {name}", flush=True)
        phase = Phase(stage, name)
        for node in self._nodes:
            began = time.time()
            what(self._lab, node)
            phase.windows[node] = (began, self._probe.settle())
        self.phases.append(phase)
        if what == self._plain_switch:  # so that our stage has the same to do
            for node in self._nodes:
                baselines.put_switch_packages_back(self._lab, node, OLD)

    def _ours(self, stage: str, name: str, page: dict, version: str = NEW) -> None:
        print(f"-- {stage}: {name}", flush=True)
        self._lab.set_pillar(target_version=version, **page)
        with EventLog(self._lab) as log:
            operator.update(self._lab, f"orch.{stage}")
            ended = self._probe.settle()
        empty = Measurement({}, 0, ended)
        steps = empty.by_step(log.steps(stage=stage))
        windows = {node: (part.began, part.ended) for (_, node), part in steps.items() if node in self._nodes}
        if missing := sorted({*self._nodes} - {*windows}):
            raise LabError(f"{stage}: {name}: nothing was done on {', '.join(missing)}")
        last = max(windows, key=lambda node: windows[node][1])
        windows[last] = (windows[last][0], ended)  # what shows only after the last node is the stage's, too
        self.phases.append(Phase(stage, name, windows))


def summary(phases: list[Phase], traffic: Measurement) -> list[dict]:
    """Each phase as plain data: packets, lost packets and longest gap, in all and by node."""
    found = []
    for phase in phases:
        nodes = {node: traffic.between(*window) for node, window in phase.windows.items()}
        found.append(
            {
                "stage": phase.stage,
                "name": phase.name,
                "sent": sum(part.sent for part in nodes.values()),
                "lost": sum(part.lost for part in nodes.values()),
                "longest_gap_ms": max(part.longest_gap_ms for part in nodes.values()),
                "nodes": {
                    node: {"sent": part.sent, "lost": part.lost, "longest_gap_ms": part.longest_gap_ms}
                    for node, part in nodes.items()
                },
                "flows": {
                    node: {"number": number, "longest_computation_ms": longest}
                    for node, (number, longest) in phase.flows.items()
                },
            }
        )
    return found


def table(rows: list[dict]) -> str:
    """The summary for a reader."""
    how = max([36, *(len(row["name"]) + 2 for row in rows)])
    lines = [f"{'STAGE':7}{'HOW':{how}}{'PACKETS':>9}{'LOST':>7}{'LONGEST GAP':>14}  BY NODE, ms"]
    for row in rows:
        nodes = ", ".join(f"{name} {facts['longest_gap_ms']:.0f}" for name, facts in row["nodes"].items())
        lines.append(
            f"{row['stage']:7}{row['name']:{how}}{row['sent']:9}{row['lost']:7}"
            f"{row['longest_gap_ms']:11.0f} ms  {nodes}"
        )
        if row["flows"]:
            number = max(one["number"] for one in row["flows"].values())
            longest = max(one["longest_computation_ms"] or 0 for one in row["flows"].values())
            lines.append(f"{'':7}up to {number} flows, computed in {longest} ms at most")
    return "\n".join(lines)


def plot(phases: list[Phase], traffic: Measurement, path: Path) -> None:
    """Save the gaps of every pair over the run, the phases as coloured bands."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(15, 6), layout="constrained")
    for pair, gaps in traffic.gaps().items():
        times = [at - traffic.began for at, _ in gaps]
        axes.plot(times, [gap for _, gap in gaps], ".", markersize=3, label=pair)
    axes.set_yscale("log")
    axes.set_ylim(9, 60_000)
    for phase in phases:
        began = min(window[0] for window in phase.windows.values()) - traffic.began
        ended = max(window[1] for window in phase.windows.values()) - traffic.began
        axes.axvspan(began, ended, color="tab:green" if phase.ours else "tab:red", alpha=0.12)
        label = f"{phase.stage}: {phase.name}"
        axes.text((began + ended) / 2, 50_000, label, rotation=90, va="top", ha="center", fontsize=8)
    axes.set_xlabel("seconds")
    axes.set_ylabel("gap between two answers, ms (10 ms: none)")
    axes.set_title("What an update of OVN and Open vSwitch costs the VMs (100 packets/s a pair)")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> int:
    """Boot a lab, play the phases, print and save what they cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="network", choices=("small", "network", "full"))
    options = parser.parse_args()
    lab = Lab(profile=options.profile)
    lab.down()
    try:
        lab.up()
        operator.install(lab, OLD)
        bench = Bench(Overlay(lab).build())
        traffic = bench.run()
    finally:
        lab.down()
    rows = summary(bench.phases, traffic)
    told = {"profile": options.profile, "pairs": sorted(traffic.packets), "phases": rows}
    compare.leave("bench-network", {**told, "unfinished": bench.unfinished})
    traffic.write(_BUILD / "bench-network.jsonl")
    plot(bench.phases, traffic, _BUILD / "bench-network.png")
    print(table(rows))
    if bench.unfinished:
        print(f"not all phases were played: {bench.unfinished}")
    return int(bool(bench.unfinished))


if __name__ == "__main__":
    sys.exit(main())
