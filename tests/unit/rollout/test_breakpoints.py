"""Nodes that rest at a breakpoint, drained if they were, until somebody says yes."""

import pytest

from openstack_rollout.rollout import breakpoints, control
from openstack_rollout.rollout.asking import Given
from tests.unit.rollout.test_consent import Operator
from tests.unit.rollout.test_limit import deployed, done, planned
from tests.unit.simulated_fleet import DRAIN, Cloud, Killed, refusal


@pytest.fixture
def cloud():
    found = Cloud(controller=1, gateway=1, compute=3)
    done(found, "ovn", "control_plane", "services", "system")
    found.policy("compute", drain=DRAIN)
    return found


BREAK = {"before_apply": "compute2"}
STEPS = ("drain", "before_apply", "apply", "verify", "after_verify", "restore")


@pytest.mark.parametrize(
    ("moments", "steps"),
    [
        (("before_apply",), "drain break_before_apply before_apply apply verify after_verify restore"),
        (("before_verify", "after_verify"), "drain before_apply apply break_before_verify verify after_verify"
         " break_after_verify restore"),
        (("after_restore",), "drain before_apply apply verify after_verify restore break_after_restore"),
        (("before_reboot",), "drain before_apply apply verify after_verify restore"),
    ],
)  # fmt: skip
def test_where_a_breakpoint_stands_among_steps(moments, steps):
    assert breakpoints.among(STEPS, moments) == tuple(steps.split())


def test_a_node_rests_drained_until_somebody_says_yes(cloud, master):
    seen = []

    def look(question):
        moved = list(master.drain.lives["compute2"])
        seen.append((question.before, question.nodes, cloud.applied[-1], moved))
        assert master.journal.drained("compute2").state == "drained"
        assert deployed(cloud, master)["run"]["reason"] == "CONFIRMATION"
        cloud.now += 400_000  # no limit of a step is for it
        control.confirm(master.journal, master.lock, "compute2")

    Operator(master, look)
    assert master.update(break_=BREAK)["state"] == "completed"
    assert seen == [("before_apply", ["compute2"], ("ovs", "compute1"), [])]
    history = [
        one.step for one in master.journal.node(master.run.id, "compute2").history if one.step != "measure"
    ]
    assert history == ["prefetch", "drain", "break_before_apply", "apply", "verify", "restore"]
    assert cloud.ended == [] and master.run.questions == {}


def test_a_plan_shows_where_nodes_rest(cloud, master):
    data = planned(cloud, master, break_={"ovs:after_drain": "compute* or gateway1"})
    roles = {one["role"]: one for one in data["stages"][3]["rounds"][0]["roles"]}
    steps = {
        node["id"]: node["steps"] for one in roles.values() for wave in one["waves"] for node in wave["nodes"]
    }
    assert steps["compute2"] == ["drain", "break_after_drain", "apply", "verify", "restore"]
    assert steps["gateway1"] == ["apply", "verify"]  # it is not drained


def test_another_stages_moment_is_not_meant(cloud, master):
    operator = Operator(master)
    assert master.update(break_={"services:before_apply": "compute*"})["state"] == "completed"
    assert operator.asked == []


@pytest.mark.parametrize(("action", "state"), [("pause", "paused"), ("abort", "aborted")])
def test_pause_and_abort_work_while_a_node_rests(cloud, master, action, state):
    Operator(master, lambda _: getattr(control, action)(master.journal, master.lock))
    started = cloud.now
    error = refusal(lambda: master.update(break_=BREAK))
    assert master.run.state == state and "resting at a breakpoint: compute2" in error.message
    assert cloud.now - started < 1000 and ("ovs", "compute2") not in cloud.applied
    if action == "abort":
        assert master.journal.all_drained() == {} and master.drain.lives["compute2"]
    else:
        assert master.journal.drained("compute2").state == "drained"
        operator = Operator(master)
        assert master.update()["state"] == "completed"
        assert [one[3] for one in operator.asked] == [["compute2"]]


def killed_at_rest(master):
    """A run whose engine died while a node rested at its breakpoint."""

    def kill(_):
        raise Killed

    Operator(master, kill)
    with pytest.raises(Killed):
        master.update(break_=BREAK)


def test_killed_while_a_node_rests_it_rests_there_again(cloud, master):
    killed_at_rest(master)
    assert list(master.run.questions) == ["ovs//compute/compute2/before_apply"]
    cloud.nodes["compute2"].seconds = None
    operator = Operator(master)
    assert master.update()["state"] == "completed"
    assert [one[3] for one in operator.asked] == [["compute2"]]
    assert cloud.applied.count(("ovs", "compute2")) == 1


def test_a_yes_given_while_nobody_drives_the_run_is_heard_by_the_next(cloud, master):
    killed_at_rest(master)
    control.confirm(master.journal, master.lock)
    operator = Operator(master)
    assert master.update()["state"] == "completed" and operator.asked == []


