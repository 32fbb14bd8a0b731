"""A rollback that was interrupted, and what takes its place."""

import pytest

from openstack_rollout.rollout import control, in_force
from openstack_rollout.rollout.asking import Given
from openstack_rollout.rollout.rollback import Rollback
from tests.unit.rolling_back import REVERSED, Killed, as_they_are, dying, later
from tests.unit.simulated_fleet import Cloud, Master, SimulatedFleet, refusal


@pytest.mark.parametrize("paused", [False, True])
def test_it_is_killed_at_every_event_and_goes_on_to_the_same_end(tmp_path, paused):
    """Also in the middle of its beginning, write by write; also of a run that was paused half way."""
    number, ended = 0, False
    while not ended:
        number += 1 if number < 9 else 31
        folder = tmp_path / str(number)
        folder.mkdir()
        cloud = Cloud(controller=1, gateway=1, compute=2)
        master = Master(cloud, folder)
        before = as_they_are(cloud)
        if paused:
            cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
            refusal(master.update)
            cloud.nodes["compute2"].faults.clear()
        else:
            master.update()
        undone = master.run.id
        later(cloud)
        mend = dying(master.store, number)
        try:
            master.roll_back()
            ended = True
        except Killed:
            mend()
            if master.run.rollback or master.run.id == undone:
                assert master.roll_back()["state"] == "completed", number
        assert as_they_are(cloud) == before, number
        assert master.run.rollback == undone
        runs = map(master.journal.run, master.journal.run_ids())
        assert [one.state for one in runs if one.rollback and one.stage] == ["completed"], number
    assert number > 50


def test_what_goes_on_goes_on_with_its_own_nodes(cloud, master):
    master.update()
    later(cloud)
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(master.roll_back)
    assert refusal(lambda: master.roll_back(limit="compute*")).reason == "RUN_UNFINISHED"
    assert refusal(master.update).reason == "ROLLED_BACK"
    assert control.to_resume(master.journal, master.lock) == "orch.rollback"
    cloud.nodes["compute2"].faults.clear()
    run = master.run.id
    assert master.roll_back()["state"] == "completed" and master.run.id == run


def test_an_edit_of_the_target_under_way_is_heard(cloud, master):
    master.update()
    later(cloud)
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(master.roll_back)
    cloud.nodes["compute2"].faults.clear()
    cloud.openstack["target_version"] = "1.0.0"
    assert refusal(master.roll_back).reason == "TARGET_CHANGED"
    cloud.openstack["target_version"] = "1.0.1"
    assert master.roll_back()["state"] == "completed"


@pytest.mark.parametrize("again", [False, True])
def test_ending_a_rollback_gives_nodes_to_the_target_again(cloud, master, again):
    assert refusal(lambda: in_force.end(master.journal)).reason == "NO_RUN"
    master.update()
    later(cloud)
    if again:
        cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
        refusal(master.roll_back)
        assert refusal(lambda: in_force.end(master.journal)).reason == "RUN_UNFINISHED"
        cloud.nodes["compute2"].faults.clear()
    master.roll_back()
    assert in_force.end(master.journal).release == "1.0.0"
    later(cloud)
    assert master.update()["state"] == "completed"
    assert all(set(node.at.values()) == {"1.0.1"} for node in cloud.nodes.values())
    undone = master.run.id
    later(cloud)
    master.roll_back()
    assert master.run.rollback == undone


def test_jobs_of_a_run_that_was_aborted_after_its_death_are_waited_for(cloud, master):
    before = as_they_are(cloud)
    master.dies_while("compute2", "services")
    dead = master.run.id
    assert control.abort(master.journal, master.lock)["in_flight"] == ["compute2"]
    later(cloud)
    assert master.roll_back()["state"] == "completed" and as_they_are(cloud) == before
    assert master.journal.node(dead, "compute2").state != "in_flight"


@pytest.mark.parametrize("asked", ["pause", "abort"])
def test_what_was_asked_of_an_engine_that_died_is_not_asked_of_the_rollback(cloud, master, asked):
    before = as_they_are(cloud)
    master.dies_while("compute2", "services")
    dead = master.run.id
    master.journal.ask(dead, asked)  # it died before it heard that
    later(cloud)
    assert master.roll_back()["state"] == "completed" and as_they_are(cloud) == before
    assert master.journal.run(dead).state == "aborted" and master.journal.requested(dead) is None


def test_a_rollback_goes_on_with_its_nodes_and_no_other_limit(cloud, master):
    master.update()
    later(cloud)
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(master.roll_back)
    error = refusal(lambda: control.to_resume(master.journal, master.lock, Given(limit="compute1")))
    assert error.reason == "RUN_UNFINISHED" and "goes on with the nodes that it began with" in error.message


