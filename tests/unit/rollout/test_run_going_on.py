"""Runs that go on: what an earlier part of the run, or an earlier run, must not make the next one do."""

import pytest

from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.differences import Difference, Kind
from openstack_rollout.rollout import control
from openstack_rollout.rollout.dry_run import dry_run
from openstack_rollout.rollout.preconditions import images_to_pull
from tests.unit.simulated_fleet import Killed, SimulatedFleet, refusal

CLOUD = {"controller": 1, "gateway": 1, "compute": 4}


def kill_in_the_middle(cloud, master, node):
    def kill():
        if node in cloud.statuses("apply", stage="services"):
            master.before_poll = lambda: None
            raise Killed

    master.before_poll = kill
    with pytest.raises(Killed):
        master.update()


def test_a_pause_asked_for_while_jobs_are_adopted_is_heard(cloud, master):
    kill_in_the_middle(cloud, master, "compute2")

    def pause():
        master.before_poll = lambda: None
        assert control.pause(master.journal, master.lock)["state"] == "pausing"

    master.before_poll = pause
    assert refusal(master.update).reason == "PAUSED_BY_OPERATOR"
    assert master.run.state == "paused" and "compute3" not in cloud.statuses("apply", stage="services")


@pytest.mark.parametrize(
    ("action", "tells", "reason"),
    [("pause", "pausing", "PAUSED_BY_OPERATOR"), ("abort", "aborting", "ABORTED")],
)
def test_a_request_is_heard_from_the_moment_that_a_run_is_taken_over(
    cloud, master, monkeypatch, action, tells, reason
):
    cloud.nodes["compute1"].faults["ovn/apply"] = "NODE_ERROR"
    refusal(master.update)
    cloud.nodes["compute1"].faults.clear()
    applied, told, members = list(cloud.applied), [], SimulatedFleet.members

    def asked_meanwhile(fleet, target):
        if not told:
            told.append(getattr(control, action)(master.journal, master.lock)["state"])
        return members(fleet, target)

    monkeypatch.setattr(SimulatedFleet, "members", asked_meanwhile)
    error = refusal(master.update)
    assert told == [tells] and error.reason == master.run.reason == reason
    assert cloud.applied == applied and master.journal.requested(master.run.id) is None


def test_what_is_refused_before_a_run_is_taken_over_is_no_end_of_it(cloud, master):
    master.dies_while("compute1", "ovn")
    before = master.run
    error = refusal(lambda: master.update(until="ovm"))
    assert error.reason == "WRONG_ARGUMENT" and master.lock.holder() is None
    assert master.run == before, "it is interrupted as it was"
    assert master.update()["state"] == "completed"


def test_jobs_of_a_run_that_was_aborted_after_its_death_are_waited_for(cloud, master):
    kill_in_the_middle(cloud, master, "compute2")
    dead = master.run.id
    assert control.abort(master.journal, master.lock)["in_flight"] == ["compute2"]
    assert master.update()["state"] == "completed"
    assert master.run.id != dead
    assert master.journal.node(dead, "compute2").state != "in_flight"


def test_with_a_journal_that_cannot_be_written_those_in_flight_finish_and_nothing_starts(cloud, master):
    cloud.policy("compute", batch=2)
    cloud.nodes["compute2"].seconds = 300
    filled = []

    def fill():
        if "compute2" in cloud.statuses("apply", stage="services"):
            filled.append(cloud.now)
            master.store.full = True
            master.before_poll = lambda: None

    master.before_poll = fill
    error = refusal(master.update)
    assert error.reason == "JOURNAL_FAILED"
    assert cloud.applied[-2:] == [("services", "compute1"), ("services", "compute2")]
    assert cloud.statuses("verify", stage="services")[-1] == "gateway1" and cloud.now - filled[0] >= 300
    assert master.lock.holder() is None and master.run.state == "running"
    assert refusal(master.update).reason == "JOURNAL_FAILED" and master.lock.holder() is None
    master.store.full = False
    run = master.run.id
    assert master.update()["state"] == "completed" and master.run.id == run


def test_why_a_run_stopped_is_told_also_where_it_cannot_be_written(cloud, master):
    cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"

    store = master.store.store

    def fill(bank, key, data):
        store(bank, key, data)
        master.store.full = key == "compute1" and data.get("state") == "failed"

    master.store.store = fill
    error = refusal(master.update)
    assert error.reason == "JOURNAL_FAILED" and "CONTAINER_EXITED" in error.message


def test_a_canary_that_is_left_out_has_a_successor(cloud, master):
    cloud.policy("compute", batch=3, canary=1, max_failures=1)
    cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(master.update)
    cloud.nodes["compute1"].silent = True
    cloud.events.clear()
    assert refusal(master.update).reason == "FAILURE_BUDGET"
    flights = [
        data["in_flight"]
        for data in cloud.flown()
        if (data["step"], data["status"], data["stage"]) == ("apply", "started", "services")
        and data["role"] == "compute"
    ]
    assert flights[0] == ["compute2"] and flights[-1] == ["compute3", "compute4"]