def test_others_go_on_while_one_rests_and_keep_their_places(cloud, master):
    cloud.policy("compute", batch=2, drain=DRAIN)
    resting = []

    def look(question):
        resting.append([node for stage, node in cloud.applied if node.startswith("compute")])
        if len(resting) > 100:
            control.confirm(master.journal, master.lock)

    Operator(master, look)
    assert master.update(break_={"before_apply": "compute1"})["state"] == "completed"
    assert resting[-1] == ["compute2", "compute3"]


def test_a_failure_elsewhere_pauses_and_leaves_the_node_at_rest(cloud, master):
    cloud.policy("compute", batch=2, drain=DRAIN)
    cloud.nodes["compute2"].faults["ovs/apply"] = "OVS_FAILED"
    master.before_poll = lambda: None
    error = refusal(lambda: master.update(break_={"before_apply": "compute1"}))
    assert error.reason == "OVS_FAILED" and "resting at a breakpoint: compute1" in error.message
    assert master.journal.drained("compute1").state == "drained"


def test_a_node_that_rests_is_left_out_and_its_workloads_come_back(cloud, master):
    Operator(master, lambda one: control.skip(master.journal, master.lock, one.nodes[0]))
    error = refusal(lambda: master.update(break_=BREAK))
    assert error.reason == "FAILURE_BUDGET" and error.message.endswith(
        "without compute2 (SKIPPED_BY_OPERATOR)"
    )
    assert master.journal.all_drained() == {} and master.drain.lives["compute2"]
    assert ("ovs", "compute2") not in cloud.applied and ("ovs", "compute3") in cloud.applied


def test_a_node_that_is_left_out_while_nobody_drives_the_run_has_its_workloads_back_too(cloud, master):
    killed_at_rest(master)
    assert master.drain.lives["compute2"] == []
    control.skip(master.journal, master.lock, "compute2")
    master.before_poll = lambda: None
    error = refusal(master.update)
    assert error.message.endswith("without compute2 (SKIPPED_BY_OPERATOR)"), "and still drained is none"
    assert master.journal.all_drained() == {} and master.drain.lives["compute2"]
    assert master.journal.node(master.run.id, "compute2").reason == "SKIPPED_BY_OPERATOR"
    assert ("ovs", "compute2") not in cloud.applied and ("ovs", "compute3") in cloud.applied


def test_breakpoints_are_taken_away_with_the_command_that_goes_on(cloud, master):
    Operator(master, lambda _: control.pause(master.journal, master.lock))
    refusal(lambda: master.update(break_=BREAK))
    control.to_resume(master.journal, master.lock, Given(break_={}))
    operator = Operator(master)
    assert master.update()["state"] == "completed" and operator.asked == []


@pytest.mark.parametrize(
    ("breaks", "reason", "line"),
    [
        ({"befor_apply": "compute1"}, "WRONG_ARGUMENT", "break: 'befor_apply' is no moment, did you"),
        ({"apply": "compute1"}, "WRONG_ARGUMENT", "break: 'apply' is no moment"),
        ({"ovm:before_apply": "compute1"}, "WRONG_ARGUMENT", "break: 'ovm:before_apply' is no moment"),
        ({"before_apply": 1}, "WRONG_ARGUMENT", "break: before_apply: 1 is no compound target"),
        ({"before_apply": "compute1,compute2"}, "WRONG_ARGUMENT", "break: before_apply: 'compute1,compute2'"),
        ({"before_apply": "cmp1"}, "NO_NODES", "break: before_apply: cmp1 is no node of openstack:roles"),
        ({"before_apply": "cmp*"}, "NO_NODES", "break: before_apply: 'cmp*' matches no node of openstack"),
    ],
)  # fmt: skip
def test_breakpoints_that_cannot_be_meant_are_refused(cloud, master, breaks, reason, line):
    error = refusal(lambda: master.update(break_=breaks))
    assert (error.reason, error.message[: len(line)]) == (reason, line)
    assert master.run is None and master.lock.holder() is None


def test_a_breakpoint_that_would_never_come_is_refused(cloud, master):
    of_stage = Given(break_={"services:before_apply": "compute1"})
    error = refusal(lambda: master.rollout().stage("ovs", of_stage))
    assert (error.reason, error.message) == (
        "WRONG_ARGUMENT",
        "break: services:before_apply: services is no stage of this run, there are ovs",
    )
    outside = {"limit": "compute1", "break_": {"before_apply": "compute2 or gateway1"}}
    error = refusal(lambda: master.update(**outside))
    assert error.reason == "NO_NODES"
    assert error.message == "break: before_apply: 'compute2 or gateway1' matches no node of the limit"
    assert refusal(lambda: planned(cloud, master, **outside)).reason == "NO_NODES"
    assert master.run is None and master.lock.holder() is None
