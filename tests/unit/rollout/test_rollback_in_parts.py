"""A run that is undone in parts, by nodes or by stages: nothing of one is lost, or taken for done."""

import pytest

from openstack_rollout.declared import way_back
from openstack_rollout.rollout import control
from tests.unit.rolling_back import Killed, as_they_are, dying, later
from tests.unit.simulated_fleet import Cloud, Master, refusal

FRONT = ("system", "ovs", "services")

CLOUD = {"controller": 1, "compute": 2}


def held(master):
    return {node: way_back.order(one.stages) for node, one in master.journal.way_back.backs().items()}


def test_nodes_that_went_back_first_are_held_while_others_follow(cloud, master):
    master.update()
    run = master.run.id
    later(cloud)
    master.roll_back(run, limit="compute1", stages=FRONT)
    first = master.journal.way_back.backs()["compute1"]
    later(cloud)
    master.roll_back(run, limit="compute2", stages=FRONT)
    assert held(master) == {"compute1": list(FRONT), "compute2": list(FRONT)}
    assert master.journal.way_back.backs()["compute1"] == first
    assert {cloud.nodes[one].at["services"] for one in ("compute1", "compute2")} == {"1.0.0"}


def test_stages_that_went_back_first_are_held_while_others_follow(cloud, master):
    before = as_they_are(cloud)
    master.update()
    run = master.run.id
    for stages in (("system",), ("ovs",)):
        later(cloud)
        master.roll_back(run, stages=stages)
    backs = master.journal.way_back.backs()
    assert held(master)["compute1"] == ["system", "ovs"]
    assert backs["compute1"].packages == {"bash": "1.0.0", "openvswitch": "1.0.0"}
    later(cloud)
    cloud.applied.clear()
    master.roll_back(run)
    assert as_they_are(cloud) == before and not {"system", "ovs"} & {stage for stage, _ in cloud.applied}


def test_killed_while_another_part_begins_nobody_is_let_go(cloud, tmp_path):
    for number in range(1, 9):
        (folder := tmp_path / str(number)).mkdir()
        master = Master(cloud := Cloud(controller=1, compute=2), folder)
        master.update()
        run = master.run.id
        later(cloud)
        master.roll_back(run, limit="compute1", stages=FRONT)
        later(cloud)
        mend = dying(master.store, number)
        with pytest.raises(Killed):
            master.roll_back(run, limit="compute2", stages=FRONT)
        mend()
        assert held(master)["compute1"] == list(FRONT), number


def test_the_run_that_is_undone_is_not_forgotten_before_all_of_it_is(cloud, master):
    cloud.openstack["history"] = {"runs": 1}
    master.update()
    run = master.run.id
    for node in ("compute1", "compute2"):
        later(cloud)
        assert master.roll_back(run, limit=node, stages=FRONT)["state"] == "completed"
    later(cloud)
    assert master.roll_back(run)["state"] == "completed"
    assert cloud.nodes["controller1"].at["control_plane"] == "1.0.0"


@pytest.mark.parametrize("tolerated", [0, 1])
def test_a_silent_node_outside_is_not_taken_for_one_that_went_back(tmp_path, tolerated):
    cloud = Cloud(controller=1, compute=1)
    cloud.policy("compute", max_failures=tolerated)
    master = Master(cloud, tmp_path)
    master.update()
    later(cloud)
    cloud.nodes["compute1"].silent = True
    if tolerated:
        assert master.roll_back(limit="controller1")["state"] == "completed"
        return
    error = refusal(lambda: master.roll_back(limit="controller1"))
    assert error.reason == "STAGE_OUT_OF_ORDER" and error.nodes == ("compute1",)
    assert cloud.nodes["controller1"].at["control_plane"] == "1.0.1" and not master.run.rollback


def test_silent_nodes_of_each_role_count(tmp_path):
    master = Master(cloud := Cloud(controller=2, compute=1), tmp_path)
    master.update()
    later(cloud)
    cloud.nodes["controller2"].silent = cloud.nodes["compute1"].silent = True
    error = refusal(lambda: master.roll_back(limit="controller1", stages=("control_plane",)))
    assert error.reason == "STAGE_OUT_OF_ORDER" and error.nodes == ("compute1",)


@pytest.fixture
def in_runs(tmp_path):
    """A run for each stage: the ids of those, and their master."""
    master, runs = Master(Cloud(controller=1, compute=1), tmp_path), []
    for stage in ("ovn", "control_plane", "services"):
        master.rollout().stage(stage)
        runs.append(master.run.id)
        later(master.cloud)
    return master, runs


def test_a_later_run_whose_rollback_failed_is_not_undone(in_runs):
    master, runs = in_runs
    cloud = master.cloud
    cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(lambda: master.roll_back(runs[2]))
    control.abort(master.journal, master.lock)
    cloud.nodes["compute1"].faults.clear()
    later(cloud)
    assert cloud.nodes["compute1"].at["services"] == "1.0.1"
    error = refusal(lambda: master.roll_back(runs[1]))
    assert error.reason == "STAGE_OUT_OF_ORDER" and error.nodes == ("compute1",)
    master.roll_back(runs[2])
    later(cloud)
    assert master.roll_back(runs[1])["state"] == "completed"


def test_a_later_run_of_which_nothing_is_left_is_undone_by_a_rollback_that_finds_that(in_runs):
    master, runs = in_runs
    cloud = master.cloud
    cloud.nodes["compute1"].at["services"] = "1.0.0"  # somebody brought it back by hand
    assert master.roll_back(runs[2])["state"] == "completed"
    later(cloud)
    assert master.roll_back(runs[1])["state"] == "completed"
    assert cloud.nodes["controller1"].at["control_plane"] == "1.0.0"
