"""The way back of a run: each node to what the journal says it was, in the opposite order, by the same
engine.
"""

from openstack_rollout.rollout import control, preflight, rollback_plan
from openstack_rollout.rollout.conditions import Seen
from openstack_rollout.rollout.rollback import Asked
from tests.unit.rolling_back import REVERSED, as_they_are, later
from tests.unit.simulated_fleet import DRAIN, Cloud, Master, refusal


def test_a_whole_update_and_its_way_back(cloud, master):
    before = as_they_are(cloud)
    master.update()
    undone = master.run.id
    assert all(set(node.at.values()) == {"1.0.1"} for node in cloud.nodes.values())
    cloud.applied.clear()
    later(cloud)
    assert master.roll_back()["state"] == "completed"
    assert as_they_are(cloud) == before
    assert master.run.rollback == undone and master.run.orchestration == "orch.rollback"
    assert list(dict.fromkeys(stage for stage, _ in cloud.applied)) == REVERSED


def test_it_goes_through_the_states_of_the_update_backwards(cloud, master):
    states = [as_they_are(cloud)]
    apply_ = cloud.applied.append

    class Applied(list):
        def append(self, one):
            apply_(one)
            states.append(as_they_are(cloud))

    cloud.applied = Applied()
    master.update()
    forward = [(stage, cloud.nodes[node].role) for stage, node in cloud.applied]
    del cloud.applied[:]
    later(cloud)
    master.roll_back()
    back = [(stage, cloud.nodes[node].role) for stage, node in cloud.applied]
    assert list(dict.fromkeys(back)) == list(dict.fromkeys(forward))[::-1]


def test_nodes_that_the_run_did_not_move_are_left_alone(cloud, master):
    cloud.nodes["compute3"].at = dict.fromkeys(cloud.nodes["compute3"].at, "1.0.1")
    cloud.nodes["compute2"].at["ovn"] = "1.0.1"
    before = as_they_are(cloud)
    master.update()
    cloud.applied.clear()
    later(cloud)
    master.roll_back()
    assert as_they_are(cloud) == before
    assert "compute3" not in {node for _, node in cloud.applied}
    assert ("ovn", "compute2") not in cloud.applied


def test_a_run_that_is_paused_half_way_goes_back_and_no_node_goes_forward(cloud, master):
    before = as_they_are(cloud)
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(master.update)
    paused = master.run.id
    del cloud.nodes["compute2"].faults["services/apply"]
    cloud.applied.clear()
    later(cloud)
    assert master.roll_back()["state"] == "completed"
    assert as_they_are(cloud) == before
    assert master.journal.run(paused).state == "aborted"
    assert {stage for stage, _ in cloud.applied} == {"services", "control_plane", "ovn"}


def test_images_go_back_to_what_ran_and_not_to_what_the_release_says(cloud, master):
    """A hotfix, or a node that was ahead: the journal's facts, not a release's."""
    cloud.nodes["compute1"].at["services"] = "1.0.2"
    cloud.openstack["releases"]["1.0.2"]["packages"] = {}
    before = as_they_are(cloud)
    cloud.openstack["releases"]["1.0.1"]["packages"] = {}
    master.update()
    later(cloud)
    master.roll_back()
    assert as_they_are(cloud)["compute1"]["services"] == "1.0.2" and as_they_are(cloud) == before


def test_it_is_in_force_until_another_target_is_set(cloud, master):
    master.update()
    later(cloud)
    master.roll_back()
    assert "set openstack:target_version to 1.0.0" in master.run.message
    before = as_they_are(cloud)
    later(cloud)
    error = refusal(master.update)
    assert error.reason == "ROLLED_BACK" and as_they_are(cloud) == before
    cloud.openstack["target_version"] = "1.0.0"
    later(cloud)
    assert master.update()["state"] == "completed" and as_they_are(cloud) == before
    assert master.journal.way_back.in_force() is None
    cloud.openstack["target_version"] = "1.0.1"  # mended meanwhile
    later(cloud)
    assert master.update()["state"] == "completed"
    assert all(set(node.at.values()) == {"1.0.1"} for node in cloud.nodes.values())


def test_the_target_may_be_set_back_before_the_rollback(cloud, master):
    before = as_they_are(cloud)
    master.update()
    later(cloud)
    cloud.openstack["target_version"] = "1.0.0"
    assert refusal(master.update).reason == "DOWNGRADE_REFUSED"
    assert master.roll_back()["state"] == "completed" and as_they_are(cloud) == before
    assert master.journal.way_back.in_force() is None
    later(cloud)
    cloud.applied.clear()
    assert master.update()["state"] == "completed" and cloud.applied == []


def test_a_second_rollback_of_a_run_changes_nothing(cloud, master):
    before = as_they_are(cloud)
    master.update()
    later(cloud)
    master.roll_back()
    later(cloud)
    cloud.applied.clear()
    master.roll_back()
    assert as_they_are(cloud) == before and cloud.applied == []


