"""Drain, apply, verify, restore: the engine over simulated nodes whose workloads move."""

import threading

import pytest

from openstack_rollout.declared import words
from openstack_rollout.declared.differences import Difference, Kind
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.drain_record import BY_HAND, DrainRecord, DrainState, OpenDrain
from openstack_rollout.rollout import control, dry_run, restoration
from openstack_rollout.rollout.drain_steps import LiveCapacity
from openstack_rollout.screens import tables
from tests.unit.rolling_back import later
from tests.unit.simulated_fleet import DRAIN, Cloud, Killed, NoReboots, refusal

HOME = {f"compute{number}": [f"compute{number}-a", f"compute{number}-b"] for number in range(1, 5)}


@pytest.fixture
def cloud():
    cloud = Cloud(controller=1, gateway=2, compute=4)
    cloud.policy("compute", drain=DRAIN)
    return cloud


def computes(master):
    return {node: sorted(lives) for node, lives in master.drain.lives.items() if node.startswith("compute")}


def steps(cloud, node, stage):
    return [
        data["step"]
        for _, data in cloud.events
        if (data["node"], data["stage"], data["status"]) == (node, stage, "succeeded")
    ]


def test_no_workload_leaves_a_node_for_a_release_that_was_edited(cloud, master):
    def edit():
        if "compute1" in cloud.statuses("apply", stage="ovs"):
            cloud.openstack["releases"]["1.0.1"]["packages"]["openvswitch"] = "1.0.2"

    master.before_poll = edit
    assert refusal(master.update).reason == "TARGET_CHANGED"
    assert ("drain", "compute1") in master.drain.log and ("drain", "compute2") not in master.drain.log
    assert computes(master) == HOME, "also of one that failed by it"


def test_an_abort_after_an_edit_brings_workloads_back(cloud, master):
    def edit():
        if "compute1" in cloud.statuses("apply", stage="ovs"):
            master.before_poll = lambda: None  # asked once
            cloud.openstack["releases"]["1.0.1"]["packages"]["openvswitch"] = "1.0.2"
            master.journal.ask(master.run.id, "abort")

    master.before_poll = edit
    cloud.nodes["compute1"].faults["ovs/verify"] = "NODE_ERROR"
    assert refusal(master.update).reason in ("ABORTED", "NODE_ERROR")
    assert master.run.state == "aborted" and computes(master) == HOME


def test_a_node_is_drained_before_it_is_touched_and_restored_after_it_is_proven(cloud, master):
    empty_when_applied = []
    cloud.applied = Recorder(
        lambda entry: empty_when_applied.append((entry, list(master.drain.lives[entry[1]])))
    )
    assert master.update()["state"] == "completed"
    assert steps(cloud, "compute2", "ovs") == ["drain", "apply", "verify", "restore"]
    assert steps(cloud, "compute2", "services") == ["apply", "verify"]
    assert steps(cloud, "gateway1", "ovs") == ["apply", "verify"]
    for (stage, node), lives in empty_when_applied:
        assert (lives == []) == (node.startswith("compute") and stage in ("ovs", "system")), (stage, node)
    assert computes(master) == HOME and master.journal.all_drained() == {}


class Recorder(list):
    def __init__(self, told):
        super().__init__()
        self._told = told

    def append(self, entry):
        super().append(entry)
        self._told(entry)


def test_what_a_drain_did_is_told_in_events_and_report(cloud, master):
    master.update()
    told = [
        data["message"]
        for _, data in cloud.events
        if (data["step"], data["status"]) == ("drain", "succeeded")
    ]
    assert told and set(told) == {"2 moved"}
    lines = [
        step
        for step in control.report(master.journal)["nodes"]["compute1"]["steps"]
        if step["stage"] == "ovs"
    ]
    assert [(step["step"], step["outcome"]) for step in lines] == [
        ("drain", "done: 2 moved"),
        ("apply", "done"),
        ("verify", "done"),
        ("restore", "done: 2 back"),
    ]


def test_no_spare_is_refused_before_anything_is_touched(cloud, master):
    master.drain.unable = RolloutError("NO_SPARE", "compute1: no other compute is up")
    assert refusal(master.update).reason == "NO_SPARE"
    assert master.run is None and cloud.events == [] and master.lock.holder() is None
    asked = [nodes for step, nodes in master.drain.log if step == "refuse"]
    assert asked == [("compute1", "compute2", "compute3", "compute4")]


def test_a_run_that_drains_nothing_asks_no_drain(cloud, master):
    master.drain.unable = RolloutError("NO_SPARE", "none")
    assert master.rollout().stage("ovn")["state"] == "done"


