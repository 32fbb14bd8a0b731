"""When a run is expected to end: of its plan, and of what is left of it."""

from __future__ import annotations

import json

import pytest

from openstack_rollout.rollout import control
from openstack_rollout.rollout.dry_run import dry_run
from openstack_rollout.screens import tables
from tests.unit.simulated_fleet import Cloud, refusal


@pytest.fixture
def cloud():
    found = Cloud(controller=1, compute=6)
    found.policy("compute", batch=2, canary=1, soak=120)
    return found


def planned(cloud, master):
    return dry_run(cloud.model, master.ports(), lambda nodes, stage: {})


def taken(cloud, master):
    began = cloud.now
    master.update()
    return cloud.now - began


def test_the_first_plan_says_that_it_had_to_assume(cloud, master):
    estimate = planned(cloud, master)["estimate"]
    assert estimate["assumed"] and estimate["seconds"] > 600
    assert "assumed" in tables.text(planned(cloud, master))


def test_a_plan_tells_what_the_update_then_takes_whole_by_stage_and_by_role(cloud, master):
    master.update()
    cloud.openstack["target_version"] = "1.0.2"
    data = planned(cloud, master)
    estimate = data["estimate"]
    assert not estimate["assumed"] and estimate["end"] == pytest.approx(
        cloud.clock() + estimate["seconds"], abs=1
    )
    took = taken(cloud, master)
    assert estimate["seconds"] == pytest.approx(took, rel=0.15)
    services = estimate["stages"]["services"]
    seconds = {name: one["seconds"] for name, one in control.report(master.journal)["stages"].items()}
    for stage, one in estimate["stages"].items():
        assert one["seconds"] == pytest.approx(seconds[stage], rel=0.2, abs=10), stage
    assert services["roles"] == {"compute": services["seconds"]}
    assert "\nestimated time: " in tables.text(data) and "\n  services: " in tables.text(data)


def test_what_is_left_grows_less_and_names_the_end(cloud, master):
    master.update()
    cloud.openstack["target_version"] = "1.0.2"
    ends = []

    def look():
        run = master.run
        if run.state == "running" and run.target == "1.0.2":
            records = master.journal.nodes(run.id)
            left = control.estimate(master.journal, run, records, cloud.clock())
            if left:
                ends.append((left["seconds"], left["end"]))

    master.before_poll = look
    master.update()
    assert ends[0][0] > 600 and ends[-1][0] < 60
    assert all(abs(end - cloud.clock()) < 200 for _, end in ends)


def test_nodes_that_failed_take_no_time_any_more(cloud, master):
    cloud.nodes["compute3"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(master.update)
    run, records = master.run, master.journal.nodes(master.run.id)
    before = control.estimate(master.journal, run, records, cloud.clock())["seconds"]
    for name in ("compute4", "compute5", "compute6"):
        records[name].state = records["compute3"].state
    after = control.estimate(master.journal, run, records, cloud.clock())["seconds"]
    assert after < before


def test_a_run_that_is_over_has_no_end_to_expect(cloud, master):
    master.update()
    assert control.report(master.journal)["run"]["estimate"] is None
    assert "left" not in tables.text(control.report(master.journal))


def test_the_beginning_of_a_stage_tells_the_expected_end(cloud, master):
    master.update()
    cloud.openstack["target_version"] = "1.0.2"
    cloud.events.clear()
    master.update()
    told = [
        data["estimate"]
        for _, data in cloud.events
        if data["step"] == "stage" and data["status"] == "started"
    ]
    assert len(told) == 5 and all(told[0]["seconds"] > one["seconds"] for one in told[1:])


def test_an_older_journal_without_the_time_of_its_plan_is_read(cloud, master):
    cloud.nodes["compute3"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(master.update)
    bank = master.store.banks["openstack/rollout/runs"]
    old = json.loads(bank[master.run.id])
    del old["planned"]
    bank[master.run.id] = json.dumps(old)
    assert control.report(master.journal)["run"]["estimate"]["seconds"] > 0