def test_without_a_run_that_moved_anything_there_is_nothing_to_undo(cloud, master):
    assert refusal(master.roll_back).reason == "NO_RUN"
    cloud.openstack["target_version"] = "1.0.0"
    master.update()
    assert refusal(master.roll_back).reason == "NO_RUN"
    assert refusal(lambda: master.roll_back("20200101-000000-0000")).reason == "NO_RUN"
    assert master.lock.holder() is None


def test_a_limit_takes_some_nodes_and_the_rest_later(cloud, master):
    before = as_they_are(cloud)
    master.update()
    after = as_they_are(cloud)
    later(cloud)
    master.roll_back(limit="compute*", stages=("services", "ovs"))
    now = as_they_are(cloud)
    assert {name for name, at in now.items() if at != after[name]} == {"compute1", "compute2", "compute3"}
    assert now["compute1"] == after["compute1"] | {"services": "1.0.0", "ovs": "1.0.0"}
    later(cloud)
    master.roll_back()
    assert as_they_are(cloud) == before


def test_a_silent_node_that_the_run_did_not_move_is_in_nobodys_way(cloud, master):
    cloud.nodes["compute3"].at = dict.fromkeys(cloud.nodes["compute3"].at, "1.0.1")
    master.update()
    later(cloud)
    cloud.nodes["compute3"].silent = True
    assert master.roll_back()["state"] == "completed"


def test_drains_waves_and_canaries_are_those_of_the_update(tmp_path):
    cloud = Cloud(controller=1, gateway=1, compute=4)
    cloud.policy("compute", batch=2, canary=1, drain=DRAIN)
    master = Master(cloud, tmp_path)
    lives = {node: list(some) for node, some in master.drain.lives.items()}
    # Here workloads leave while their services are new: the simulated drain expects the target there.
    master.update()
    master.drain.log.clear()
    later(cloud)
    master.roll_back()
    assert next(one for one in master.drain.log if one[0] == "drain") == ("drain", "compute1")
    assert master.drain.lives == lives
    cloud.events = [one for one in cloud.events if one[1]["step"] == "apply"]
    assert cloud.most_in_flight("compute") == 2


def test_a_silent_node_is_left_out_by_a_limit(cloud, master):
    master.update()
    later(cloud)
    cloud.nodes["compute3"].silent = True
    for node in ("compute1", "compute2"):
        master.roll_back(limit=node, stages=("services", "ovs"))
        assert cloud.nodes[node].at["services"] == "1.0.0"
        later(cloud)
    told = control.report(master.journal)["run"]
    assert told["limit"] == "compute2" and told["rollback"]


def test_a_condition_can_be_accepted_for_a_rollback(cloud, master, monkeypatch):
    master.update()
    later(cloud)
    seen = [Seen("refuse", "cmp1: ansible is at work", ("compute1",))]
    monkeypatch.setitem(preflight.ASKED, "installers", lambda now: list(seen))
    monkeypatch.setitem(preflight.OF_NODES, "installers", preflight.ASKED["installers"])
    error = refusal(master.roll_back)
    assert error.reason == "PREFLIGHT_REFUSED" and master.journal.way_back.in_force() is None
    assert rollback_plan.planned(master.ports())["refused"].startswith("PREFLIGHT_REFUSED")
    assert rollback_plan.planned(master.ports(), Asked(accept=("installers",)))["refused"] is None
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(lambda: master.roll_back(accept=("installers",)))
    cloud.nodes["compute2"].faults.clear()
    assert list(master.run.accepted) == ["installers"]
    assert master.roll_back()["state"] == "completed"  # what was accepted is, also for what is left


def test_a_first_role_goes_back_after_the_others_also_with_a_limit(cloud, master):
    """No chassis is newer than the databases of OVN."""
    master.update()
    later(cloud)
    master.roll_back(stages=("services", "control_plane"))
    later(cloud)
    error = refusal(lambda: master.roll_back(limit="controller*", stages=("ovn",)))
    assert error.reason == "STAGE_OUT_OF_ORDER"
    assert (
        "ovn goes back on a controller after the other roles" in error.message and "compute1" in error.message
    )
    master.roll_back(limit="compute* or gateway*", stages=("ovn",))
    later(cloud)
    assert master.roll_back(limit="controller*", stages=("ovn",))["state"] == "completed"


def test_the_wait_of_a_chassis_goes_back_with_its_ovn_stage(cloud, master):
    """What it was before the run, not what the run has set; nothing where nobody asked."""
    cloud.nodes["compute1"].wait = {
        "have": "8000", "theirs": "8000", "longest": 500, "flows": 10, "by_itself": False,
    }  # fmt: skip
    master.update()
    cloud.nodes["compute1"].wait["have"] = "8000"
    later(cloud)
    master.roll_back()
    backs = master.journal.way_back.backs()
    assert (backs["compute1"].ovn_wait, backs["compute2"].ovn_wait) == ("8000", None)
    assert "ovn" in backs["compute1"].stages