def test_nodes_are_drained_side_by_side_as_many_as_the_cloud_can_spare(cloud, master):
    cloud.policy("compute", drain=DRAIN, batch=4)
    master.drain.spare = 2
    together = threading.Barrier(2, timeout=20)  # breaks unless two drains are under way at the same time
    master.drain.pause = lambda step, node: together.wait() if step == "drain" else None
    assert master.update()["state"] == "completed"
    flights = [
        set(data["in_flight"]) for data in cloud.flown() if data.get("stage") == "ovs" and "in_flight" in data
    ]
    assert max(len(flight) for flight in flights if flight <= set(HOME)) == 2


def test_no_room_while_none_is_away_pauses(cloud, master):
    master.drain.spare = 0
    error = refusal(master.update)
    assert error.reason == "NO_SPARE" and "compute1" in error.message
    assert master.run.state == "paused" and computes(master) == HOME
    master.drain.spare = 1
    assert master.update()["state"] == "completed"


def test_room_that_comes_in_time_is_waited_for():
    now, spare = [0.0], [0]

    class Spares:
        def capacity(self, nodes):
            return spare[0]

    room = LiveCapacity(Spares(), lambda: now[0])
    for now[0] in (0.0, 60.0, 119.0):
        assert room([], ["a"]) == 0
    spare[0], now[0] = 1, 130.0
    assert room([], ["a"]) == 1
    spare[0], now[0] = 0, 200.0
    assert room([], ["a"]) == 0
    now[0] = 320.0
    with pytest.raises(RolloutError, match="NO_SPARE: no other node can take the workloads of a"):
        room([], ["a"])


@pytest.mark.parametrize("step", [-3600, 3600])
def test_room_is_waited_for_as_long_when_the_clock_is_set_meanwhile(cloud, master, step):
    master.drain.spare, waits = 0, []

    def look():
        record = master.journal.node(master.run.id, "compute1")
        if record and (record.stage, record.state) == ("ovs", "waiting"):
            waits.append(cloud.now)
            cloud.stepped = step
            master.drain.spare = int(cloud.now > waits[0] + 60)

    master.before_poll = look
    assert master.update()["state"] == "completed"
    assert 60 < waits[-1] - waits[0] < 80


def test_room_is_asked_again_when_something_changed_or_time_has_passed():
    now = [0.0]
    asked = []

    class Counting:
        def capacity(self, nodes):
            asked.append(list(nodes))
            return 1

    room = LiveCapacity(Counting(), lambda: now[0])
    assert [room([], ["a", "b"]), room([], ["a", "b"]), room(["a"], ["b"])] == [1, 1, 1]
    assert asked == [["a", "b"]]
    now[0] = 60.0
    room(["a"], ["b"]), room([], ["b"])
    assert asked == [["a", "b"], ["a", "b"], ["b"]]


def test_a_drain_that_fails_takes_back_what_it_did_and_pauses(cloud, master):
    master.drain.faults["compute2"] = {"drain": RolloutError("DRAIN_FAILED", "server x: migration failed")}
    error = refusal(master.update)
    assert error.reason == "DRAIN_FAILED" and "server x" in error.message and "is back" in error.message
    assert computes(master) == HOME and master.journal.all_drained() == {}
    assert ("ovs", "compute2") not in cloud.applied and ("ovs", "compute3") not in cloud.applied
    master.drain.faults.clear()
    assert master.update()["state"] == "completed" and computes(master) == HOME


def test_a_node_that_died_since_its_stage_began_is_not_drained(cloud, master):
    dead = {"compute2"}

    class Asked(NoReboots):
        def refuse_silent(self, node):
            if node in dead:
                raise RolloutError("NODE_SILENT", f"{node}: no answer", [node])

    master.reboots = lambda model: Asked(model, None)
    assert refusal(master.update).reason == "NODE_SILENT"
    assert ("drain", "compute2") not in master.drain.log and computes(master) == HOME
    assert master.journal.all_drained() == {}
    dead.clear()
    assert master.update()["state"] == "completed" and computes(master) == HOME


def test_whatever_a_kind_raises_is_a_named_failure(cloud, master):
    master.drain.faults["compute1"] = {
        "drain": ConnectionError("[Errno 111] refused"),
        "restore": OSError("gone"),
    }
    error = refusal(master.update)
    assert error.reason == "DRAIN_FAILED" and "ConnectionError" in error.message
    assert "rollback also failed: RESTORE_FAILED: OSError: gone" in error.message
    assert master.journal.drained("compute1").state == "restoring"
    master.drain.faults.clear()
    assert master.update()["state"] == "completed"
    assert computes(master) == HOME and master.journal.all_drained() == {}


def test_a_node_that_fails_while_it_is_empty_stays_empty_until_it_is_mended(cloud, master):
    cloud.nodes["compute2"].faults["ovs/apply"] = "OVS_FAILED"
    assert refusal(master.update).reason == "OVS_FAILED"
    assert computes(master) == {**HOME, "compute2": []}
    assert master.journal.drained("compute2").state == "drained"
    cloud.nodes["compute2"].faults.clear()
    assert master.update()["state"] == "completed"
    assert computes(master) == HOME and master.journal.all_drained() == {}
    assert [entry for entry in master.drain.log if entry[1] == "compute2"].count(("restore", "compute2")) == 2


