"""The live page with 1,000 nodes and 50 events a second, on a real master whose run is made up."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from openstack_rollout.on_salt import wiring
from openstack_rollout.records.events import NodeEvent
from openstack_rollout.records.planned import Plan
from openstack_rollout.records.run_record import NodeRecord, NodeState, StageRecord, StageState, Step
from openstack_rollout.records.snapshot import Image, Snapshot
from tests.integration.browser import Browser

NODES = 1000
EVENTS, A_SECOND = 500, 50
MOST_LATE = 5.0  # seconds that the page may be behind, as beside a small cloud
STAGES = ("ovn", "control_plane", "services", "ovs", "system")


@pytest.fixture
def run(cloud):
    """A run of 1,000 nodes that this process seems to drive, at services: its record, its nodes."""
    cloud.fresh()
    opts = cloud.master.config
    journal, lock = wiring.journal(opts), wiring.lock(opts)
    lock.acquire()
    names = [f"cmp{number}.rack{number % 40}.example" for number in range(NODES)]
    run = journal.create("1.0.1", "orch.update", STAGES, {})
    began = time.time() - 3600
    run.created, run.plan = began, Plan("1.0.1", tuple(names))
    run.stage["prefetch"] = StageRecord(StageState.DONE, began, began + 50, {"done": NODES})
    run.stage["ovn"] = StageRecord(StageState.DONE, began + 60, began + 600, {"done": NODES})
    run.stage["services"] = StageRecord(StageState.RUNNING, began + 600)
    journal.save(run)
    services = {f"service{number}": Image("1.0.0", f"{number:064x}") for number in range(20)}
    before = Snapshot(began, "1.0.0", services, {f"package{one}": ["1.0.0"] for one in range(60)})
    for number, name in enumerate(names):
        at = began + 60 + number / 2
        steps = [Step("ovn", step, at, at + 20, "done") for step in ("drain", "apply", "verify", "restore")]
        history = [Step("prefetch", "prefetch", began, began + 50, "done"), *steps]
        known = {"state": NodeState.DONE, "started": at, "history": history}
        record = NodeRecord("compute", f"az{number % 3}", "ovn", before=before, after=before, **known)
        journal.save_node(run.id, name, record)
    lock.assign(run.id)
    yield run, names
    lock.release()
    journal.forget(run.id)


def test_a_thousand_nodes_and_fifty_events_a_second(cloud, api, run):
    run, names = run
    with Browser(cloud.api) as browser:
        chromium = browser.driver.execute_cdp_cmd
        chromium("Performance.enable", {"timeDomain": "threadTicks"})

        def counted():
            chromium("HeapProfiler.collectGarbage", {})
            return {one["name"]: one["value"] for one in chromium("Performance.getMetrics", {})["metrics"]}

        browser.open("anna")
        browser.until(lambda: browser.text("h-nodes") == "Nodes (1,000)", "they are not shown")
        loaded = counted()
        done = "return document.querySelectorAll('#node-rows td.s-done').length"
        before = browser.driver.execute_script(done)
        assert before == 3 * NODES  # its state, prefetch and ovn

        behind = []
        with cloud.bus() as bus:
            begin = time.monotonic()
            for number in range(EVENTS):
                event = told(run.id, names[number // 2], number % 2)
                bus.fire_event(event.plain(), event.tag)
                time.sleep(max(0.0, begin + (number + 1) / A_SECOND - time.monotonic()))
                if number % A_SECOND == A_SECOND - 1:
                    behind.append((number + 1) // 2 - browser.driver.execute_script(done) + before)
        fired = time.monotonic() - begin
        browser.until(
            lambda: browser.driver.execute_script(done) == before + EVENTS // 2, "events are missing"
        )
        caught_up = time.monotonic() - begin - fired
        after, memory = counted(), browser.memory()
        busy = after["ScriptDuration"] - loaded["ScriptDuration"]
        print(
            f"\nloaded: {loaded['ScriptDuration']:.2f} s of script, {loaded['TaskDuration']:.2f} s in all,"
            f" {loaded['JSHeapUsedSize'] / 2**20:.1f} MiB of heap,"
            f" {loaded['Nodes']:.0f} elements\n"
            f"{EVENTS} events in {fired:.1f} s: {busy:.2f} s of script,"
            f" {after['TaskDuration'] - loaded['TaskDuration']:.2f} s in all,"
            f" {after['JSHeapUsedSize'] / 2**20:.1f} MiB of heap, {memory / 2**20:.1f} MiB of memory;"
            f" behind by {behind} nodes each second,"
            f" caught up {caught_up:.1f} s after the last"
        )
        assert loaded["ScriptDuration"] < 1.0 and memory < 100 * 2**20
        assert busy < EVENTS / A_SECOND / 2, "it would fall behind"
        assert max(behind) < MOST_LATE * A_SECOND / 2 and caught_up < MOST_LATE  # two events are one node
        assert browser.complaints() == []
        browser.picture("live-thousand", height=1400)
    assert Path(cloud.api["rollout_api"]["app"]).stat().st_size < 100_000


def told(run, node, ended):
    """The event of a node whose services begin, or have ended."""
    what = {"step": "verify", "status": "succeeded"} if ended else {"step": "apply", "status": "started"}
    place = {"run": run, "stage": "services", "round": "", "node": node, "role": "compute", "zone": "az0"}
    return NodeEvent(**place, **what, reason="", message="", in_flight=1, at=time.time(), rollback="")
