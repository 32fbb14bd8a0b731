"""Runs with a limit: what they touch, what they must not overtake, and what they claim."""

import pytest

from openstack_rollout.rollout import control
from openstack_rollout.rollout.asking import Given
from openstack_rollout.rollout.dry_run import dry_run
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.status import status
from openstack_rollout.screens import tables
from tests.unit.simulated_fleet import DRAIN, Cloud, Killed, SimulatedFleet, refusal

CLOUD = {"controller": 2, "gateway": 2, "compute": 4}


def done(cloud, *stages, nodes=""):
    """Have stages done on nodes whose name begins so."""
    for name, node in cloud.nodes.items():
        if name.startswith(nodes):
            node.at.update({stage: "1.0.1" for stage in stages if stage in node.at})


def planned(cloud, master, **given):
    return dry_run(cloud.model, master.ports(), lambda nodes, stage: {}, Given(**given))


def deployed(cloud, master):
    members = Membership.of(cloud.model, master.ports().fleet)
    measured = members.measure(master.ports().fleet, members.ids)
    return status(cloud.model, members, measured, master.run, {}, drained={}, gone={})


def test_a_limited_run_touches_no_other_node_and_claims_no_more(cloud, master):
    done(cloud, "ovn", "control_plane")
    ended = master.update(limit="gateway*")
    assert (ended["state"], ended["limit"]) == ("completed", "gateway*")
    assert {node for _, node in cloud.applied} == {"gateway1", "gateway2"}
    assert [stage for stage, node in cloud.applied if node == "gateway1"] == ["services", "ovs", "system"]
    assert set(cloud.statuses("prefetch")) == {"gateway1", "gateway2"}
    found = deployed(cloud, master)
    assert found["deployed"] is None and found["run"]["limit"] == "gateway*"
    assert found["nodes"]["gateway1"]["deployed"] == "1.0.1" and not found["nodes"]["compute1"]["deployed"]
    assert "limited to gateway*, completed" in tables.text(control.report(master.journal))
    assert set(control.report(master.journal)["nodes"]) == {"gateway1", "gateway2"}
    assert master.update()["state"] == "completed" and deployed(cloud, master)["deployed"] == "1.0.1"


@pytest.mark.parametrize(
    ("before", "limit", "lines"),
    [
        (
            (),
            "gateway*",
            [
                "ovn on gateway1, gateway2 has to wait for ovn on controller1, controller2;",
                "services on gateway1, gateway2 has to wait for ovn on compute1, compute2, compute3, compute4"
                ", controller1 and 1 more, control_plane on controller1, controller2;",
            ],
        ),
        (
            ("ovn",),
            "gateway*",
            ["services on gateway1, gateway2 has to wait for control_plane on controller1,"],
        ),
        (("ovn",), "gateway* or controller1", ["wait for control_plane on controller2"]),
        ((), "controller*", ["control_plane on controller1, controller2 has to wait for ovn on compute1,"]),
        (("ovn", "control_plane"), "compute1", ["wait for services on gateway1, gateway2"]),
        ((), "compute*", ["compute4 has to wait for ovn on controller1, controller2"]),
    ],
)
def test_what_must_go_first_elsewhere_is_refused_by_name_before_anything_is_touched(
    cloud, master, before, limit, lines
):
    done(cloud, *before)
    data = planned(cloud, master, limit=limit)
    assert data["refused"].startswith(f"STAGE_OUT_OF_ORDER: limit {limit!r}: ")
    error = refusal(lambda: master.update(limit=limit))
    assert error.reason == "STAGE_OUT_OF_ORDER" and str(error) == data["refused"]
    assert [line for line in lines if line not in error.message] == []
    assert master.run is None and cloud.applied == [] and cloud.statuses("prefetch") == []
    assert master.lock.holder() is None


def test_a_limit_that_has_what_must_go_first_is_not_refused(cloud, master):
    done(cloud, "ovn", nodes="compute")
    assert master.update(limit="controller* or gateway*")["state"] == "completed"
    assert not [node for _, node in cloud.applied if node.startswith("compute")]


def test_other_stages_follow_what_their_own_node_has_done(cloud, master):
    done(cloud, "ovn", "control_plane")
    done(cloud, "services", nodes="gateway")
    assert master.update(limit="compute1")["state"] == "completed"
    assert [stage for stage, _ in cloud.applied] == ["services", "ovs", "system"]
    master.rollout().stage("system", Given(limit="compute4"))
    assert cloud.applied[-1] == ("system", "compute4")
    error = refusal(lambda: master.rollout().stage("ovs", Given(limit="compute4")))
    assert error.reason == "STAGE_OUT_OF_ORDER" and "wait for services on compute4" in error.message


def test_nodes_outside_are_not_missed_when_they_are_silent(cloud, master):
    done(cloud, "ovn", "control_plane")
    cloud.nodes["compute3"].silent = True
    assert master.update(limit="gateway*")["state"] == "completed"
    assert "compute3" not in master.journal.nodes(master.run.id)


