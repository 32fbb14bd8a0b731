"""The engine and the life of a run, over simulated nodes."""

import subprocess
import sys
from dataclasses import replace

import pytest

from openstack_rollout.declared import words
from openstack_rollout.declared.differences import Kind
from openstack_rollout.records.run_record import RunState
from openstack_rollout.rollout import control
from openstack_rollout.rollout.dry_run import dry_run
from openstack_rollout.rollout.membership import Membership
from tests.unit.simulated_fleet import Cloud, Master, digest, refusal

STAGES = ["ovn", "control_plane", "services", "ovs", "system"]

CLOUD = {"controller": 3, "gateway": 2, "compute": 4, "storage": 1}


def test_an_update_brings_every_node_to_the_target_in_order(cloud, master):
    assert master.update()["state"] == "completed"
    assert all(set(node.at.values()) == {"1.0.1"} for node in cloud.nodes.values())
    stages = [stage for stage, _ in cloud.applied]
    assert stages == sorted(stages, key=STAGES.index)
    services = [node for stage, node in cloud.applied if stage == "services"]
    assert services == ["gateway1", "gateway2", "compute1", "compute2", "compute3", "compute4", "storage1"]
    assert [node for stage, node in cloud.applied if stage == "ovn"][:3] == [
        "controller1",
        "controller2",
        "controller3",
    ]
    assert master.lock.holder() is None


def test_everything_is_prefetched_before_the_first_disruption(cloud, master):
    master.update()
    steps = [data["step"] for _, data in cloud.events if data["status"] == "succeeded"]
    assert steps[: len(cloud.nodes)] == ["prefetch"] * len(cloud.nodes)


def test_one_node_at_a_time_is_the_default(cloud, master):
    master.update()
    disturbing = ("ovn", "control_plane", "services")
    applying = [
        data
        for _, data in cloud.events
        if data["step"] == "apply" and data["status"] == "started" and data["stage"] in disturbing
    ]
    assert {data["in_flight"] for data in applying} == {1}


def test_a_percentage_and_a_limit_per_zone(cloud, master):
    cloud.policy("compute", batch="50%", per_zone=1)
    master.update()
    flights = [
        data["in_flight"]
        for data in cloud.flown()
        if data.get("role") == "compute" and data["step"] == "apply"
    ]
    assert max(map(len, flights)) == 2
    assert all(len({cloud.nodes[node].zone for node in flight}) == len(flight) for flight in flights)


def test_a_converged_cloud_is_left_alone(cloud, master):
    master.update()
    cloud.applied.clear(), cloud.events.clear()
    started = cloud.now
    assert master.update()["state"] == "completed"
    assert cloud.applied == [] and cloud.statuses("prefetch") == []
    assert {record.state for record in master.journal.nodes(master.run.id).values()} == {"skipped"}
    assert cloud.now - started < 10


def test_only_what_differs_is_touched(cloud, master):
    master.update()
    cloud.applied.clear()
    cloud.nodes["compute3"].at["services"] = "1.0.0"
    master.update()
    assert cloud.applied == [("services", "compute3")]


def test_a_failure_pauses_under_its_reason_and_running_again_goes_on(cloud, master):
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    error = refusal(master.update)
    assert error.reason == "CONTAINER_EXITED" and "compute2" in error.message and error.nodes == ("compute2",)
    run = master.run
    assert (run.state, run.reason) == ("paused", "CONTAINER_EXITED") and "compute2" in run.message
    assert ("services", "compute3") not in cloud.applied and master.lock.holder() is None
    cloud.nodes["compute2"].faults.clear()
    before = list(cloud.applied)
    assert master.update()["state"] == "completed"
    assert master.run.id == run.id
    assert not set(before) & set(cloud.applied[len(before) :])


def test_those_in_flight_finish_and_no_new_one_starts(cloud, master):
    cloud.policy("compute", batch=2)
    cloud.nodes["compute1"].faults["ovn/apply"] = "APPLY_FAILED"
    refusal(master.update)
    assert cloud.nodes["compute2"].at["ovn"] == "1.0.1"
    assert master.journal.node(master.run.id, "compute2").state == "done"
    assert "compute3" not in cloud.statuses("apply")


def test_a_silent_node_is_a_failure(cloud, master):
    cloud.policy("compute", silence=20)
    cloud.nodes["compute1"].faults["services/apply"] = "silent"
    error = refusal(master.update)
    assert error.reason == "NODE_SILENT" and "compute1" in error.message and "20 s" in error.message
    error = refusal(master.update)
    assert error.reason == "NODE_SILENT" and master.run.state == "paused"
    cloud.nodes["compute1"].faults.clear()
    cloud.nodes["compute1"].silent = False
    assert master.update()["state"] == "completed"


