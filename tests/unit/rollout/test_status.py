import json
import os
from dataclasses import replace

import pytest

from openstack_rollout.errors import REASONS, RolloutError
from openstack_rollout.records.run_record import RunState
from openstack_rollout.rollout import control, dry_run, status
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.screens import tables

CLOUD = {"controller": 1, "compute": 2}


def measured(master):
    cloud = master.cloud
    parts = master.ports()
    members = Membership.of(cloud.model, parts.fleet)
    answers = members.measure(parts.fleet, members.ids)
    run = master.run
    records = master.journal.nodes(run.id) if run else {}
    drained = master.journal.all_drained()
    holder = master.lock.holder()
    return status.status(cloud.model, members, answers, run, records, drained=drained, gone={}, holder=holder)


def test_before_and_after_an_update(cloud, master):
    before = measured(master)
    assert (before["target"], before["available"], before["deployed"]) == ("1.0.1", "1.0.2", "1.0.0")
    assert before["run"] is None and before["roles"]["compute"] == {"at_target": 0, "total": 2}
    assert before["nodes"]["compute1"]["stages"]["services"] == "pending"
    master.update()
    after = measured(master)
    assert after["deployed"] == "1.0.1" and after["roles"]["compute"] == {"at_target": 2, "total": 2}
    assert {node["state"] for node in after["nodes"].values()} == {"at_target"}
    assert after["run"]["state"] == "completed"


def test_a_run_under_way_tells_which_process_drives_it(cloud, master):
    master.rollout().begin()
    data, holder = measured(master), master.lock.holder()
    assert data["run"]["driver"] == {name: holder[name] for name in ("pid", "host", "since")}
    assert f"process {os.getpid()} on {holder['host']} since 2" in tables.text(data)
    for stage in ("ovn", "control_plane", "services", "ovs", "system"):
        master.rollout().stage(stage)
    master.rollout().finish()
    assert measured(master)["run"]["driver"] is None and "process" not in tables.text(measured(master))


def test_a_paused_run_with_a_silent_and_a_failed_node(cloud, master):
    cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    with pytest.raises(RolloutError):
        master.update()
    cloud.nodes["controller1"].silent = True
    data = measured(master)
    assert data["nodes"]["controller1"]["state"] == "silent"
    assert data["nodes"]["compute1"]["state"] == "failed"
    assert data["nodes"]["compute1"]["reason"] == "CONTAINER_EXITED"
    assert (data["run"]["state"], data["run"]["stage"]) == ("paused", "services") and data["run"]["remedy"]
    assert data["deployed"] is None
    assert json.loads(json.dumps(data)) == data


def test_a_run_in_a_closed_window_tells_for_which_node_it_waits(cloud, master):
    cloud.openstack["window"] = {"from": "02:00", "to": "04:00", "prefetch": "any_time"}
    with pytest.raises(RolloutError):
        master.update()
    run = measured(master)["run"]
    closed = run["closed"]
    assert (closed["node"], closed["role"], closed["stage"]) == ("controller1", "controller", "ovn")
    assert closed["opens"] == run["opens"] and closed["seconds"] >= 600


def test_the_table_begins_with_the_four_columns(master):
    lines = tables.text(measured(master)).splitlines()
    assert lines[0].split() == ["NAME", "TARGET", "AVAILABLE", "DEPLOYED"]
    assert lines[1].split() == ["openstack", "1.0.1", "1.0.2", "1.0.0"]
    assert any(line.split() == ["compute", "0/2"] for line in lines)
    assert any(line.startswith("compute2 ") and "pending" in line for line in lines)


def test_the_report_tells_stages_and_steps_with_their_time(cloud, master):
    master.update()
    data = control.report(master.journal)
    assert list(data["stages"]) == ["prefetch", "ovn", "control_plane", "services", "ovs", "system"]
    assert data["stages"]["services"]["counts"] == {"done": 2} and data["stages"]["services"]["seconds"] > 60
    steps = [(step["stage"], step["step"]) for step in data["nodes"]["compute1"]["steps"]]
    assert steps[:3] == [("prefetch", "prefetch"), ("ovn", "apply"), ("ovn", "verify")]
    assert "services" in tables.text(data) and "compute1" in tables.text(data)


def test_a_run_without_a_release_is_called_by_its_orchestration_alone():
    assert tables.title_of({"orchestration": "orch.system", "target": ""}) == "orch.system"
    assert tables.title_of({"orchestration": "orch.update", "target": "1.0.1"}) == "orch.update to 1.0.1"


def test_the_report_of_a_paused_run_says_the_remedy(cloud, master):
    cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    with pytest.raises(RolloutError):
        master.update()
    lines = tables.text(control.report(master.journal)).splitlines()
    assert lines[1].startswith("CONTAINER_EXITED: ") and lines[2] == REASONS["CONTAINER_EXITED"]


def test_no_run_to_report_on(master):
    with pytest.raises(RolloutError, match="NO_RUN"):
        control.report(master.journal)
    with pytest.raises(RolloutError, match="NO_RUN"):
        control.pause(master.journal, master.lock)


def test_a_run_that_nobody_drives_is_paused_and_ended_at_once(master):
    run = master.journal.create("1.0.1", "orch.update", ["ovn"], {})
    assert control.pause(master.journal, master.lock)["state"] == "paused"
    assert master.run.reason == "PAUSED_BY_OPERATOR"
    assert control.to_resume(master.journal, master.lock) == "orch.update"
    assert control.abort(master.journal, master.lock) == {
        "run": run.id,
        "state": "aborted",
        "in_flight": [],
    }
    assert master.journal.unfinished() is None


