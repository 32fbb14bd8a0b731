"""The network stays up: the OVN and OVS stages over a whole cloud, measured by the probe packet by packet.

The tests follow one another: the stages of one update, between the plain restarts they are held against.
Every figure is the probe's, every fact is asked of the machines; gaps are compared within this one run only.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median

import pytest

from .. import baselines, half_transaction, operator, proof, settings
from ..enclosure import wait_for
from ..events import EventLog
from ..network import Overlay
from ..probe import OUTSIDE, Measurement, Probe

LAB_PROFILE = os.environ.get("OPENSTACK_ROLLOUT_NETWORK_PROFILE", "full")
#: of 1.0.0 all images but ovn-controller's, and 1.0.1's packages: the stages between have nothing to move
NEW = "1.0.5"
PACKETS = 20_000
KILLED = "cmp1"
#: how often a switch is renewed by us, and restarted plainly: of the longest gaps, the medians are compared
ROUNDS = 3
FAILOVERS = 5
SHORTER = 5
_CONTAINER = "ovn_controller"


@pytest.fixture(scope="module")
def overlay(cloud) -> Overlay:
    """The overlay on the cloud at 1.0.0, and the release it goes to."""
    new = cloud.releases["1.0.1"]["images"]["ovn_controller_image"]
    images = {"ovn_controller_image": new}
    cloud.add_release(NEW, like="1.0.0", packages_like="1.0.1", images=images)
    return Overlay(cloud).build()


@dataclass
class Seen:
    """What one test measured, for a later one to be compared with: longest gaps in ms."""

    #: while the engine went over all nodes and touched no switch
    noise: float = 0.0
    failovers: list[float] = field(default_factory=list)
    #: on the floating path, while both gateways were updated
    gateways: list[float] = field(default_factory=list)
    #: node → (gap, packets lost), once a round
    renewed: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    restarted: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))


@pytest.fixture(scope="module")
def seen() -> Seen:
    return Seen()


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


def server_is_installed(lab, node: str) -> bool:
    """Whether systemd's ovsdb-server is alone in its unit, and runs the program that is installed."""
    show = ["systemctl", "show", "-p", "MainPID", "--value", "ovsdb-server"]
    pid = lab.exec(node, show).stdout.strip()
    processes = "/sys/fs/cgroup/system.slice/ovsdb-server.service/cgroup.procs"
    asked = [["cat", processes], ["readlink", f"/proc/{pid}/exe"]]
    return [lab.exec(node, one).stdout.strip() for one in asked] == [pid, "/usr/sbin/ovsdb-server"]


def switch_packages(lab, node: str) -> dict[str, list[str]]:
    return {n: v for n, v in proof.installed(lab, node).items() if "openvswitch" in n}


def is_at(lab, node: str, version: str) -> bool:
    wanted = {n: [v] for n, v in lab.releases[version]["packages"].items() if "openvswitch" in n}
    return switch_packages(lab, node) == wanted


def one_by_one(overlay: Overlay, what, nodes: list[str]) -> tuple[dict[str, Measurement], Measurement]:
    """Do something to each node in turn, under traffic; what was sent while each was recovering, and all."""
    windows = {}
    with Probe(overlay) as probe:
        for node in nodes:
            began = time.time()
            what(overlay.lab, node)
            windows[node] = (began, probe.settle())
        whole = probe.stop()
    return {node: whole.between(*window) for node, window in windows.items()}, whole


def stage_under_traffic(overlay: Overlay, orchestration: str, packets: int = 0, check: bool = True):
    """A stage with the probe and the event log beside it: process, all traffic, traffic by (stage, node)."""
    with Probe(overlay) as probe, EventLog(overlay.lab) as log:
        done = operator.update(overlay.lab, orchestration, check=check)
        probe.settle()
        enough = packets / len(probe.pairs) / 100
        wait_for(lambda: time.time() - probe.began > enough, enough + 1)
        whole = probe.stop()
    return done, whole, whole.by_step(log.steps())


def report(title: str, parts: dict[str, Measurement], whole: Measurement) -> None:
    load = os.getloadavg()[0]
    print(f"\n== {title}: {whole.lost} of {whole.sent} packets lost (load {load:.0f})")
    for node, part in parts.items():
        print(f"   {node}: longest gap {part.longest_gap_ms:.0f} ms, {part.lost} lost")


def of_stage(steps: dict[tuple[str, str], Measurement], stage: str) -> dict[str, Measurement]:
    return {node: part for (name, node), part in steps.items() if name == stage}


def make_stale(overlay: Overlay) -> None:
    """Replace every switch's programs by their like, as a rebuilt package does."""
    for node in chassis(overlay):
        for program in ("/usr/sbin/ovsdb-server", "/usr/sbin/ovs-vswitchd"):
            overlay.lab.exec(node, ["cp", "--archive", program, f"{program}.new"])
            overlay.lab.exec(node, ["mv", f"{program}.new", program])


