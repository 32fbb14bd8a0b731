"""What is kept of runs: who had them begin, how they ended, two compared, and what is forgotten."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openstack_rollout.records.run_record import Caller
from openstack_rollout.rollout import control, history
from openstack_rollout.rollout.asking import Given
from openstack_rollout.screens import history as screen
from openstack_rollout.screens import tables
from tests.unit.simulated_fleet import Master, refusal

ALICE, NIGHTLY = Caller("sudo_alice", "pts/3"), Caller("root", "", "nightly")


class Called(Master):
    by = ALICE

    def ports(self):
        return replace(super().ports(), caller=lambda: self.by)


CLOUD = {"controller": 3, "compute": 2}


@pytest.fixture
def master(cloud, tmp_path):
    return Called(cloud, tmp_path)


def two_runs(master, cloud):
    """One that failed and was gone on with by a schedule, and one that took longer. Returns their ids."""
    cloud.nodes["compute2"].faults["services/apply"] = "SERVICE_FAILED"
    refusal(master.update)
    cloud.nodes["compute2"].faults.clear()
    master.by = NIGHTLY
    master.update()
    first = master.run.id
    cloud.openstack["target_version"] = "1.0.2"
    cloud.nodes["compute1"].seconds = 90.0
    cloud.now += 3600
    master.update()
    return first, master.run.id


def test_the_history_tells_who_what_and_how_it_ended(master, cloud):
    first, second = two_runs(master, cloud)
    told = history.history(master.journal)
    assert [one["id"] for one in told["history"]] == [second, first] and told["kept"] == 2
    one = told["history"][1]
    assert (one["state"], one["target"], one["orchestration"]) == ("completed", "1.0.1", "orch.update")
    assert [(who["user"], who["terminal"], who["schedule"]) for who in one["begun"]] == [
        ("sudo_alice", "pts/3", ""),
        ("root", "", "nightly"),
    ]
    assert one["begun"][0]["at"] < one["begun"][1]["at"] and one["seconds"] > 0
    assert sum(one["nodes"].values()) == 5
    assert len(history.history(master.journal, 1)["history"]) == 1
    text = screen.text(told)
    assert f"{first}  orch.update to 1.0.1" in text and "sudo_alice (pts/3), 1970-01-12" in text
    assert "2 of 2 runs" in text


def test_the_limit_and_what_was_accepted_are_in_history_and_report(master, cloud):
    cloud.hotfix()
    master.journal.track_custom_images("1.0.0", cloud.openstack["custom_images"])
    given = Given("controller*", accept=["custom_images"])
    master.rollout().begin("orch.ovn", ["ovn"], given)
    one = history.history(master.journal)["history"][0]
    assert one["limit"] == "controller*" and one["accepted"]["custom_images"]["user"] == "sudo_alice"
    assert "limited to controller*" in screen.text(history.history(master.journal))
    told = control.report(master.journal)
    assert told["run"]["conditions"]["custom_images"]["verdict"] == "accepted"
    text = tables.text(told)
    assert "begun by sudo_alice (pts/3), " in text
    assert "accepted: custom_images, by sudo_alice (pts/3), " in text
    assert "custom_images: CUSTOM_IMAGES_UNCHANGED: " in text


def test_a_run_of_before_this_version_is_told_without_who(master, cloud):
    master.update()
    kept = master.store.fetch("openstack/rollout/runs", master.run.id)
    for key in ("begun", "accepted", "conditions"):
        del kept[key]
    master.store.store("openstack/rollout/runs", kept["id"], kept)
    (one,) = history.history(master.journal)["history"]
    assert (one["begun"], one["accepted"], one["state"]) == ([], {}, "completed")
    assert "completed" in screen.text({"history": [one], "kept": 1})
    tables.text(control.report(master.journal))


@pytest.mark.parametrize(
    ("record", "reason"), [({"version": 99}, "JOURNAL_VERSION"), ({"version": 1}, "JOURNAL_DAMAGED")]
)
def test_a_run_that_cannot_be_read_hides_no_other(master, cloud, record, reason):
    first, second = two_runs(master, cloud)
    master.store.store("openstack/rollout/runs", first, record)
    told = history.history(master.journal)["history"]
    assert told[0]["id"] == second and told[1] == {
        **{"id": first, "state": "", "reason": reason},
        "created": pytest.approx(1_000_000.0, abs=10),
    }
    assert reason in screen.text({"history": told, "kept": 2})


def test_without_any_run_that_is_said(master):
    assert screen.text(history.history(master.journal)) == "no run is kept"


def test_two_runs_are_compared(master, cloud):
    first, second = two_runs(master, cloud)
    told = history.compare(master.journal, first, second)
    assert [one["id"] for one in told["compared"]] == [first, second]
    assert told["stages"]["services"]["state"] == ["done", "done"]
    assert told["slower"] == ["compute1"]
    one = told["nodes"]["compute1"]
    before, after = one["seconds"]
    assert after - before > 4 * 60.0
    text = screen.text(told)
    assert "compute1  compute  done   done" in text and "+2" in text


def test_nodes_with_another_outcome_are_named_with_why(master, cloud):
    master.update()
    first = master.run.id
    cloud.openstack["target_version"] = "1.0.2"
    cloud.policy("compute", max_failures=1)
    cloud.nodes["compute2"].faults["services/apply"] = "SERVICE_FAILED"
    refusal(master.update)
    told = history.compare(master.journal, first, master.run.id)
    assert told["nodes"]["compute2"]["state"] == ["done", "failed"]
    assert told["nodes"]["compute2"]["failed"][1].startswith("services/apply: SERVICE_FAILED")
    assert "compute2: second: services/apply: SERVICE_FAILED" in screen.text(told)


def test_a_run_that_is_not_kept_is_refused(master):
    error = refusal(lambda: history.compare(master.journal, "20261128-1-x", "y"))
    assert error.reason == "NO_RUN" and "20261128-1-x" in error.message


def test_a_run_that_begins_forgets_what_the_pillar_does_not_keep(master, cloud):
    cloud.openstack["history"] = {"runs": 2}
    for _ in range(4):
        master.update()
        cloud.now += 86_400
    assert len(master.journal.run_ids()) == 2
    cloud.openstack["history"] = {"days": 1}
    cloud.now += 10 * 86_400
    master.update()
    assert master.journal.run_ids() == [master.run.id]


def test_operators_forget_by_count_and_by_age(master, cloud):
    runs = []
    for _ in range(4):
        master.update()
        runs.append(master.run.id)
        cloud.now += 86_400
    assert history.pruned(master.journal, 3, None, cloud.now) == {"pruned": runs[:1], "kept": 3}
    assert history.pruned(master.journal, None, 3, cloud.now) == {"pruned": runs[1:2], "kept": 2}
    assert refusal(lambda: history.pruned(master.journal, None, None, 0)).reason == "WRONG_ARGUMENT"