def test_the_report_keeps_the_time_of_a_stage_that_a_later_part_only_measured(cloud, master):
    cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(master.update)
    before = control.report(master.journal)["stages"]["ovn"]
    assert before["counts"] == {"done": 6}
    cloud.nodes["compute1"].faults.clear()
    cloud.now += 3600
    master.update()
    assert control.report(master.journal)["stages"]["ovn"] == before


def test_the_report_of_a_run_in_its_middle_counts_up_to_its_last_step(cloud, master):
    kill_in_the_middle(cloud, master, "compute2")
    data = control.report(master.journal)
    assert data["stages"]["services"]["seconds"] > 30 and data["run"]["seconds"] > 200


def test_the_report_has_its_nodes_in_the_order_of_their_roles(cloud, master):
    master.update()
    names = list(control.report(master.journal)["nodes"])
    assert names == ["controller1", "gateway1", "compute1", "compute2", "compute3", "compute4"]


@pytest.mark.parametrize("stages", [["update"], ["ovn", "control_plane", "services", "ovs", "system"]])
def test_custom_images_are_tracked_when_the_cloud_is_at_its_target_however_it_came_there(
    cloud, master, stages
):
    cloud.hotfix()
    for stage in stages:
        master.update() if stage == "update" else master.rollout().stage(stage)
    cloud.openstack["target_version"] = "1.0.2"
    assert refusal(lambda: master.rollout().stage("ovn")).reason == "CUSTOM_IMAGES_UNCHANGED"


def test_custom_images_are_tracked_when_a_node_had_to_be_left_out(cloud, master):
    cloud.hotfix()
    cloud.policy("compute", max_failures=1)
    cloud.nodes["compute4"].faults["services/apply"] = "CONTAINER_EXITED"
    assert refusal(master.update).reason == "FAILURE_BUDGET"
    cloud.openstack["target_version"] = "1.0.2"
    assert refusal(master.update).reason == "CUSTOM_IMAGES_UNCHANGED"


@pytest.mark.parametrize(
    ("kind", "stage", "local", "asked"),
    [
        (Kind.CONTAINER_IMAGE, "ovn", False, True),
        (Kind.CONTAINER_ABSENT, "ovn", False, True),
        (Kind.CONTAINER_IMAGE, "ovn", True, False),
        (Kind.CONTAINER_IMAGE, "system", False, False),
        (Kind.PACKAGE, "ovn", False, False),  # a package that is called as the container is
    ],
)
def test_an_image_that_is_on_the_node_is_not_asked_for(kind, stage, local, asked):
    image = "registry.example/a@sha256:1"
    compared = Compared(
        id="n",
        roles=("compute",),
        zone=None,
        target="1.0.1",
        deployed=None,
        stages={"ovn": [], "system": [], stage: [Difference(stage, kind, "a", "abc", image)]},
        services={"x": {"container": "a", "image": image, "local": local}},
    )
    assert dict(images_to_pull(compared, ["ovn"])) == ({"service x": image} if asked else {})


def test_a_node_whose_key_was_deleted_is_named_by_plan_and_update_until_a_run_ended_without_it(cloud, master):
    master.update()
    del cloud.nodes["compute4"]
    cloud.keys = {"compute4": "pending", "stranger": "pending"}
    named = {"compute4": {"role": "compute", "key": "pending"}}
    assert dry_run(cloud.model, master.ports(), lambda nodes, stage: {})["gone"] == named
    assert master.update()["state"] == "completed" and master.run.gone == named
    assert control.report(master.journal)["run"]["gone"] == named
    assert master.update()["state"] == "completed" and master.run.gone == {}
    assert dry_run(cloud.model, master.ports(), lambda nodes, stage: {})["gone"] == {}


def test_a_run_that_goes_on_names_what_went_meanwhile(cloud, master):
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(master.update)
    del cloud.nodes["compute4"]
    refusal(master.update)
    del cloud.nodes["compute3"]
    cloud.nodes["compute2"].faults.clear()
    master.update()
    assert {node: one["key"] for node, one in master.run.gone.items()} == {
        "compute3": "deleted",
        "compute4": "deleted",
    }


def test_a_node_that_lost_its_role_is_not_gone(cloud, master):
    master.update()
    cloud.openstack["roles"]["compute"] = "compute1"
    master.update()
    assert master.run.gone == {}


def test_what_was_asked_of_an_engine_that_died_is_not_asked_of_the_next_run(cloud, master):
    master.dies_while("compute2", "services")
    dead = master.run.id
    master.journal.ask(dead, "pause")  # it died before it heard that
    control.abort(master.journal, master.lock)
    cloud.now += 60
    assert master.update()["state"] == "completed" and master.run.id != dead
