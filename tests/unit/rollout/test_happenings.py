"""What somebody is told who does not watch, of the events that a run really fires."""

from __future__ import annotations

from openstack_rollout.errors import REASONS
from openstack_rollout.rollout import happenings
from tests.unit.simulated_fleet import Cloud, Master, refusal


def told(cloud):
    found = [happenings.of(data, "cloud1", "https://page.example/{run}") for _, data in cloud.events]
    return [one for one in found if one]


def test_the_end_is_told_with_the_link_and_nothing_else_of_a_run_that_went_well(tmp_path):
    cloud = Cloud(compute=2)
    master = Master(cloud, tmp_path)
    master.update()
    (end,) = told(cloud)
    assert end.kind == "end" and end.title == f"cloud1: run {master.run.id} ended: completed"
    assert end.lines == (f"https://page.example/{master.run.id}",)


def test_a_failure_and_the_pause_that_it_makes_are_told_with_their_remedy(tmp_path):
    cloud = Cloud(compute=2)
    cloud.nodes["compute1"].faults = {"ovn/apply": "APPLY_FAILED"}
    refusal(Master(cloud, tmp_path).update)
    failure, pause = told(cloud)
    assert (failure.kind, pause.kind) == ("failure", "pause") and "compute1" in failure.title
    for one in (failure, pause):
        assert one.lines[0].startswith("APPLY_FAILED: ") and REASONS["APPLY_FAILED"] in one.lines


def test_questions_are_told_by_what_they_ask(tmp_path):
    cloud = Cloud(compute=2)
    master = Master(cloud, tmp_path)

    def answer():
        for one in master.run.questions.values():
            master.journal.confirm(master.run.id, one.keys)

    master.before_poll = answer
    master.rollout().begin()
    cloud.policy("compute", confirm="node")
    master.rollout().stage("ovn")
    asked = [one for one in told(cloud) if one.kind == "confirmation"]
    assert len({one.key for one in asked}) == len(asked) == 2
    assert "compute1" in asked[0].lines[0] and "compute2" in asked[1].lines[0]


def test_a_run_gets_on_by_steps_that_succeed_on_nodes():
    event = {"node": "cmp1", "status": "succeeded", "stage": "ovn"}
    assert happenings.gets_on(event)
    assert not happenings.gets_on({**event, "node": "-"})
    assert not happenings.gets_on({**event, "status": "started"})
    assert not happenings.gets_on({**event, "stage": "prefetch"})