def renew(overlay: Overlay, seen: Seen, title: str, userspace: str = "accept"):
    """The OVS stage with `reload: true`, under traffic, what it cost noted; its process, and who was done."""
    policies = {"gateway": {"drain": "ovn_failover"}} if len(overlay.gateways) > 1 else {}
    ovs = {"reload": True, "userspace": userspace}
    overlay.lab.set_pillar(target_version=NEW, ovs=ovs, policies=policies)
    done, whole, steps = stage_under_traffic(overlay, "orch.ovs", check=False)
    parts = of_stage(steps, "ovs")
    report(title, parts, whole)
    allowed = chassis(overlay) if userspace == "accept" else overlay.gateways
    renewed = [node for node in parts if node in allowed]
    for node in renewed:
        seen.renewed[node].append((parts[node].longest_gap_ms, parts[node].lost))
    floating = [pair for pair in whole.packets if OUTSIDE in pair]
    carried = [parts[node].only(floating).longest_gap_ms for node in overlay.gateways if node in renewed]
    seen.gateways += [max(carried)] if carried else []
    return done, renewed, whole


def assert_renewed(overlay: Overlay, flows: dict[str, set[str]]) -> None:
    """The installed switch and its server run everywhere, as systemd's own, with the flows of before."""
    for node, (running, installed, enabled, active, pid) in switches(overlay).items():
        assert running == installed == "3.5.0", node
        assert (enabled, active) == ("enabled", "active"), node
        assert pid == overlay.lab.exec(node, ["pidof", "ovs-vswitchd"]).stdout.strip(), node
        assert server_is_installed(overlay.lab, node), node
    for node, before in flows.items():
        same = wait_for(lambda node=node, before=before: overlay.flows(node) == before, 60, interval=1)
        print(f"   {node}: {len(before)} flows, {'the same' if same else 'others'} afterwards")
        assert same, f"{node}: its flows changed"


def test_plain_restarts_of_the_controller_lose_packets(overlay):
    parts, whole = one_by_one(overlay, baselines.restart_controller, chassis(overlay))
    report("systemctl restart ovn_controller", parts, whole)
    assert whole.lost > 0, whole.table()


def test_the_ovn_stage_loses_none(overlay):
    overlay.lab.set_pillar(target_version=NEW)
    _, whole, steps = stage_under_traffic(overlay, "orch.ovn", PACKETS)
    report("our OVN stage", of_stage(steps, "ovn"), whole)
    assert whole.sent >= PACKETS
    assert {pair.partition(" ")[0] == OUTSIDE for pair in whole.packets} == {True, False}
    assert whole.lost == 0, whole.table()
    assert {node for _, node in steps} == set(overlay.lab.nodes)
    digest = overlay.lab.releases[NEW]["images"]["ovn_controller_image"].partition("@")[2]
    for node in overlay.lab.nodes:
        assert proof.running_digests(overlay.lab, node)[_CONTAINER] == digest
    for stage in ("control_plane", "services"):
        operator.update(overlay.lab, f"orch.{stage}")


def test_dnf_killed_in_mid_transaction_leaves_a_node_that_forwards_and_converges_on_resume(overlay, seen):
    lab = overlay.lab
    before = switch_packages(lab, KILLED)
    # the last package that comes: those before it are new by then, and none of the old ones is gone
    half_transaction.arm(lab, KILLED, "/usr/share/rhosp-openvswitch/VERSION", "3.5")
    flows = {node: overlay.flows(node) for node in chassis(overlay)}
    machines = switches(overlay)
    done, whole, steps = stage_under_traffic(overlay, "orch.ovs", check=False)
    report(f"OVS stage, reload: false, dnf killed on {KILLED}", of_stage(steps, "ovs"), whole)
    assert half_transaction.disarm(lab, KILLED)
    assert done.returncode != 0
    half = switch_packages(lab, KILLED)
    assert half != before and not is_at(lab, KILLED, NEW), half
    assert whole.lost == 0, whole.table()
    run = operator.status(lab)["run"]
    assert run["state"] == "paused" and KILLED in run["message"], run
    assert switches(overlay)[KILLED][2:] == machines[KILLED][2:]

    _, whole, steps = stage_under_traffic(overlay, "orch.ovs")
    report("OVS stage, reload: false, resumed", of_stage(steps, "ovs"), whole)
    assert whole.lost == 0, whole.table()
    seen.noise = whole.longest_gap_ms
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


def test_planned_failovers_of_the_gateway(overlay, seen):
    if len(overlay.gateways) < 2:
        pytest.skip("the profile has one gateway")
    away = overlay.active_gateway()
    with Probe(overlay) as probe:
        windows = []
        for _ in range(FAILOVERS):
            began = time.time()
            baselines.fail_over(overlay, away)
            assert wait_for(lambda: overlay.active_gateway() not in (away, None), 60)
            probe.settle()
            baselines.take_back(overlay, away)
            assert wait_for(lambda: overlay.active_gateway() == away, 60)
            windows.append((began, probe.settle()))
        whole = probe.stop()
    floating = whole.only([pair for pair in whole.packets if OUTSIDE in pair])
    parts = {f"there and back, {n}": floating.between(*window) for n, window in enumerate(windows, 1)}
    report("planned failovers, floating path", parts, whole)
    seen.failovers = [part.longest_gap_ms for part in parts.values()]
    assert whole.lost, "a failover that nobody feels is nothing to compare with"