def test_an_update_does_not_take_the_place_of_a_rollback_that_died_before_it_counted(cloud, master):
    master.update()
    later(cloud)
    put = master.journal.way_back.put_in_force

    def dies(_):
        raise Killed

    master.journal.way_back.put_in_force = dies
    with pytest.raises(Killed):
        master.roll_back()
    master.journal.way_back.put_in_force = put
    assert master.run.rollback and master.journal.way_back.in_force() is None
    error = refusal(master.update)
    assert error.reason == "ROLLED_BACK" and "rollout.resume" in error.message
    assert (master.run.state, master.run.reason) == ("running", ""), "it is interrupted, as it was"
    assert control.to_resume(master.journal, master.lock) == "orch.rollback"
    assert master.roll_back()["state"] == "completed"
    assert all(set(node.at.values()) == {"1.0.0"} for node in cloud.nodes.values())


def test_a_rollback_that_was_aborted_begins_anew_with_what_is_left(cloud, master):
    before = as_they_are(cloud)
    master.update()
    undone = master.run.id
    later(cloud)
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(master.roll_back)
    cloud.nodes["compute2"].faults.clear()
    control.abort(master.journal, master.lock)
    assert refusal(master.update).reason == "ROLLED_BACK"
    later(cloud)
    assert master.roll_back()["state"] == "completed"
    assert as_they_are(cloud) == before and master.run.rollback == undone


def test_nodes_are_told_whether_the_run_has_changed_them_before(cloud, master, monkeypatch):
    told, start = [], SimulatedFleet.start

    def noted(self, node, step, stage, jid, silence, *, context):
        told.append((node, step, context.moved))
        start(self, node, step, stage, jid, silence, context=context)

    monkeypatch.setattr(SimulatedFleet, "start", noted)
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(master.update)
    assert not any(moved for _, step, moved in told if step == "prefetch")
    told.clear()
    cloud.nodes["compute2"].faults.clear()
    master.update()
    assert ("compute2", "prefetch", True) in told


def test_it_is_killed_at_its_last_word_and_ends_all_the_same(tmp_path):
    """The target is set back already: nothing is to be held afterwards."""
    number, ended = 0, False
    while not ended:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        cloud = Cloud(controller=1)
        master = Master(cloud, folder)
        master.update()
        later(cloud)
        cloud.openstack["target_version"] = "1.0.0"
        Rollback(master.ports()).begin()
        for stage in REVERSED:
            rollout = master.rollout()
            rollout.stage(stage)
        mend = dying(master.store, number)
        try:
            master.rollout().finish()
            ended = True
        except Killed:
            mend()
            later(cloud)
            if master.run.state == "running":
                assert master.roll_back()["state"] == "completed"
            assert master.run.message.endswith(f"before run {master.run.rollback}")
            later(cloud)
            assert master.update()["state"] == "completed"
        assert master.journal.way_back.in_force() is None
        assert set(cloud.nodes["controller1"].at.values()) == {"1.0.0"}
    assert number > 2


@pytest.mark.parametrize(
    ("asked", "other"),
    [
        ({"limit": "compute*", "stages": ("services",)}, {"limit": "compute1"}),
        ({"limit": "*", "stages": ("services",)}, {"stages": ("ovs",)}),
        ({"stages": ("services", "ovs")}, {"limit": "compute*"}),
    ],
)
def test_the_same_command_again_goes_on_and_another_one_is_refused(cloud, master, asked, other):
    master.update()
    undone = master.run.id
    later(cloud)
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(lambda: master.roll_back(**asked))
    cloud.nodes["compute2"].faults.clear()
    paused = master.run.id
    assert refusal(lambda: master.roll_back(**{**asked, **other})).reason == "RUN_UNFINISHED"
    assert master.roll_back(undone, **asked)["state"] == "completed" and master.run.id == paused


@pytest.mark.parametrize("lost", ["damaged", "of before"])
def test_what_a_run_had_changed_is_not_written_down_as_what_was_there(cloud, master, lost):
    """A program of before has written nothing, and a damaged record was dropped: it is half-way now."""
    cloud.nodes["compute2"].faults["ovs/apply"] = "OVS_FAILED"
    refusal(master.update)
    bank = f"openstack/rollout/runs/{master.run.id}/before"
    if lost == "damaged":
        master.store.store(bank, "compute1", {"version": 1, "images": 1})
        assert master.journal.repair() == [f"compute1 before run {master.run.id}"]
    else:
        master.store.flush(bank, "compute1")
    cloud.nodes["compute2"].faults.clear()
    master.update()
    later(cloud)
    error = refusal(master.roll_back)
    assert error.reason == "IRREVERSIBLE"
    assert "compute1: the journal does not say what it was before" in error.message
    assert set(cloud.nodes["compute1"].at.values()) == {"1.0.1"}


def test_what_prefetch_alone_has_touched_is_still_what_was_there(cloud, master):
    cloud.nodes["compute1"].faults["ovn/apply"] = "APPLY_FAILED"
    cloud.nodes["controller1"].faults["ovn/apply"] = "APPLY_FAILED"
    refusal(master.update)
    master.store.flush(f"openstack/rollout/runs/{master.run.id}/before", "compute1")
    cloud.nodes["compute1"].faults.clear()
    cloud.nodes["controller1"].faults.clear()
    master.update()
    later(cloud)
    before = master.journal.way_back.former(master.journal.run_ids()[0], "compute1")
    assert before.deployed == "1.0.0"
    assert master.roll_back()["state"] == "completed"
