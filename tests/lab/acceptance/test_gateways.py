"""Two gateways and a router between them: who carries the router's external port while a gateway is updated.

What OVN's databases say is asked beside the engine all the time; packets are counted by the probe. The tests
are one story, from a cloud at 1.0.0 to one at 1.0.1, with everything that may come in between.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from .. import operator, proof
from ..enclosure import wait_for
from ..events import EventLog, step
from ..network import Overlay
from ..probe import Probe, moment

LAB_PROFILE = "gateways"
POLICIES = {"gateway": {"drain": "ovn_failover"}}


@pytest.fixture(scope="module")
def overlay(cloud) -> Overlay:
    built = Overlay(cloud, ports=20, rules=5, addresses=5).build()
    assert priorities(built) == {"gtw1": 100, "gtw2": 90}
    assert wait_for(lambda: built.active_gateway() == "gtw1", 60, interval=0.5)
    return built


def priorities(overlay: Overlay) -> dict[str, int]:
    answer = overlay.nb("--format=json", "--columns=chassis_name,priority", "list", "ha_chassis")
    return dict(json.loads(answer)["data"])


def drained(cloud) -> dict:
    return json.loads(cloud.master(["salt-run", "workload.drained", "--out=json"]).stdout)


class Witness:
    """Notes which gateway the databases name, again and again: (seconds since the epoch, chassis)."""

    def __init__(self, overlay: Overlay) -> None:
        self.seen: list[tuple[float, str | None]] = []
        self._overlay = overlay
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Witness:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._thread.join(60)

    def between(self, began: float, ended: float) -> set[str | None]:
        """Who was named by answers that were asked for and given in a stretch of time."""
        inside = [chassis for asked, given, chassis in self.seen if began <= asked and given <= ended]
        assert inside, "nobody looked in that time"
        return set(inside)

    def _look(self) -> None:
        while not self._over.wait(0.2):
            asked = time.time()
            chassis = self._overlay.active_gateway()
            self.seen.append((asked, time.time(), chassis))


def kill_in_mid_drain(cloud, overlay, node: str) -> None:
    """Start the update and pull the plug of its process when the node's priority has been lowered."""
    usual = priorities(overlay)[node]
    with EventLog(cloud) as log:
        process = operator.start_update(cloud)
        log.wait_for(step(stage="ovs", node=node, step="drain", status="started"), timeout=900)
        assert wait_for(lambda: priorities(overlay)[node] < usual, 60, interval=0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert list(drained(cloud)) == [node]


def test_without_a_live_spare_nothing_is_touched(cloud, overlay):
    cloud.set_pillar(target_version="1.0.1", policies=POLICIES)
    before = proof.fingerprint(cloud)
    cloud.exec("gtw2", ["systemctl", "stop", "ovn_controller.service"])
    try:
        refused = operator.update(cloud, check=False)
    finally:
        cloud.exec("gtw2", ["systemctl", "start", "ovn_controller.service"])
    printed = refused.stdout + refused.stderr
    assert refused.returncode != 0 and "NO_SPARE" in printed and "gtw1" in printed, printed
    after = proof.fingerprint(cloud)
    del before["gtw2"], after["gtw2"]  # its container was stopped by us
    assert after == before and priorities(overlay) == {"gtw1": 100, "gtw2": 90}
    overlay.wait()


def test_an_abort_after_a_kill_in_mid_drain_gives_the_router_back(cloud, overlay):
    kill_in_mid_drain(cloud, overlay, "gtw1")
    assert "drain" in cloud.master(["salt-run", "rollout.status"]).stdout
    cloud.master(["salt-run", "rollout.abort"])
    assert priorities(overlay) == {"gtw1": 100, "gtw2": 90} and drained(cloud) == {}
    assert overlay.active_gateway() == "gtw1"


def test_by_hand_there_and_back(cloud, overlay):
    cloud.master(["salt-run", "workload.drain", "gtw1"])
    assert overlay.active_gateway() == "gtw2" and list(drained(cloud)) == ["gtw1"]
    second = cloud.master(["salt-run", "workload.drain", "gtw2"], check=False)
    assert second.returncode != 0 and "NO_SPARE" in second.stdout + second.stderr
    assert overlay.active_gateway() == "gtw2"
    cloud.master(["salt-run", "workload.restore", "gtw1"])
    assert overlay.active_gateway() == "gtw1" and priorities(overlay) == {"gtw1": 100, "gtw2": 90}


@pytest.fixture(scope="module")
def update(cloud, overlay) -> Iterator[tuple]:
    """An update that is killed in mid-drain and run again, with what was seen of it from outside."""
    with Witness(overlay) as witness, Probe(overlay) as probe, EventLog(cloud) as log:
        kill_in_mid_drain(cloud, overlay, "gtw1")
        operator.update(cloud)
        measured = probe.stop()
    return witness, measured, log.steps()


def when(events: list[dict], status: str, **wanted: str) -> float:
    found = [e for e in events if e["status"] == status and wanted.items() <= e.items()]
    assert found, (status, wanted)
    return moment(found[-1])


@pytest.mark.parametrize("stage", ["ovs", "system"])
@pytest.mark.parametrize(("node", "other"), [("gtw1", "gtw2"), ("gtw2", "gtw1")])
def test_a_gateway_carries_nothing_while_its_switch_is_touched(update, stage, node, other):
    witness, _, events = update
    place = {"stage": stage, "node": node}
    steps = [e["step"] for e in events if place.items() <= e.items() and e["status"] == "succeeded"]
    assert steps[-4:] == ["drain", "apply", "verify", "restore"]
    empty = when(events, "succeeded", step="drain", **place)
    back = when(events, "started", step="restore", **place)
    assert witness.between(empty, back) == {other}


def test_afterwards_everything_is_as_the_operator_had_it(cloud, overlay, update):
    proof.assert_cloud_at(cloud, "1.0.1")
    assert priorities(overlay) == {"gtw1": 100, "gtw2": 90} and drained(cloud) == {}
    assert overlay.active_gateway() == "gtw1"
    status = operator.status(cloud)
    assert status["drained"] == {} and status["run"]["state"] == "completed"


def test_what_the_traffic_felt_is_told(update):
    _, measured, events = update
    print(f"\n{measured.table()}")
    for (stage, node), part in measured.by_step(events).items():
        if node.startswith("gtw") and stage in ("ovs", "system"):
            print(
                f"{stage} {node}: {part.lost} of {part.sent} lost, longest gap {part.longest_gap_ms:.0f} ms"
            )
    outside = measured.only([pair for pair in measured.packets if "outside" in pair])
    assert outside.sent > 1000 and outside.lost < outside.sent / 20