def test_a_node_is_silent_by_the_policy_of_its_own_role(cloud, master):
    cloud.policy("compute", silence=20)
    cloud.policy("storage", silence=1800)
    cloud.nodes["compute1"].silent = True
    started = cloud.now
    error = refusal(master.update)
    assert error.reason == "NODE_SILENT" and error.nodes == ("compute1",) and cloud.now - started < 60


def test_a_step_that_changed_nothing_is_found_out(cloud, master):
    cloud.nodes["gateway1"].faults["ovn/apply"] = "lie"
    error = refusal(master.update)
    assert error.reason == "NOT_AT_RELEASE" and error.nodes == ("gateway1",)
    members = Membership.of(cloud.model, master.ports().fleet)
    compared = members.compare("gateway1", cloud.facts_of("gateway1"))
    (left,) = compared.stages["ovn"]
    assert (left.kind, left.subject, left.have) == (Kind.CONTAINER_IMAGE, "ovn", "1.0.0")
    assert error.message == f"gateway1 failed at ovn/verify: {words.difference(left, compared)}"


def test_within_the_budget_the_rest_goes_on_and_the_run_is_incomplete(cloud, master):
    cloud.policy("compute", max_failures=1)
    cloud.nodes["compute2"].faults["services/apply"] = "IMAGE_PULL_FAILED"
    error = refusal(master.update)
    assert error.reason == "FAILURE_BUDGET" and "compute2 (IMAGE_PULL_FAILED)" in error.message
    assert master.run.state == "incomplete"
    assert ("system", "compute4") in cloud.applied and ("system", "compute2") not in cloud.applied
    cloud.nodes["compute2"].faults.clear()
    assert master.update()["state"] == "completed"


def test_the_budget_is_a_roles_and_over_all_stages(cloud, master):
    cloud.policy("compute", max_failures=1)
    cloud.nodes["compute2"].faults["ovn/apply"] = "APPLY_FAILED"
    cloud.nodes["compute3"].faults["services/apply"] = "PACKAGE_FAILED"
    error = refusal(master.update)
    assert error.reason == "PACKAGE_FAILED" and "failed before: compute2" in error.message


def test_a_failing_prefetch_touches_nothing(cloud, master):
    cloud.nodes["storage1"].faults["prefetch"] = "IMAGE_PULL_FAILED"
    error = refusal(master.update)
    assert error.reason == "IMAGE_PULL_FAILED" and cloud.applied == []
    assert master.run.state == "paused"


@pytest.mark.parametrize("role", ["controller", "compute"])
def test_a_role_that_matches_nothing_is_refused_by_its_key(cloud, master, role):
    cloud.openstack["roles"][role] = "nothing*"
    error = refusal(master.update)
    assert error.reason == "NO_NODES" and f"openstack:roles:{role}" in error.message
    assert master.run is None and cloud.events == [] and master.lock.holder() is None


def test_a_zone_that_matches_nothing_is_refused_by_its_key(cloud, master):
    cloud.openstack["zones"] = {"az1": "compute9"}
    error = refusal(master.update)
    assert error.reason == "NO_NODES" and "openstack:zones:az1: 'compute9'" in error.message


@pytest.mark.parametrize("target", ["L@compute1,compute2,compute9", "compute1 or compute2 or compute9"])
@pytest.mark.parametrize("key", ["roles", "zones"])
def test_a_minion_that_is_named_and_not_there_is_refused(cloud, master, key, target, monkeypatch):
    cloud.openstack[key] = {**cloud.openstack.get(key, {}), "compute": target}
    fleet = type(master.ports().fleet)
    members = fleet.members
    monkeypatch.setattr(
        fleet, "members", lambda self, one: members(self, "compute*" if one == target else one)
    )
    error = refusal(master.update)
    said = f"openstack:{key}:compute: compute9 is named there, and is no accepted minion"
    assert (error.reason, error.message) == ("NO_NODES", said)
    assert master.run is None and cloud.events == []


def test_a_downgrade_is_refused(cloud, master):
    master.update()
    cloud.openstack["target_version"] = "1.0.0"
    error = refusal(master.update)
    assert error.reason == "DOWNGRADE_REFUSED" and "1.0.0" in error.message


def test_going_back_from_a_run_that_was_ended_half_way_is_a_downgrade(cloud, master):
    cloud.nodes["compute1"].faults["services/apply"] = "APPLY_FAILED"
    refusal(master.update)
    master.journal.save(replace(master.run, state=RunState.ABORTED))
    cloud.openstack["target_version"] = "1.0.0"
    assert refusal(master.update).reason == "DOWNGRADE_REFUSED"


