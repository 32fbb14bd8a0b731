"""Groups of a role: one complete before the next, in the declared order, with a stop between where wanted."""

import pytest

from openstack_rollout.rollout import control, plan
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.screens import tables
from tests.unit.rollout.test_consent import Operator
from tests.unit.rollout.test_limit import done, planned
from tests.unit.simulated_fleet import Cloud, Killed, refusal

RACKS = {"rack2": "compute3 or compute4", "rack1": "compute1 or compute2"}


@pytest.fixture
def cloud():
    found = Cloud(controller=1, compute=6)
    done(found, "ovn", "control_plane", "ovs", "system")
    return found


def computes(cloud):
    return [node for _, node in cloud.applied]


def test_groups_go_in_their_order_and_those_of_none_last(cloud, master):
    cloud.policy("compute", groups=RACKS)
    assert master.update()["state"] == "completed"
    assert computes(cloud) == ["compute3", "compute4", "compute1", "compute2", "compute5", "compute6"]


def test_a_group_is_complete_before_the_next_begins_whatever_the_batch(cloud, master):
    cloud.policy("compute", groups=RACKS, batch=6)
    cloud.nodes["compute4"].seconds = 5000
    assert master.update()["state"] == "completed"
    flights = [
        set(one["in_flight"])
        for one in cloud.flown()
        if (one["stage"], one["step"], one["status"]) == ("services", "apply", "started")
    ]
    assert [one for one in flights if "compute4" in one and one - {"compute3", "compute4"}] == []
    assert {"compute5", "compute6"} in flights and max(map(len, flights)) == 2


def test_zones_by_their_names_are_groups(cloud, master):
    cloud.policy("compute", groups=["az2", "az1"])
    assert master.update()["state"] == "completed"
    assert computes(cloud) == ["compute2", "compute4", "compute6", "compute1", "compute3", "compute5"]


def test_canaries_are_of_the_first_group(cloud, master):
    cloud.policy("compute", groups=RACKS, canary=1, batch=2)
    text = tables.text(planned(cloud, master))
    assert "wave 1 (canary, rack2): compute3: apply > verify" in text
    assert "wave 2 (rack2): compute4: " in text and "wave 3 (rack1): compute1, compute2: " in text
    assert "wave 4: compute5, compute6: " in text
    assert master.update()["state"] == "completed"
    assert computes(cloud)[:2] == ["compute3", "compute4"]


def test_a_run_stops_between_groups_and_goes_on(cloud, master):
    cloud.policy("compute", groups=RACKS, pause_after="group")
    for number, after in ((2, "rack2"), (4, "rack1")):
        error = refusal(master.update)
        assert error.reason == "GATED" and f"group {after} of compute is done at services" in error.message
        assert len(computes(cloud)) == number
        control.to_resume(master.journal, master.lock)
    assert master.update()["state"] == "completed" and len(master.journal.run_ids()) == 1


def test_killed_before_the_stop_was_written_it_stops_there_all_the_same(cloud, master, monkeypatch):
    cloud.policy("compute", groups=RACKS, pause_after="group")

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("openstack_rollout.rollout.stops.Stops._halt", killed)
        with pytest.raises(Killed):
            master.update()
    assert computes(cloud) == ["compute3", "compute4"]
    assert refusal(master.update).reason == "GATED" and computes(cloud) == ["compute3", "compute4"]
    assert refusal(master.update).reason == "GATED" and len(computes(cloud)) == 4


def test_a_group_that_was_done_before_the_run_stops_nothing(cloud, master):
    done(cloud, "services", nodes="compute3")
    done(cloud, "services", nodes="compute4")
    cloud.policy("compute", groups=RACKS, pause_after="group")
    assert refusal(master.update).reason == "GATED" and computes(cloud) == ["compute1", "compute2"]


def test_waves_that_are_asked_for_are_of_one_group(cloud, master):
    cloud.policy("compute", groups=RACKS, batch=4, confirm="wave")
    operator = Operator(master)
    assert master.update()["state"] == "completed"
    assert [one[3] for one in operator.asked] == [
        ["compute3", "compute4"],
        ["compute1", "compute2"],
        ["compute5", "compute6"],
    ]


@pytest.mark.parametrize(
    ("groups", "line"),
    [
        ({"rack9": "compute9*"}, "openstack:policies:compute:groups:rack9: 'compute9*' matches no compute"),
        ({"rack1": "compute1 or compute9"}, "compute9 is named there, and is no accepted minion"),
        ({"rack1": "controller1"}, "groups:rack1: 'controller1' matches no compute"),
    ],
)
def test_a_group_that_means_nobody_is_refused(cloud, master, groups, line):
    cloud.policy("compute", groups=groups)
    error = refusal(lambda: Membership.of(cloud.model, master.ports().fleet))
    assert error.reason == "NO_NODES" and line in error.message


def test_a_zone_may_have_no_node_of_a_role(cloud, master):
    cloud.policy("controller", groups=["az2", "az1"])
    assert master.update()["state"] == "completed"


def test_a_group_is_found_without_a_look_at_all_of_them():
    looked = []

    class Rack(frozenset):
        def __contains__(self, node):
            looked.append(node)
            return super().__contains__(node)

    racks = {f"rack{number}": Rack({f"cmp{number}", "cmp0"}) for number in range(1, 300)}
    members = Membership({"compute": ["cmp7", "cmp0", "gtw1"]}, {}, None, groups={"compute": racks})
    found = [members.group_of("compute", node) for node in members.roles["compute"]]
    assert found == ["rack7", "rack1", ""] and looked == []
    assert members.group_of("gateway", "cmp7") == ""


def test_a_role_is_not_planned_anew_for_each_of_its_groups(cloud, master, monkeypatch):
    cloud.policy("compute", groups={f"rack{one}": f"compute{one}" for one in range(1, 7)}, canary=1)
    asked, role = [], plan.Planner.role

    def counted(planner, *of):
        asked.append(of[0])
        return role(planner, *of)

    monkeypatch.setattr(plan.Planner, "role", counted)
    assert master.update()["state"] == "completed"
    assert computes(cloud) == [f"compute{one}" for one in range(1, 7)]
    assert len(asked) <= 3  # before the canary, behind it, and behind its soak
