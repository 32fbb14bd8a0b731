"""The network stays up: the OVN and OVS stages over a whole cloud, measured by the probe packet by packet.

The tests follow one another: the stages of one update, between the plain restarts they are held against.
Every figure is the probe's, every fact is asked of the machines; gaps are compared within this one run only.
"""

from __future__ import annotations

import json
import os
import time

import pytest

from .. import baselines, operator, proof, settings
from ..enclosure import wait_for
from ..events import EventLog
from ..network import Overlay
from ..probe import OUTSIDE, Measurement, Probe

LAB_PROFILE = os.environ.get("OPENSTACK_ROLLOUT_NETWORK_PROFILE", "full")
#: of 1.0.0 all images but ovn-controller's, and 1.0.1's packages: the stages between have nothing to move
NEW = "1.0.5"
PACKETS = 20_000
KILLED = "cmp1"
#: a kernel's scheduling on a machine that runs nine others; below it, gaps are not told apart
NOISE_MS = 200
_CONTAINER = "ovn_controller"


@pytest.fixture(scope="module")
def overlay(cloud) -> Overlay:
    """The overlay on the cloud at 1.0.0, and the release it goes to."""
    new = cloud.releases["1.0.1"]["images"]["ovn_controller_image"]
    images = {"ovn_controller_image": new}
    cloud.add_release(NEW, like="1.0.0", packages_like="1.0.1", images=images)
    return Overlay(cloud).build()


@pytest.fixture(scope="module")
def seen() -> dict[str, float]:
    """Longest gaps of one test for a later one to be compared with."""
    return {}


def chassis(overlay: Overlay) -> list[str]:
    return [*overlay.gateways, *overlay.computes]


def switches(overlay: Overlay) -> dict[str, tuple[str, ...]]:
    """Node → what its machine says of the switch: version that runs, installed, enabled, active, pid."""
    found = {}
    for node in chassis(overlay):
        lab = overlay.lab
        running = lab.exec(node, ["ovs-appctl", "-t", "ovs-vswitchd", "version"]).stdout.split()[-1]
        installed = lab.exec(node, ["ovs-vswitchd", "--version"]).stdout.splitlines()[0].split()[-1]
        states = [
            lab.exec(node, ["systemctl", question, baselines.SWITCH], check=False).stdout.strip()
            for question in ("is-enabled", "is-active")
        ]
        pid = lab.exec(node, ["systemctl", "show", "-p", "MainPID", "--value", "ovs-vswitchd"]).stdout
        found[node] = (running, installed, *states, pid.strip())
    return found


def switch_packages(lab, node: str) -> dict[str, list[str]]:
    return {n: v for n, v in proof.installed(lab, node).items() if "openvswitch" in n}


def is_at(lab, node: str, version: str) -> bool:
    wanted = {n: [v] for n, v in lab.releases[version]["packages"].items() if "openvswitch" in n}
    return switch_packages(lab, node) == wanted


def one_by_one(overlay: Overlay, what, nodes: list[str]) -> tuple[dict[str, float], Measurement]:
    """Do something to each node in turn, under traffic; the longest gap while each was recovering."""
    windows = {}
    with Probe(overlay) as probe:
        for node in nodes:
            began = time.time()
            what(overlay.lab, node)
            windows[node] = (began, probe.settle())
        whole = probe.stop()
    return {node: whole.between(*window).longest_gap_ms for node, window in windows.items()}, whole


def stage_under_traffic(overlay: Overlay, orchestration: str, packets: int = 0, check: bool = True):
    """A stage with the probe and the event log beside it: process, all traffic, traffic by (stage, node)."""
    with Probe(overlay) as probe, EventLog(overlay.lab) as log:
        done = operator.update(overlay.lab, orchestration, check=check)
        probe.settle()
        enough = packets / len(probe.pairs) / 100
        wait_for(lambda: time.time() - probe.began > enough, enough + 1)
        whole = probe.stop()
    return done, whole, whole.by_step(log.steps())


def report(title: str, gaps: dict[str, float], whole: Measurement) -> None:
    print(f"\n== {title}: {whole.lost} of {whole.sent} packets lost")
    for node, gap in gaps.items():
        print(f"   {node}: longest gap {gap:.0f} ms")


def longest(steps: dict[tuple[str, str], Measurement], stage: str) -> dict[str, float]:
    return {node: part.longest_gap_ms for (name, node), part in steps.items() if name == stage}


def test_plain_restarts_of_the_controller_lose_packets(overlay, seen):
    gaps, whole = one_by_one(overlay, baselines.restart_controller, chassis(overlay))
    report("systemctl restart ovn_controller", gaps, whole)
    assert whole.lost > 0, whole.table()
    seen["plain ovn"] = max(gaps.values())


def test_the_ovn_stage_loses_none(overlay, seen):
    overlay.lab.set_pillar(target_version=NEW)
    _, whole, steps = stage_under_traffic(overlay, "orch.ovn", PACKETS)
    report("our OVN stage", longest(steps, "ovn"), whole)
    assert whole.sent >= PACKETS
    assert {pair.partition(" ")[0] == OUTSIDE for pair in whole.packets} == {True, False}
    assert whole.lost == 0, whole.table()
    assert {node for _, node in steps} == set(overlay.lab.nodes)
    digest = overlay.lab.releases[NEW]["images"]["ovn_controller_image"].partition("@")[2]
    for node in overlay.lab.nodes:
        assert proof.running_digests(overlay.lab, node)[_CONTAINER] == digest
    for stage in ("control_plane", "services"):
        operator.update(overlay.lab, f"orch.{stage}")