def test_what_the_registry_lacks_is_refused(cloud, master):
    master.missing = [("IMAGE_MISSING", "service ovn: registry/ovn: is not in the registry")]
    error = refusal(master.update)
    assert error.reason == "IMAGE_MISSING" and master.run is None and cloud.events == []


def test_a_target_changed_under_way_is_refused(cloud, master):
    cloud.nodes["compute1"].faults["services/apply"] = "APPLY_FAILED"
    refusal(master.update)
    cloud.openstack["target_version"] = "1.0.2"
    error = refusal(master.update)
    assert error.reason == "TARGET_CHANGED" and master.run.id in error.message
    assert master.run.state == "paused"


def test_a_target_changed_in_the_middle_of_a_step_is_found_by_its_verification(cloud, master):
    def change():
        if "compute1" in cloud.statuses("apply", stage="services"):
            cloud.openstack["target_version"] = "1.0.2"

    master.before_poll = change
    assert refusal(master.update).reason == "TARGET_CHANGED"


def edit_when(cloud, master, stage, node, edit):
    """Edit the page while a node is in a stage."""

    def look():
        if node in cloud.statuses("apply", stage=stage):
            edit()
            master.before_poll = lambda: None

    master.before_poll = look


def other_image(cloud, stage):
    def edit():
        images = cloud.openstack["releases"]["1.0.1"]["images"]
        images[f"{stage}_image"] = f"registry.example/{stage}@{digest(stage, '1.0.2')}"

    return edit


def test_a_release_edited_in_mid_stage_stops_before_the_next_node(cloud, master):
    cloud.policy("compute", max_failures=2)
    edit_when(cloud, master, "services", "compute2", other_image(cloud, "services"))
    error = refusal(master.update)
    assert error.reason == "TARGET_CHANGED" and (master.run.state, master.run.reason) == (
        "paused",
        "TARGET_CHANGED",
    )
    assert cloud.applied[-1] == ("services", "compute2")
    assert "compute4" not in cloud.statuses("apply", stage="services")


def test_a_release_edited_for_a_later_stage_stops_before_that_stage(cloud, master):
    edit_when(cloud, master, "ovn", "compute4", other_image(cloud, "services"))
    error = refusal(master.update)
    assert error.reason == "TARGET_CHANGED" and master.run.id in error.message and "services" in error.message
    assert {stage for stage, _ in cloud.applied} == {"ovn"}


def test_running_again_goes_on_with_what_is_declared_now(cloud, master):
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(master.update)
    run = master.run
    cloud.nodes["compute2"].faults.clear()
    cloud.openstack["service_types"]["services"]["options"] = {"debug": True}
    assert master.update()["state"] == "completed" and master.run.id == run.id
    assert master.run.content["services"] != run.content["services"]
    assert master.run.content["ovn"] == run.content["ovn"]


@pytest.mark.parametrize("edit", ["policy", "hook", "another stage's service"])
def test_what_nodes_are_not_made_of_may_be_edited_under_way(cloud, master, edit):
    def edits():
        if edit == "policy":
            cloud.policy("compute", batch=4)
        elif edit == "hook":
            cloud.openstack["hooks"] = {"ovn": {"before_apply": [{"name": "a", "command": ["/bin/true"]}]}}
        else:
            other_image(cloud, "services")()

    edit_when(cloud, master, "ovn", "compute1", edits)
    assert master.rollout().stage("ovn")["state"] == "done"


def test_stages_alone_in_their_order(cloud, master):
    error = refusal(lambda: master.rollout().stage("services"))
    assert error.reason == "STAGE_OUT_OF_ORDER"
    assert "ovn on compute1, compute2" in error.message and "control_plane on controller1" in error.message
    assert master.run is None and cloud.applied == []
    for stage in STAGES:
        assert master.rollout().stage(stage)["state"] == "done"
        assert master.run.state == "completed" and master.run.orchestration == f"orch.{stage}"
    assert all(set(node.at.values()) == {"1.0.1"} for node in cloud.nodes.values())


def test_the_system_stage_is_independent_of_the_others(cloud, master):
    master.rollout().stage("system")
    assert {stage for stage, _ in cloud.applied} == {"system"}


def test_a_pause_lets_those_in_flight_finish_that_are_soon_done(cloud, master):
    cloud.seconds = 5.0

    def pause():
        if "compute2" in cloud.statuses("apply", stage="services"):
            master.journal.ask(master.run.id, "pause")
            master.before_poll = lambda: None

    master.before_poll = pause
    assert refusal(master.update).reason == "PAUSED_BY_OPERATOR"
    assert master.run.state == "paused" and cloud.applied[-1] == ("services", "compute2")
    assert master.journal.node(master.run.id, "compute2").state == "done"
    assert master.update()["state"] == "completed"