def test_a_silent_controller_outside_is_not_taken_for_done(cloud, master):
    done(cloud, "ovn", "control_plane")
    cloud.nodes["controller2"].silent = True
    error = refusal(lambda: master.update(limit="gateway*"))
    assert (
        error.reason == "STAGE_OUT_OF_ORDER" and "control_plane on controller2 (NODE_SILENT)" in error.message
    )


@pytest.mark.parametrize(
    ("stage", "limit", "waits"),
    [
        ("ovn", "compute1", "ovn on compute1"),
        ("control_plane", "controller1", "control_plane on controller1"),
    ],
)
def test_nor_for_one_that_has_done_the_ovn_stage(cloud, master, stage, limit, waits):
    done(cloud, "ovn", nodes="" if stage == "control_plane" else "controller")
    cloud.nodes["controller2"].silent = True
    error = refusal(lambda: master.rollout().stage(stage, Given(limit=limit)))
    assert error.reason == "STAGE_OUT_OF_ORDER" and cloud.applied == []
    assert f"{waits} has to wait for ovn on controller2 (NODE_SILENT)" in error.message
    cloud.openstack["policies"]["controller"] = {"max_failures": 1}
    master.rollout().stage(stage, Given(limit=limit))
    assert cloud.applied == [(stage, limit)]


def test_a_controller_goes_through_the_ovn_stage_whatever_another_one_is(cloud, master):
    cloud.nodes["controller2"].silent = True
    master.rollout().stage("ovn", Given(limit="controller1"))
    assert cloud.applied == [("ovn", "controller1")]


def test_drains_look_at_the_whole_cloud_and_take_the_limit_alone(cloud, master):
    done(cloud, "ovn", "control_plane")
    done(cloud, "services", nodes="gateway")
    cloud.policy("compute", drain=DRAIN)
    assert master.update(limit="compute1 or compute2")["state"] == "completed"
    assert ("refuse", ("compute1", "compute2")) in master.drain.log
    assert {one[1] for one in master.drain.log if one[0] == "drain"} == {"compute1", "compute2"}


def test_what_another_run_left_drained_outside_stays_and_does_not_keep_a_run_open(cloud, master):
    done(cloud, "ovn", "control_plane", "services")
    cloud.policy("compute", drain=DRAIN)
    cloud.nodes["compute4"].faults["ovs/apply"] = "OVS_FAILED"
    assert refusal(lambda: master.rollout().stage("ovs", Given(limit="compute4"))).reason == "OVS_FAILED"
    control.abort(master.journal, master.lock)
    assert master.update(limit="gateway*")["state"] == "completed"
    assert list(master.journal.all_drained()) == ["compute4"]


@pytest.mark.parametrize("ill", [False, True])
def test_what_a_run_left_drained_itself_is_not_forgotten_when_its_limit_leaves_the_node_out(
    cloud, master, ill
):
    done(cloud, "ovn", "control_plane", "services")
    cloud.policy("compute", drain=DRAIN)
    compute = cloud.nodes["compute1"]
    compute.faults["ovs/apply"] = "OVS_FAILED"
    assert refusal(lambda: master.update(limit="compute1 or gateway1")).reason == "OVS_FAILED"
    assert master.drain.lives["compute1"] == []
    compute.health = ["container nova_compute: unhealthy"] if ill else []
    control.to_resume(master.journal, master.lock, Given(limit="gateway1"))
    if ill:
        error = refusal(master.update)
        assert error.reason == "STILL_DRAINED" and error.nodes == ("compute1",)
        return
    assert master.update()["state"] == "completed"
    assert master.journal.all_drained() == {} and master.drain.lives["compute1"]
    assert compute.at["ovs"] == "1.0.0", "it is not updated for that"


def test_a_run_that_goes_on_keeps_its_limit_whatever_kills_it(cloud, master):
    done(cloud, "ovn", "control_plane")

    def kill():
        if "gateway1" in cloud.statuses("apply"):
            master.before_poll = lambda: None
            raise Killed

    master.before_poll = kill
    with pytest.raises(Killed):
        master.update(limit="gateway*")
    assert control.report(master.journal)["run"]["limit"] == "gateway*"
    assert control.to_resume(master.journal, master.lock) == "orch.update"
    assert master.update()["state"] == "completed"
    assert {node for _, node in cloud.applied} == {"gateway1", "gateway2"}


def test_a_run_that_is_killed_as_it_is_opened_has_its_limit(cloud, master, monkeypatch):
    done(cloud, "ovn", "control_plane")

    def killed(*_):
        raise Killed

    monkeypatch.setattr("openstack_rollout.rollout.run.Rollout._open", killed)
    with pytest.raises(Killed):
        master.update(limit="gateway*")
    assert (master.run.asked.limit, master.run.asked.nodes) == ("gateway*", ["gateway1", "gateway2"])