def test_a_live_engine_is_asked(master):
    run = master.journal.create("1.0.1", "orch.update", ["ovn"], {})
    master.lock.acquire()
    master.lock.assign(run.id)
    with pytest.raises(RolloutError, match="RUN_IN_PROGRESS"):
        control.to_resume(master.journal, master.lock)
    assert control.pause(master.journal, master.lock)["state"] == "pausing"
    assert master.journal.requested(run.id) == "pause" and master.run.state == "running"
    assert control.to_resume(master.journal, master.lock) is None
    assert master.journal.requested(run.id) is None


def test_the_plan_shows_waves_changes_and_what_would_be_refused(cloud, master):
    cloud.policy("compute", batch="100%", per_zone=1, canary=0)

    def predict(nodes, stage):
        change = {"state": stage, "comment": "would change", "changes": {}, "fails": False}
        broken = {"state": "x", "comment": "no podman", "changes": {}, "fails": True}
        return {name: [broken if name == "compute2" else change] for name in nodes}

    data = dry_run.dry_run(cloud.model, master.ports(), predict)
    assert data["refused"] is None
    services = next(stage for stage in data["stages"] if stage["stage"] == "services")
    (role,) = services["rounds"][0]["roles"]
    assert (role["role"], role["batch"], role["per_zone"], role["drain"]) == ("compute", 2, 1, "none")
    assert [[node["id"] for node in wave["nodes"]] for wave in role["waves"]] == [["compute1", "compute2"]]
    assert list(data["nodes"]["controller1"]) == ["ovn", "control_plane", "ovs", "system"]
    text = tables.text(data)
    assert "\nservices\n  compute: batch 2, 1 in a zone\n" in text
    assert "    wave 1: compute1, compute2: apply > verify\n" in text
    assert "\n  services: would change\n" in text and "\n  x: would fail: no podman\n" in text
    master.missing = [("IMAGE_MISSING", "service ovn: registry/ovn: is not in the registry")]
    cloud.policy("compute", batch=1, canary=1)
    data = dry_run.dry_run(cloud.model, master.ports(), predict)
    assert data["refused"].startswith("IMAGE_MISSING: ")
    assert f"\n{REASONS['IMAGE_MISSING']}\n" in tables.text(data)
    assert cloud.applied == [] and master.run is None


def test_a_node_that_a_run_would_leave_out_is_in_no_wave(cloud, master):
    cloud.policy("compute", max_failures=1)
    newer = cloud.nodes["compute1"]
    newer.at = dict.fromkeys(newer.at, "1.0.2")
    data = dry_run.dry_run(cloud.model, master.ports(), lambda nodes, stage: {})
    assert data["failures"]["compute1"].startswith("DOWNGRADE_REFUSED: ") and data["refused"] is None
    assert "compute1:" not in tables.text(data).partition("compute1: DOWNGRADE_REFUSED")[0]


@pytest.mark.parametrize("state", ["interrupted", "incomplete"])
def test_a_run_that_stopped_otherwise_still_tells_of_its_nodes(cloud, master, state):
    cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    with pytest.raises(RolloutError):
        master.update()
    master.journal.save(replace(master.run, state=RunState(state)))
    node = measured(master)["nodes"]["compute1"]
    assert (node["state"], node["reason"], node["stage"]) == ("failed", "CONTAINER_EXITED", "services")


def test_a_node_that_was_mended_since_is_what_it_measures(cloud, master):
    cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    with pytest.raises(RolloutError):
        master.update()
    cloud.nodes["compute1"].at = dict.fromkeys(cloud.nodes["compute1"].at, "1.0.1")
    node = measured(master)["nodes"]["compute1"]
    assert (node["state"], node["reason"], node["message"]) == ("at_target", "", "")
    cloud.nodes["compute1"].health = ["container nova_compute: unhealthy"]
    assert measured(master)["nodes"]["compute1"]["state"] == "failed"


def test_the_table_tells_that_a_runs_process_is_gone(cloud, master):
    master.update()
    data = measured(master)
    data["run"].update(state="interrupted", reason="INTERRUPTED", message="its process is gone")
    assert "INTERRUPTED: its process is gone" in tables.text(data)


def test_a_stale_switch_is_told_and_is_no_failure(cloud, master):
    master.update()
    data = measured(master)
    data["nodes"]["compute1"]["switch"] = {"running": "3.4.0", "installed": "3.5.0", "stale": True}
    data["nodes"]["compute2"]["switch"] = {"running": "3.5.0", "installed": "3.5.0", "stale": False}
    line = "compute1: the switch is stale: 3.4.0 runs, 3.5.0 is installed"
    assert line in tables.text(data) and "compute2: the switch" not in tables.text(data)
    assert data["nodes"]["compute1"]["state"] == "at_target"


@pytest.mark.parametrize(
    ("running", "said"),
    [("3.4.0", "3.4.0 runs and is the version on disk, but its programs were replaced"), (None, "what runs")],
)
@pytest.mark.wording
def test_a_switch_whose_programs_were_replaced_is_told_as_that(master, running, said):
    """As after a rollback of its packages without a reload."""
    data = measured(master)
    data["nodes"]["compute1"]["switch"] = {"running": running, "installed": "3.4.0", "stale": True}
    line = next(one for one in tables.text(data).splitlines() if "compute1: the switch is stale" in one)
    assert said in line and "3.4.0 runs, 3.4.0" not in line and "None" not in line
    assert "openstack:ovs:reload" in line


def test_nodes_that_are_gone_are_told(master):
    data = measured(master) | {"gone": {"compute9": {"role": "compute", "key": "pending"}}}
    assert "\ncompute9: gone: " in tables.text(data) and "pending" in tables.text(data)