def test_dnf_killed_in_mid_transaction_leaves_a_node_that_forwards_and_converges_on_resume(overlay):
    lab = overlay.lab
    before = switch_packages(lab, KILLED)
    program = f"{settings.CHECKOUT_IN_NODE}/tests/lab/files/kill-dnf-midway"
    watch = ["systemd-run", "--quiet", "--collect", "--unit=kill-dnf", program, "/usr/share/openvswitch3.5"]
    lab.exec(KILLED, [*watch, "/run/kill-dnf.ready"])
    assert wait_for(
        lambda: not lab.exec(KILLED, ["test", "-e", "/run/kill-dnf.ready"], check=False).returncode, 30
    )
    flows = {node: overlay.flows(node) for node in chassis(overlay)}
    machines = switches(overlay)
    done, whole, steps = stage_under_traffic(overlay, "orch.ovs", check=False)
    report(f"OVS stage, reload: false, dnf killed on {KILLED}", longest(steps, "ovs"), whole)
    assert done.returncode != 0
    half = switch_packages(lab, KILLED)
    assert half != before and not is_at(lab, KILLED, NEW), half
    assert whole.lost == 0, whole.table()
    run = operator.status(lab)["run"]
    assert run["state"] == "paused" and KILLED in run["message"], run
    assert switches(overlay)[KILLED][2:] == machines[KILLED][2:]

    _, whole, steps = stage_under_traffic(overlay, "orch.ovs")
    report("OVS stage, reload: false, resumed", longest(steps, "ovs"), whole)
    assert whole.lost == 0, whole.table()
    for node in chassis(overlay):
        assert is_at(lab, node, NEW), (node, switch_packages(lab, node))
        assert overlay.flows(node) == flows[node], f"{node}: its flows changed"
    after = switches(overlay)
    assert {node: facts[2:] for node, facts in after.items()} == {
        node: ("enabled", "active", machines[node][4]) for node in after
    }


def test_a_switch_that_was_not_reloaded_is_told_to_be_stale(overlay):
    status = operator.status(overlay.lab)
    table = overlay.lab.master(["salt-run", "rollout.status"]).stdout
    for node, (running, installed, *_) in switches(overlay).items():
        assert running == "3.4.0" and installed == "3.5.0"
        told = status["nodes"][node]["switch"]
        assert (told["running"], told["installed"], told["stale"]) == (running, installed, True)
        assert f"{node}: the switch is stale" in table


def test_a_planned_failover_of_the_gateway(overlay, seen):
    if len(overlay.gateways) < 2:
        pytest.skip("the profile has one gateway")
    away = overlay.active_gateway()
    with Probe(overlay) as probe:
        baselines.fail_over(overlay, away)
        assert wait_for(lambda: overlay.active_gateway() not in (away, None), 60)
        probe.settle()
        middle = time.time()
        baselines.take_back(overlay, away)
        assert wait_for(lambda: overlay.active_gateway() == away, 60)
        probe.settle()
        whole = probe.stop()
    gaps = {
        "away": whole.between(0, middle).longest_gap_ms,
        "back": whole.between(middle, 1e12).longest_gap_ms,
    }
    report("a planned failover", gaps, whole)
    seen["failover"] = max(gaps.values())


def test_the_reload_keeps_flows_and_the_gateway_fails_over_first(overlay, seen):
    lab = overlay.lab
    flows = {node: overlay.flows(node) for node in overlay.computes}
    policies = {"gateway": {"drain": "ovn_failover"}} if len(overlay.gateways) > 1 else {}
    ovs = {"reload": True, "userspace": "accept"}
    lab.set_pillar(target_version=NEW, ovs=ovs, policies=policies)
    _, whole, steps = stage_under_traffic(overlay, "orch.ovs")
    gaps = longest(steps, "ovs")
    report("OVS stage, reload: true", gaps, whole)
    seen |= {f"reload {node}": gap for node, gap in gaps.items()}
    for node, (running, installed, enabled, active, _) in switches(overlay).items():
        assert running == installed == "3.5.0", node
        assert (enabled, active) == ("enabled", "active"), node
    for node in overlay.computes:
        wait_for(lambda node=node: overlay.flows(node) == flows[node], 60, interval=1)
        assert overlay.flows(node) == flows[node], f"{node}: its flows changed"
    if "failover" in seen:
        floating = [pair for pair in whole.packets if OUTSIDE in pair]
        gap = max(steps["ovs", node].only(floating).longest_gap_ms for node in overlay.gateways)
        print(f"   on the floating path: {gap:.0f} ms, a planned failover: {seen['failover']:.0f} ms")
        assert gap <= 2 * max(seen["failover"], NOISE_MS)


def test_the_switch_restarted_plainly(overlay, seen):
    gaps, whole = one_by_one(overlay, baselines.restart_switch, chassis(overlay))
    report("systemctl restart openvswitch", gaps, whole)
    for node, gap in gaps.items():
        ours = seen.get(f"reload {node}")
        if ours:
            print(f"   {node}: our reload {ours:.0f} ms, {gap / ours:.1f} times shorter")
    assert whole.lost > 0
    place = settings.CHECKOUT / "build" / "network.json"
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps(seen | {f"restart {n}": g for n, g in gaps.items()}, indent=2) + "\n")