def test_nodes_that_come_later_are_not_taken_in(cloud, master):
    done(cloud, "ovn", "control_plane")
    cloud.nodes["gateway1"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(lambda: master.update(limit="gateway*"))
    cloud.nodes["gateway3"] = Cloud(gateway=3).nodes["gateway3"]
    done(cloud, "ovn", nodes="gateway3")
    cloud.nodes["gateway1"].faults.clear()
    master.update()
    assert "gateway3" not in {node for _, node in cloud.applied}


def test_another_limit_is_refused_and_resume_changes_it(cloud, master):
    done(cloud, "ovn", "control_plane")
    cloud.nodes["gateway1"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(lambda: master.update(limit="gateway*"))
    error = refusal(lambda: master.update(limit="*"))
    assert error.reason == "RUN_UNFINISHED" and "is limited to 'gateway*', not to '*'" in error.message
    assert planned(cloud, master, limit="*")["refused"].startswith("RUN_UNFINISHED")
    assert planned(cloud, master)["limit"] == "gateway*"
    cloud.nodes["gateway1"].faults.clear()
    control.to_resume(master.journal, master.lock, Given(limit="gateway* or compute1"))
    assert master.update()["state"] == "completed"
    assert {node for _, node in cloud.applied} == {"gateway1", "gateway2", "compute1"}


def test_a_node_of_which_nobody_knows_what_the_limit_asks_for_is_not_taken_in(cloud, master, monkeypatch):
    monkeypatch.setattr(SimulatedFleet, "members", lambda self, target: list(cloud.nodes))
    cloud.unread = ["compute2"]
    error = refusal(lambda: master.update(limit="* and not G@rack:r2"))
    assert (error.reason, error.nodes, cloud.applied) == ("NO_NODES", ("compute2",), [])
    assert "salt compute2 saltutil.refresh_pillar" in error.message


def test_a_star_is_no_limit(cloud, master):
    cloud.nodes["compute1"].faults = {"ovn/apply": "NODE_ERROR"}
    assert refusal(master.update).reason == "NODE_ERROR"
    assert refusal(lambda: master.update(limit="*")).reason == "NODE_ERROR", "it goes on"
    cloud.nodes["compute1"].faults = {}
    control.to_resume(master.journal, master.lock, Given(limit="*"))
    ended = master.update()
    assert ended["state"] == "completed" and "limit" not in ended


@pytest.mark.parametrize(
    ("limit", "reason", "line"),
    [
        ("gatway*", "NO_NODES", "limit: 'gatway*' matches no node of openstack:roles"),
        ("gateway1 or compute9", "NO_NODES", "limit: compute9 is named there, and is no accepted minion"),
        ("gateway1,gateway2", "WRONG_ARGUMENT", "limit: "),
        ("gateway1 gateway2", "WRONG_ARGUMENT", "limit: 'gateway1 gateway2': 'and' or 'or' is missing"),
        ("", "WRONG_ARGUMENT", "limit: has to be a target"),
        ("  ", "WRONG_ARGUMENT", "limit: has to be a target"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused_before_anything(cloud, master, limit, reason, line):
    error = refusal(lambda: master.update(limit=limit))
    assert (error.reason, error.message[: len(line)]) == (reason, line)
    assert master.run is None and master.lock.holder() is None
    assert refusal(lambda: planned(cloud, master, limit=limit)).reason == reason


@pytest.mark.parametrize("limit", ["I@site:a", "N@rack1 and gateway*", "E@gateway[0-9]+", "not compute*"])
def test_what_the_master_alone_can_match_is_a_limit(limit):
    assert Given(limit=limit).limit == limit


def test_a_plan_tells_what_stays_outside(cloud, master):
    done(cloud, "ovn", "control_plane")
    data = planned(cloud, master, limit="gateway*")
    assert data["refused"] is None and data["prefetch"] == ["gateway1", "gateway2"]
    assert set(data["nodes"]) == {"gateway1", "gateway2"}
    text = tables.text(data)
    assert text.startswith("Update to 1.0.1, limited to gateway*\n")
    assert (
        "services: outside of the limit, not at the release: compute1, compute2, compute3, compute4" in text
    )


def test_one_controller_goes_through_all_of_its_stage(cloud, master):
    done(cloud, "ovn")
    master.rollout().stage("control_plane", Given(limit="controller2"))
    assert cloud.applied == [("control_plane", "controller2")]


def test_the_share_of_a_batch_is_of_the_whole_role(cloud, master):
    done(cloud, "ovn", "control_plane")
    done(cloud, "services", nodes="gateway")
    cloud.policy("compute", batch="50%", batch_undisturbing=1)
    master.update(limit="compute1 or compute2 or compute3")
    flights = [
        len(one["in_flight"])
        for one in cloud.flown()
        if (one["step"], one.get("role")) == ("apply", "compute")
    ]
    assert max(flights) == 2
