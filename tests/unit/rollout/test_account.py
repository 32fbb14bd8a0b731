"""The account of a run: what the journal knows of it, whole."""

from dataclasses import replace

import pytest

from openstack_rollout.errors import REASONS, RolloutError
from openstack_rollout.records.run_record import Caller, RunState
from openstack_rollout.rollout.account import account
from tests.unit.simulated_fleet import DRAIN, Cloud, Master


@pytest.fixture
def master(tmp_path):
    return Master(Cloud(controller=1, gateway=1, compute=3), tmp_path)


def test_versions_before_and_after_are_those_that_were_measured(master):
    master.update()
    told = account(master.journal)["nodes"]["compute1"]
    assert (told["before"]["release"], told["after"]["release"]) == ("1.0.0", "1.0.1")
    assert {one["subject"]: (one["have"], one["want"]) for one in told["versions"]} == {
        "ovn": ("1.0.0 (1.0.0)", "1.0.1 (1.0.1)"),
        "services": ("1.0.0 (1.0.0)", "1.0.1 (1.0.1)"),
        "openvswitch": ("1.0.0", "1.0.1"),
        "bash": ("1.0.0", "1.0.1"),
    }
    assert told["after"]["at"] > told["before"]["at"]


def test_a_run_that_changes_nothing_tells_of_no_change(master):
    master.update()
    master.update()
    told = account(master.journal)["nodes"]
    assert {one["state"] for one in told.values()} == {"skipped"}
    assert all(each["have"] == each["want"] for one in told.values() for each in one["versions"])
    assert all(one["after"]["release"] == "1.0.1" for one in told.values())


def test_what_it_was_before_outlives_the_engine(master):
    master.cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    with pytest.raises(RolloutError):
        master.update()
    paused = account(master.journal)
    half = paused["nodes"]["compute1"]
    assert (half["before"]["release"], half["after"]["release"]) == ("1.0.0", None)
    assert paused["nodes"]["compute2"]["before"]["release"] == "1.0.0"
    master.cloud.nodes["compute1"].faults.clear()
    master.update()
    done = account(master.journal)["nodes"]["compute1"]
    assert (done["before"], done["after"]["release"]) == (half["before"], "1.0.1")


def test_failures_have_their_remedy_and_say_whether_they_are_open(master):
    master.cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    with pytest.raises(RolloutError):
        master.update()
    (failure,) = account(master.journal)["failures"]
    assert (failure["node"], failure["stage"], failure["step"]) == ("compute1", "services", "apply")
    assert (failure["reason"], failure["open"]) == ("CONTAINER_EXITED", True)
    assert failure["remedy"] == REASONS["CONTAINER_EXITED"]
    master.cloud.nodes["compute1"].faults.clear()
    master.update()
    (failure,) = account(master.journal)["failures"]
    assert failure["reason"] == "CONTAINER_EXITED" and not failure["open"]


def test_pauses_last_from_the_stop_to_whoever_has_it_go_on(master):
    master.cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    with pytest.raises(RolloutError):
        master.update()
    stopped = master.cloud.now
    (pause,) = account(master.journal)["run"]["pauses"]
    assert (pause["from"], pause["to"], pause["reason"]) == (stopped, None, "CONTAINER_EXITED")
    master.cloud.now += 3600
    master.cloud.nodes["compute1"].faults.clear()
    master.update()
    told = account(master.journal)["run"]
    (pause,) = told["pauses"]
    assert pause["from"] == stopped and pause["to"] == pytest.approx(stopped + 3600, abs=60)
    assert (told["state"], told["ended"]) == ("completed", pytest.approx(master.cloud.now, abs=1))


def test_a_process_that_was_killed_made_a_pause_too(master):
    def killed():
        if master.cloud.now > 1_000_200:
            raise KeyboardInterrupt

    master.before_poll = killed
    with pytest.raises(KeyboardInterrupt):
        master.update()
    died = master.cloud.now
    gone = {"state": RunState.INTERRUPTED, "reason": "INTERRUPTED"}
    told = account(master.journal, found=lambda run: replace(run, **gone))["run"]
    assert (told["state"], told["pauses"][-1]["state"]) == ("interrupted", "interrupted")
    assert told["remedy"] == REASONS["INTERRUPTED"]
    master.before_poll = lambda: None
    master.cloud.now += 500
    master.update()
    (pause,) = account(master.journal)["run"]["pauses"]
    assert pause["reason"] == "INTERRUPTED" and pause["from"] <= died < pause["to"]