def test_an_abort_ends_the_run(cloud, master):
    master.before_poll = lambda: master.journal.ask(master.run.id, "abort")
    assert refusal(master.update).reason == "ABORTED"
    assert master.run.state == "aborted"


def test_a_killed_engine_is_followed_by_one_that_adopts_its_jobs(cloud, master):
    master.dies_while("compute2", "services")
    run = master.run
    assert run.state == "running"
    in_flight = master.journal.node(run.id, "compute2")
    assert in_flight.state == "in_flight" and in_flight.jid
    assert master.update()["state"] == "completed"
    assert master.run.id == run.id
    assert cloud.applied.count(("services", "compute2")) == 1


def test_a_second_update_is_refused_while_one_runs(cloud, master, tmp_path):
    holder = (
        "import sys, time; from openstack_rollout.records.lock import FileLock; lock = FileLock(sys.argv[1]);"
        "lock.acquire(); lock.assign('20261121-090000-abcd'); print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path / "lock")],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": "_utils"},
    )
    try:
        assert other.stdout.readline() == b"held\n"
        error = refusal(master.update)
    finally:
        other.kill()
        other.communicate()
    assert error.reason == "RUN_IN_PROGRESS"
    assert "20261121-090000-abcd" in error.message and str(other.pid) in error.message
    assert cloud.events == [] and master.run is None


def test_a_run_of_all_stages_takes_the_place_of_a_paused_one_of_some(cloud, master):
    cloud.nodes["compute1"].faults["ovn/apply"] = "APPLY_FAILED"
    refusal(lambda: master.rollout().stage("ovn"))
    paused = master.run.id
    cloud.nodes["compute1"].faults.clear()
    assert master.update()["state"] == "completed"
    assert (
        master.journal.run(paused).state == "aborted" and "orch.update" in master.journal.run(paused).message
    )


@pytest.mark.parametrize("state", ["paused", "interrupted"])
def test_a_run_of_one_stage_does_not_end_another_that_has_more_to_do(cloud, master, state):
    cloud.nodes["compute1"].faults["services/apply"] = "APPLY_FAILED"
    refusal(master.update)
    unfinished = master.run
    if state == "interrupted":
        unfinished.state = RunState.RUNNING
        master.journal.save(unfinished)
    before = master.run
    error = refusal(lambda: master.rollout().stage("system"))
    assert error.reason == "RUN_UNFINISHED" and unfinished.id in error.message
    assert master.run == before and master.lock.holder() is None
    assert "system" not in {stage for stage, _ in cloud.applied}
    cloud.nodes["compute1"].faults.clear()
    assert control.to_resume(master.journal, master.lock) == "orch.update"
    assert master.update()["state"] == "completed" and master.run.id == unfinished.id


def test_a_plan_says_that_an_unfinished_run_is_in_the_way(cloud, master):
    cloud.nodes["compute1"].faults["ovn/apply"] = "APPLY_FAILED"
    refusal(lambda: master.rollout().stage("ovn"))
    ports = master.ports()
    assert dry_run(cloud.model, ports, lambda nodes, stage: {})["refused"] is None
    other = replace(master.run, stages=["elsewhere"])
    master.journal.save(other)
    assert "RUN_UNFINISHED" in dry_run(cloud.model, ports, lambda nodes, stage: {})["refused"]


def test_a_completed_update_tracks_its_custom_images(cloud, master):
    cloud.hotfix()
    master.update()
    cloud.openstack["target_version"] = "1.0.2"
    assert refusal(master.update).reason == "CUSTOM_IMAGES_UNCHANGED"
    cloud.openstack["keep_custom_images_for"] = "1.0.2"
    assert master.update()["state"] == "completed"


def test_a_thousand_nodes_keep_to_batch_zones_and_budget(tmp_path):
    cloud = Cloud(controller=3, gateway=10, compute=1000)
    cloud.policy("compute", batch="10%", per_zone=30, max_failures=10)
    for number in range(100, 1000, 100):
        cloud.nodes[f"compute{number}"].faults["services/apply"] = "CONTAINER_UNHEALTHY"
    master = Master(cloud, tmp_path)
    assert refusal(master.update).reason == "FAILURE_BUDGET"
    flights = [
        data["in_flight"]
        for data in cloud.flown()
        if data.get("role") == "compute" and data["step"] == "apply"
    ]
    assert max(map(len, flights)) == 60  # 10 % would be 100, two zones allow 30 each
    left = [name for name, node in cloud.nodes.items() if set(node.at.values()) != {"1.0.1"}]
    assert left == [f"compute{number}" for number in range(100, 1000, 100)]