def test_a_drained_node_is_not_filled_again_when_draining_it_again_fails(cloud, master):
    cloud.nodes["compute2"].faults["ovs/apply"] = "OVS_FAILED"
    refusal(master.update)
    master.drain.lives["compute2"].append("compute2-new")
    master.drain.faults["compute2"] = {"drain": RolloutError("DRAIN_FAILED", "the API is away")}
    error = refusal(master.update)
    assert error.reason == "DRAIN_FAILED" and "is back" not in error.message
    assert "compute2-a" not in master.drain.lives["compute2"]
    assert master.journal.drained("compute2").data["moved"] == ["compute2-a", "compute2-b", "compute2-new"]


def test_a_node_that_cannot_be_emptied_is_left_out_without_a_failure(cloud, master):
    cloud.policy("compute", drain=DRAIN, canary=1)
    master.drain.faults["compute1"] = {
        "drain": RolloutError("SERVERS_UNMOVABLE", "server x has a local disk")
    }
    error = refusal(master.update)
    assert error.reason == "FAILURE_BUDGET" and "compute1 (SERVERS_UNMOVABLE)" in error.message
    assert master.run.state == "incomplete"
    assert ("ovs", "compute1") not in cloud.applied and ("system", "compute4") in cloud.applied
    first = [data for data in cloud.flown() if (data["step"], data["stage"]) == ("apply", "ovs")]
    assert next(data["in_flight"] for data in first if data["role"] == "compute") == ["compute2"]
    assert computes(master) == HOME and master.journal.all_drained() == {}


def kill(master, step, node):
    """Kill the engine, its threads with it, when that step of a node is half done."""
    reached, dead = threading.Event(), threading.Event()

    def stop(now, where):
        if (now, where) == (step, node) and not dead.is_set():
            reached.set()
            dead.wait()
            raise SystemExit  # the thread of a killed process does nothing more

    def look():
        if reached.is_set():
            master.before_poll = lambda: None
            raise Killed

    master.drain.pause, master.before_poll = stop, look
    with pytest.raises(Killed):
        master.update()
    return dead


@pytest.mark.parametrize("step", ["drain", "restore"])
def test_an_engine_killed_in_the_middle_of_a_move_is_followed_by_one_that_finishes_it(cloud, master, step):
    dead = kill(master, step, "compute2")
    run = master.run
    assert run.state == "running" and len(master.drain.lives["compute2"]) == 1
    assert master.journal.drained("compute2").state == {"drain": "draining", "restore": "restoring"}[step]
    master.drain.pause = lambda step, node: None
    assert master.update()["state"] == "completed"
    dead.set()
    assert master.run.id == run.id
    assert computes(master) == HOME and master.journal.all_drained() == {}
    assert cloud.applied.count(("ovs", "compute2")) == 1


def test_an_abort_after_the_engine_died_restores_what_can_be(cloud, master):
    dead = kill(master, "drain", "compute2")
    master.drain.pause = lambda step, node: None
    assert control.abort(master.journal, master.lock)["state"] == "aborted"
    assert master.rollout().restore_drained() == []
    dead.set()
    assert computes(master) == HOME and master.lock.holder() is None and master.run.state == "aborted"


@pytest.mark.parametrize("ill", [False, True])
def test_a_rollback_restores_what_the_run_left_drained_on_nodes_that_do_not_go_back(cloud, master, ill):
    dead = kill(master, "drain", "compute2")
    master.drain.pause = lambda step, node: None
    later(cloud)
    cloud.nodes["compute2"].health = ["br-int has no flows"] if ill else []
    asked = {"limit": "compute1", "stages": ("ovs",)}
    if ill:
        error = refusal(lambda: master.roll_back(**asked))
        assert error.reason == "STILL_DRAINED" and "compute2" in error.message
        cloud.nodes["compute2"].health = []
    assert master.roll_back(**asked)["state"] == "completed"
    dead.set()
    assert computes(master) == HOME and master.journal.all_drained() == {}
    assert cloud.nodes["compute1"].at["ovs"] == "1.0.0" and cloud.nodes["compute2"].at["services"] == "1.0.1"