def test_what_was_expected_when_it_began_stands_beside_what_it_took(master):
    master.update()
    for node in master.cloud.nodes.values():
        node.at = {stage: "1.0.0" for stage in node.at}
    master.update()
    told = account(master.journal)
    for stage in ("ovn", "services", "system"):
        assert told["stages"][stage]["expected"] == pytest.approx(told["stages"][stage]["seconds"], rel=0.3)
    assert told["run"]["expected"]["seconds"] > 0


def test_nodes_that_are_set_aside_and_what_is_left_on_others(master):
    master.cloud.policy("compute", max_failures=1, on_failure="quarantine", drain=DRAIN)
    master.cloud.nodes["compute1"].faults["ovs/apply"] = "OVS_FAILED"
    told_before = master.cloud.facts_of

    def facts_of(name):
        told = told_before(name)
        due = name == "compute3" and told["packages"]["bash"] != ["1.0.0"]
        return {**told, "reboot": ["kernel"] if due else []}

    master.cloud.facts_of = facts_of
    master.update()
    left = {(one["node"], one["kind"], one["have"]) for one in account(master.journal)["left"]}
    assert ("compute1", "quarantined", "OVS_FAILED") in left
    assert ("compute3", "reboot", "kernel") in left


def test_who_began_and_what_was_accepted(master):
    ports = master.ports
    master.ports = lambda: replace(ports(), caller=lambda: Caller("alice", "pts/3", ""))
    master.update(accept=["failed_units"])
    told = account(master.journal)["run"]
    assert told["begun"][0]["user"] == told["accepted"]["failed_units"]["user"] == "alice"


def test_windows_are_those_that_were_declared_when_it_began_or_went_on(master):
    hour = 3600
    master.update()
    assert account(master.journal)["run"]["windows"] == []
    for node in master.cloud.nodes.values():
        node.at = dict.fromkeys(node.at, "1.0.0")
    master.cloud.now = 20 * 86400 + 13 * hour
    master.cloud.openstack["window"] = {"from": "13:00", "to": "14:00"}
    master.cloud.policy("gateway", window={"from": "15:00", "to": "19:00"})
    with pytest.raises(RolloutError, match="WINDOW_CLOSED"):
        master.update()
    master.cloud.now = 20 * 86400 + 15 * hour
    master.cloud.openstack["window"] = {"from": "13:00", "to": "20:00"}
    master.update()
    day = 20 * 86400
    told = [(one["roles"], (one["from"] - day) / hour, (one["to"] - day) / hour)
            for one in account(master.journal)["run"]["windows"]]  # fmt: skip
    assert told == [
        (["compute", "controller"], 13, 14),
        (["compute", "controller"], 13, 20),
        (["gateway"], 15, 19),
    ]


def aged(master):
    """Make the journal one that an older version wrote."""
    bank, store = f"openstack/rollout/runs/{master.run.id}/nodes", master.store
    for key in store.list(bank):
        old = store.fetch(bank, key)
        del old["before"], old["after"]
        for step in old["history"]:
            del step["reason"]
        store.store(bank, key, old)
    old = store.fetch("openstack/rollout/runs", master.run.id)
    del old["stopped"], old["expected"], old["windows"]
    store.store("openstack/rollout/runs", master.run.id, old)


def test_a_journal_of_before_is_read(master):
    master.update()
    aged(master)
    told = account(master.journal)
    assert {one["after"] for one in told["nodes"].values()} == {None}
    assert {one["expected"] for one in told["stages"].values()} == {None}


def test_what_a_run_of_before_had_changed_is_not_taken_for_what_was_there(master):
    master.cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    with pytest.raises(RolloutError):
        master.update()
    aged(master)
    master.cloud.nodes["compute1"].faults.clear()
    master.update()
    told = account(master.journal)["nodes"]["compute1"]
    assert told["before"] is None and told["after"]["release"] == "1.0.1"