def test_under_workloads_a_reload_is_refused_and_the_gateway_is_updated_by_a_failover(overlay, seen):
    lab = overlay.lab
    flows = {node: overlay.flows(node) for node in overlay.computes}
    before, prints = switches(overlay), proof.fingerprint(lab)
    done, renewed, whole = renew(overlay, seen, "OVS stage, reload: true, refused on computes", "refuse")
    printed = done.stdout + done.stderr
    assert done.returncode != 0 and "NODE_OCCUPIED" in printed and "cmp1" in printed, printed
    run = operator.status(lab)["run"]
    assert run["state"] == "paused" and run["reason"] == "NODE_OCCUPIED", run
    assert set(renewed) == set(overlay.gateways)
    after, now = switches(overlay), proof.fingerprint(lab)
    for node in overlay.computes:
        assert after[node] == before[node] and now[node] == prints[node], node
        assert overlay.flows(node) == flows[node], f"{node}: its flows changed"
    between = whole.only([pair for pair in whole.packets if OUTSIDE not in pair])
    assert between.lost == 0, between.table()
    for node in overlay.gateways:
        running, installed, *states, _ = after[node]
        assert (running, installed, *states) == ("3.5.0", "3.5.0", "enabled", "active")


def test_accepted_the_switches_are_renewed_and_keep_their_flows(overlay, seen):
    flows = {node: overlay.flows(node) for node in chassis(overlay)}
    done, renewed, _ = renew(overlay, seen, "OVS stage, reload: true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(renewed) == set(overlay.computes)
    assert_renewed(overlay, flows)
    for number in range(2, ROUNDS + 1):
        make_stale(overlay)
        done, renewed, _ = renew(overlay, seen, f"OVS stage, reload: true, round {number}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert set(renewed) == set(chassis(overlay))
        assert_renewed(overlay, flows)


def test_the_gateways_update_is_no_worse_than_a_planned_failover(overlay, seen):
    if len(overlay.gateways) < 2:
        pytest.skip("the profile has one gateway")
    print(f"\n== floating path, longest gaps in ms: gateways updated {_rounded(seen.gateways)},")
    print(f"   planned failovers {_rounded(seen.failovers)}, no switch touched {seen.noise:.0f}")
    assert len(seen.gateways) == ROUNDS and len(seen.failovers) == FAILOVERS
    assert median(seen.gateways) <= max(*seen.failovers, seen.noise)


def test_a_plain_restart_takes_five_times_as_long_as_our_reload(overlay, seen):
    for number in range(1, ROUNDS + 1):
        parts, whole = one_by_one(overlay, baselines.restart_switch, chassis(overlay))
        report(f"systemctl restart openvswitch, round {number}", parts, whole)
        for node, part in parts.items():
            seen.restarted[node].append((part.longest_gap_ms, part.lost))
    place = settings.CHECKOUT / "build" / "network.json"
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps(vars(seen), indent=2) + "\n")
    print(f"\n== longest gaps in ms: our reload, and systemctl restart (no switch touched: {seen.noise:.0f})")
    short = []
    # The gateways carry one path between them: to restart the one that stands by interrupts nothing either.
    for name, nodes in {"gateways": overlay.gateways, **{node: [node] for node in overlay.computes}}.items():
        for node in nodes:
            print(
                f"   {node}: {_rounded(_gaps(seen.renewed[node]))}, {_rounded(_gaps(seen.restarted[node]))}"
            )
        ours, theirs = (_together(found, nodes) for found in (seen.renewed, seen.restarted))
        assert len(ours) == len(theirs) == ROUNDS
        lost = any(lost for node in nodes for _, lost in seen.renewed[node])
        factor, least = median(theirs) / median(ours), min(theirs) / max(ours)
        none = not lost and max(ours) <= seen.noise
        print(f"   {name}: {factor:.1f} times shorter, worst to best {least:.1f} times, none lost: {none}")
        short += [] if none or factor >= SHORTER else [name]
    assert any(lost for found in seen.restarted.values() for _, lost in found)
    assert not short, f"not {SHORTER} times shorter on {', '.join(short)}"


def _gaps(rounds: list[tuple[float, int]]) -> list[float]:
    return [gap for gap, _ in rounds]


def _together(found: dict[str, list[tuple[float, int]]], nodes: list[str]) -> list[float]:
    """Of each round, the longest gap of any of these nodes."""
    return [max(gaps) for gaps in zip(*(_gaps(found[node]) for node in nodes), strict=True)]


def _rounded(gaps: list[float]) -> str:
    return " ".join(f"{gap:.0f}" for gap in gaps)
