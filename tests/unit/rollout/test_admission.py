"""Which nodes start now: with windows that never overlap a run comes to its end all the same; and of a wave
one alone where the master hangs.
"""

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout.fleet import StepResult
from tests.unit.simulated_fleet import Cloud, Master, SimulatedFleet, refusal

HOUR = 3600
NIGHT, MORNING = {"from": "02:00", "to": "04:00"}, {"from": "10:00", "to": "12:00"}


@pytest.fixture
def cloud():
    return Cloud(controller=1, gateway=1, compute=4)


@pytest.fixture
def master(cloud, tmp_path):
    return Master(cloud, tmp_path)


def openings_until_done(cloud, master):
    """How many times a run waits for its window until it is completed."""
    for number in range(20):
        cloud.now = max(cloud.now, master.run.closed.opens if number else 0)
        try:
            assert master.update()["state"] == "completed"
            return number
        except RolloutError as error:
            assert error.reason == "WINDOW_CLOSED", error
    raise AssertionError("it waits for ever")


def hours(cloud, *nodes):
    """The hours of the day in which anything was begun on nodes."""
    begun = (data for _, data in cloud.events if data["node"] in nodes and data["status"] == "started")
    return {int(data["at"] % 86400 // HOUR) for data in begun}


def test_roles_whose_windows_never_overlap(cloud, master):
    cloud.policy("gateway", window=NIGHT)
    cloud.policy("compute", window=MORNING)
    assert openings_until_done(cloud, master) < 12
    assert hours(cloud, "gateway1") <= {2, 3} and hours(cloud, "compute1", "compute4") <= {10, 11}


def test_groups_whose_windows_never_overlap_whatever_the_order_of_their_nodes(cloud, master):
    groups = {"a": "compute1 or compute3", "b": "compute2 or compute4"}
    cloud.policy("compute", groups=groups, group_windows={"a": NIGHT, "b": MORNING})
    assert openings_until_done(cloud, master) < 12
    assert hours(cloud, "compute1", "compute3") <= {2, 3}
    assert hours(cloud, "compute2", "compute4") <= {10, 11}


def test_who_may_start_is_not_kept_from_fetching_by_others_before_it(cloud, master):
    cloud.policy("gateway", window=NIGHT)
    assert refusal(master.update).reason == "WINDOW_CLOSED"
    assert set(cloud.statuses("prefetch", "succeeded")) == set(cloud.nodes) - {"gateway1"}


def test_of_a_wave_no_more_start_before_it_is_known_how_one_ended_that_took_long_to_start(
    cloud, master, monkeypatch
):
    cloud.policy("compute", batch=4)
    start = SimulatedFleet.start

    def hangs(fleet, node, step, stage, jid, silence, *, context):
        if stage == "services" and node.startswith("compute"):
            cloud.now += 180  # what Salt's client waits for a master that does not answer
            fleet._push(0, StepResult(node, jid, False, "NODE_ERROR", "the job was not published"))
        else:
            start(fleet, node, step, stage, jid, silence, context=context)

    monkeypatch.setattr(SimulatedFleet, "start", hangs)
    assert refusal(master.update).reason == "NODE_ERROR"
    assert cloud.statuses("apply", "started", "services") == ["gateway1", "compute1"]
