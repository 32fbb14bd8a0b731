"""Where a run stops because it was asked to, and how it goes on from there."""

import pytest

from openstack_rollout.rollout import control
from openstack_rollout.rollout.asking import Given
from tests.unit.simulated_fleet import Killed, refusal

CLOUD = {"controller": 2, "gateway": 1, "compute": 2, "storage": 1}


def stages(cloud):
    return list(dict.fromkeys(stage for stage, _ in cloud.applied))


def test_a_run_stops_after_a_stage_and_goes_on_when_it_is_told_to(cloud, master):
    error = refusal(lambda: master.update(until="ovn"))
    assert error.reason == "GATED" and "ovn is done, as far as it was asked (until=ovn)" in error.message
    assert stages(cloud) == ["ovn"] and master.run.stage["ovn"].state == "done"
    assert (master.run.state, master.run.reason) == ("paused", "GATED") and master.lock.holder() is None
    assert control.report(master.journal)["run"]["until"] == "ovn"
    assert control.to_resume(master.journal, master.lock) == "orch.update"
    assert master.update()["state"] == "completed" and len(master.journal.run_ids()) == 1


def test_the_same_command_stops_there_again_and_another_one_further_on(cloud, master):
    for until, done in (("ovn", ["ovn"]), ("ovn", ["ovn"]), ("control_plane", ["ovn", "control_plane"])):
        assert refusal(lambda until=until: master.update(until=until)).reason == "GATED"
        assert stages(cloud) == done
    control.to_resume(master.journal, master.lock, Given(until="control_plane"))
    assert refusal(master.update).reason == "GATED"
    assert master.update()["state"] == "completed"


def test_a_run_stops_after_a_role_of_a_stage(cloud, master):
    error = refusal(lambda: master.update(until="services:gateway"))
    assert error.reason == "GATED" and "gateway at services is done" in error.message
    assert [node for stage, node in cloud.applied if stage == "services"] == ["gateway1"]
    assert master.run.stage["services"].state == "paused"
    assert master.update()["state"] == "completed"
    assert [node for stage, node in cloud.applied if stage == "services"][1:] == [
        "compute1",
        "compute2",
        "storage1",
    ]


def test_a_rollback_stops_after_a_role_in_its_own_order(cloud, master):
    master.update()
    cloud.nodes["storage1"].faults["ovs/apply"] = "OVS_FAILED"
    assert refusal(master.roll_back).reason == "OVS_FAILED"
    cloud.nodes["storage1"].faults.clear()
    cloud.applied.clear()
    control.to_resume(master.journal, master.lock, Given(until="ovs:compute"))
    error = refusal(master.roll_back)
    assert error.reason == "GATED" and "compute at ovs is done" in error.message
    assert [node for stage, node in cloud.applied if stage == "ovs"] == ["storage1", "compute1", "compute2"]


def test_the_last_role_of_a_stage_ends_it(cloud, master):
    assert refusal(lambda: master.update(until="services:storage")).reason == "GATED"
    assert master.run.stage["services"].state == "done" and stages(cloud)[-1] == "services"


def test_a_role_that_has_nothing_to_do_is_a_place_too(cloud, master):
    cloud.nodes["gateway1"].at = dict.fromkeys(cloud.nodes["gateway1"].at, "1.0.1")
    assert refusal(lambda: master.update(until="services:gateway")).reason == "GATED"
    assert "services" not in stages(cloud)


def test_a_pause_before_the_stop_does_not_take_it_away(cloud, master):
    cloud.nodes["compute1"].faults["ovn/apply"] = "CONTAINER_EXITED"
    assert refusal(lambda: master.update(until="control_plane")).reason == "CONTAINER_EXITED"
    cloud.nodes["compute1"].faults.clear()
    assert refusal(master.update).reason == "GATED"
    assert stages(cloud) == ["ovn", "control_plane"]


def test_a_run_killed_before_it_could_write_the_stop_comes_to_it_again(cloud, master, monkeypatch):
    def killed(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("openstack_rollout.rollout.run.Stops.after", killed)
        with pytest.raises(Killed):
            master.update(until="ovn")
    assert master.run.asked.gate == "" and stages(cloud) == ["ovn"]
    assert refusal(master.update).reason == "GATED" and stages(cloud) == ["ovn"]
    assert master.update()["state"] == "completed"


def test_a_run_stops_behind_a_group_of_which_every_node_failed(cloud, master):
    groups = {"a": "compute1", "b": "compute2"}
    cloud.policy("compute", groups=groups, pause_after="group", on_failure="quarantine")
    cloud.nodes["compute1"].faults["ovn/apply"] = "CONTAINER_EXITED"
    error = refusal(master.update)
    assert error.reason == "GATED" and "group a of compute is done at ovn, b is next" in error.message
    assert ("ovn", "compute2") not in cloud.applied


def test_a_cloud_that_needs_nothing_is_done_and_not_stopped(cloud, master):
    master.update()
    assert master.update(until="ovn")["state"] == "completed"


def test_a_stage_alone_stops_in_it_and_is_finished_by_going_on(cloud, master):
    for stage in ("ovn", "control_plane"):
        master.rollout().stage(stage)
    given = Given(until="services:gateway")
    assert refusal(lambda: master.rollout().stage("services", given)).reason == "GATED"
    assert control.to_resume(master.journal, master.lock) == "orch.services"
    assert master.rollout().stage("services")["state"] == "done"


@pytest.mark.parametrize(
    ("until", "line"),
    [
        ("ovnn", "until: 'ovnn' is no stage of this run, did you mean ovn?"),
        ("gateway", "until: 'gateway' is no stage of this run"),
        ("services:gatway", "until: 'gatway' is no role that goes through services, did you mean gateway?"),
        ("control_plane:compute", "until: 'compute' is no role that goes through control_plane"),
        ("services:", "until: 'services:' is no stage, or stage:role"),
        ("", "until: '' is no stage, or stage:role"),
    ],
)
def test_a_stop_that_would_never_come_is_refused(cloud, master, until, line):
    error = refusal(lambda: master.update(until=until))
    assert error.reason == "WRONG_ARGUMENT" and error.message.startswith(line)
    assert master.run is None and master.lock.holder() is None