def test_an_abort_names_the_drained_node_that_is_ill(cloud, master):
    cloud.policy("compute", drain=DRAIN, max_failures=2)
    cloud.nodes["compute1"].faults["ovs/apply"] = "OVS_FAILED"
    cloud.nodes["compute2"].faults["ovs/apply"] = "OVS_FAILED"

    def abort():
        if "compute3" in cloud.statuses("apply", stage="ovs"):
            cloud.nodes["compute2"].health = ["br-int has no flows"]
            master.journal.ask(master.run.id, "abort")
            master.before_poll = lambda: None

    master.before_poll = abort
    assert refusal(master.update).reason == "ABORTED"
    assert list(restoration.drained_by_runs(master.journal)) == ["compute2"]
    assert computes(master) == {**HOME, "compute2": []}
    ill = words.difference(Difference("", Kind.DATAPATH, "data path", "br-int has no flows"))
    assert master.run.message.endswith(f"; still drained: compute2 ({DRAIN}: {ill})")
    assert master.lock.holder() is None


def test_a_run_is_not_completed_while_a_node_is_drained(cloud, master):
    cloud.nodes["compute2"].faults["ovs/verify"] = "NODE_ERROR"  # the node is right, the answer was lost
    refusal(master.update)
    cloud.nodes["compute2"].faults.clear()
    cloud.nodes["compute2"].at["system"] = cloud.target
    master.drain.faults["compute2"] = {"restore": RolloutError("RESTORE_FAILED", "agent stays down")}
    error = refusal(master.update)
    assert error.reason == "RESTORE_FAILED" and master.run.state == "paused"
    master.drain.faults.clear()
    assert master.update()["state"] == "completed" and computes(master) == HOME


def test_a_record_of_a_node_that_left_the_cloud_keeps_the_run_open(cloud, master):
    place = DrainRecord("compute9", "compute", "simulated", "r0", "ovs")
    OpenDrain.begin(master.journal, place)
    error = refusal(master.update)
    assert error.reason == "STILL_DRAINED" and "compute9" in error.message and master.run.state == "paused"
    master.journal.forget_drained("compute9")
    assert master.update()["state"] == "completed"


def test_a_node_that_needs_nothing_more_is_restored_first(cloud, master):
    cloud.nodes["compute2"].faults["system/verify"] = "NODE_ERROR"
    refusal(master.update)
    assert master.drain.lives["compute2"] == []
    cloud.nodes["compute2"].faults.clear()
    cloud.events.clear()
    assert master.update()["state"] == "completed"
    begun = [(data["node"], data["step"]) for _, data in cloud.events if data["status"] == "started"]
    assert begun[1] == ("compute2", "restore")
    assert computes(master) == HOME


def test_what_an_operator_drained_by_hand_stays_drained(cloud, master):
    place = DrainRecord("compute2", "compute", DRAIN, BY_HAND, "")
    record = OpenDrain.begin(master.journal, place)
    master.drain.lives["compute2"] = []
    record.data["moved"] = list(HOME["compute2"])
    record.note(DrainState.DRAINED, "")
    assert master.update()["state"] == "completed"
    assert computes(master) == {**HOME, "compute2": []}
    assert master.journal.drained("compute2").run == BY_HAND


def test_a_policy_that_changes_while_a_node_is_drained_uses_the_records_kind(cloud, master):
    cloud.nodes["compute2"].faults["ovs/apply"] = "OVS_FAILED"
    refusal(master.update)
    cloud.nodes["compute2"].faults.clear()
    cloud.policy("compute", drain="none")
    assert master.update()["state"] == "completed"
    assert computes(master) == HOME and master.journal.all_drained() == {}


def test_the_plan_shows_who_is_drained_and_what_would_be_refused(cloud, master):
    master.drain.unable = RolloutError("NO_SPARE", "compute1: no other compute is up")
    data = dry_run.dry_run(cloud.model, master.ports(), lambda nodes, stage: {})
    drained = {
        (stage["stage"], role["role"])
        for stage in data["stages"]
        for one in stage["rounds"]
        for role in one["roles"]
        if role["drain"] == DRAIN
    }
    assert drained == {("ovs", "compute"), ("system", "compute")}
    assert data["refused"].startswith("NO_SPARE")
    assert f"  compute: batch 1, drained by {DRAIN}\n    wave 1: compute1: drain > apply" in tables.text(data)


def test_the_plan_names_the_risks_of_servers_that_will_be_moved(cloud, master, monkeypatch):
    asked = []
    server = {"server": "vm", "host": "compute1", "status": "ACTIVE", "memory_mib": 64, "will": "drain fails"}
    found = {"servers": [{**server, "risks": {"locked": "is locked"}}], "routers": [], "failures": {}}
    master.risks = lambda _, roles: asked.append(roles) or found
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(dry_run, "CLOUD_DRAINS", ())  # drains that do not speak to OpenStack's API
        assert dry_run.dry_run(cloud.model, master.ports(), lambda nodes, stage: {})["workloads"] is None
    assert asked == []
    data = dry_run.dry_run(cloud.model, master.ports(), lambda nodes, stage: {})
    assert asked == [{"compute": list(HOME)}]
    assert "vm: locked: is locked" in tables.text(data)
