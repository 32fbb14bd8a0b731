"""How many nodes of a role, and of each of its groups, may fail: one more, and no other node starts."""

import pytest

from openstack_rollout.records.run_record import RunState
from openstack_rollout.screens import tables
from tests.unit.rollout.test_limit import done, planned
from tests.unit.rollout.test_preflight import report, verdicts
from tests.unit.simulated_fleet import Cloud, Killed, refusal

RACKS = {"rack1": "compute1 or compute2 or compute3", "rack2": "compute4 or compute5 or compute6"}
KEY = "openstack:policies:compute:group_max_failures:rack1"


@pytest.fixture
def cloud():
    found = Cloud(controller=1, compute=7)
    done(found, "ovn", "control_plane", "ovs", "system")
    policy(found)
    return found


def policy(cloud, **changed):
    of_groups = {"rack1": 1, "rack2": "67%"}  # of three: two
    cloud.policy("compute", **{"groups": RACKS, "max_failures": 4, "group_max_failures": of_groups} | changed)


def fail(cloud, *numbers, at="services/apply"):
    for number in numbers:
        cloud.nodes[f"compute{number}"].faults[at] = "CONTAINER_EXITED"


def mend(cloud):
    for node in cloud.nodes.values():
        node.faults.clear()


def started(cloud):
    return cloud.statuses("apply", "started", stage="services")


def test_a_group_over_its_threshold_pauses_the_run_before_another_node_of_it(cloud, master):
    fail(cloud, 1, 2)
    error = refusal(master.update)
    assert error.reason == "CONTAINER_EXITED" and error.nodes == ("compute2", "compute1")
    assert KEY in error.message and "failed before: compute1" in error.message
    assert started(cloud) == ["compute1", "compute2"]
    assert (master.run.state, master.run.reason) == ("paused", "CONTAINER_EXITED")
    assert KEY in master.run.message
    mend(cloud)
    assert master.update()["state"] == "completed"


def test_what_failed_elsewhere_is_of_no_matter_to_a_group(cloud, master):
    fail(cloud, 1, 4, 5, 7)
    assert refusal(master.update).reason == "FAILURE_BUDGET"
    assert master.run.state == "incomplete"
    assert started(cloud) == [f"compute{number}" for number in range(1, 8)]


def test_a_percentage_is_one_of_the_nodes_of_the_group(cloud, master):
    policy(cloud, group_max_failures={"rack2": "66%"})  # of three: one
    fail(cloud, 4, 5)
    error = refusal(master.update)
    assert "group_max_failures:rack2" in error.message and "compute6" not in started(cloud)


def test_the_threshold_of_the_role_holds_beside_it(cloud, master):
    policy(cloud, max_failures=1)
    fail(cloud, 1, 4)
    error = refusal(master.update)
    assert error.nodes == ("compute4", "compute1") and "group" not in error.message
    assert "compute5" not in started(cloud)


def test_a_group_without_a_threshold_has_that_of_the_role(cloud, master):
    policy(cloud, group_max_failures={"rack2": 0})
    fail(cloud, 1, 2, 3)
    assert refusal(master.update).reason == "FAILURE_BUDGET"


def test_failures_of_all_stages_count(cloud, master):
    for number in range(1, 8):
        cloud.nodes[f"compute{number}"].at["ovn"] = "1.0.0"
    fail(cloud, 1, at="ovn/apply")
    fail(cloud, 3)
    error = refusal(master.update)
    assert KEY in error.message and "compute4" not in started(cloud)


def test_prefetch_counts_too(cloud, master):
    fail(cloud, 1, 3, at="prefetch")
    error = refusal(master.update)
    assert KEY in error.message and cloud.applied == []


def test_killed_over_it_the_run_comes_to_the_same_decision(cloud, master):
    policy(cloud, on_failure="quarantine")
    fail(cloud, 1, 2)

    def kill():
        if cloud.statuses("apply", "quarantined", stage="services"):
            master.before_poll = lambda: None
            raise Killed

    master.before_poll = kill
    with pytest.raises(Killed):
        master.update()
    error = refusal(master.update)
    assert KEY in error.message and error.nodes == ("compute2", "compute1")
    assert started(cloud).count("compute1") == 1 and "compute3" not in started(cloud)


def test_no_more_of_a_group_are_set_aside_than_its_threshold(cloud, master):
    policy(cloud, on_failure="quarantine")
    fail(cloud, 1, 3, 4, 5)
    assert KEY in refusal(master.update).message
    aside = [data["node"] for _, data in cloud.events if data["status"] == "quarantined"]
    assert aside == ["compute1"]
    mend(cloud)
    fail(cloud, 4, 5)
    assert master.update()["state"] == RunState.OPEN_ENDS
    assert list(master.run.open_ends) == ["compute4", "compute5"]


def test_nodes_that_answer_nothing_count_before_a_run_and_between_stages(cloud, master):
    cloud.nodes["compute1"].silent = cloud.nodes["compute2"].silent = True
    error = refusal(master.update)
    assert error.reason == "NODE_SILENT" and KEY in error.message and cloud.events == []
    found = report(master)
    assert verdicts(found)["nodes"] == "refuse"
    assert found["conditions"]["nodes"]["nodes"] == ["compute1", "compute2"]
    cloud.nodes["compute2"].silent = False
    assert verdicts(report(master))["nodes"] == "warn"


def test_the_plan_tells_how_many_may_fail(cloud, master):
    text = tables.text(planned(cloud, master))
    assert "compute: batch 1, 4 may fail (1 of rack1, 2 of rack2)" in text
