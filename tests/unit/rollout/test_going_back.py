"""Canaries that fail to prove themselves go back by themselves, where the policy of their role says so."""

import pytest

from openstack_rollout.declared import warnings
from openstack_rollout.records.run_record import RunState
from openstack_rollout.rollout import control, going_back, in_force
from openstack_rollout.rollout.asking import Given
from openstack_rollout.vocabulary import STAGES
from tests.unit.rolling_back import Killed, declared, dying, later
from tests.unit.rollout.test_analysis import ALERTS, FIRING, Watched
from tests.unit.simulated_fleet import Cloud, refusal


def careful():
    cloud = Cloud(controller=1, gateway=1, compute=4)
    cloud.policy("compute", batch=4, canary=1, soak=60, on_failure="rollback")
    return cloud


@pytest.fixture
def cloud():
    return careful()


@pytest.fixture
def master(cloud, tmp_path):
    return Watched(cloud, tmp_path)


def update(master, **given):
    """What orch/update.sls does, with the runner's functions."""
    going_back.begin(master.ports(), Given(**given))
    for stage in STAGES:
        going_back.stage(master.ports(), stage)
    return master.rollout().finish()


def ails(master, stage="services"):
    """Have compute1 be ill as long as a stage of it is at the new release, as soon as it soaks."""
    node = master.cloud.nodes["compute1"]

    def look():
        soaks = "compute1" in master.cloud.statuses("verify", "succeeded", stage)
        ill = soaks and node.at[stage] == "1.0.1"
        node.health = ["container nova_compute: unhealthy"] if ill else []

    master.before_poll = look


def at(cloud, stage):
    return {name: node.at[stage] for name, node in cloud.nodes.items() if name.startswith("compute")}


def went_back(master, stage="services"):
    run, undone = master.run, master.journal.run(master.run.rollback)
    assert (run.state, run.stages) == (RunState.COMPLETED, [stage]), run.message
    assert undone.state is RunState.ABORTED and undone.goes_back.nodes == ["compute1"]
    assert at(master.cloud, stage) == {f"compute{number}": "1.0.0" for number in range(1, 5)}
    assert master.lock.holder() is None
    return True


def test_a_canary_that_falls_ill_while_it_soaks_goes_back_by_that_stage_alone(cloud, master):
    ails(master)
    error = refusal(lambda: update(master))
    assert error.reason == "NOT_AT_RELEASE" and error.nodes == ("compute1",)
    assert "compute1 went back by services" in error.message and "rollout.end_rollback" in error.message
    assert "1.0.0" not in error.message, "others are further"
    assert went_back(master) and set(at(cloud, "ovn").values()) == {"1.0.1"}
    assert cloud.nodes["gateway1"].at["services"] == "1.0.1" and cloud.nodes["compute1"].health == []
    # It is held there, until the operator says so.
    assert refusal(lambda: update(master)).reason == "ROLLED_BACK"
    in_force.end(master.journal)
    later(cloud)
    master.before_poll = lambda: None
    assert update(master)["state"] == "completed" and set(at(cloud, "services").values()) == {"1.0.1"}


def test_a_gate_that_fails_while_it_soaks_has_it_go_back(cloud, master):
    cloud.policy(
        "compute", canary=1, soak=600, on_failure="rollback", gates={"calm": {**ALERTS, "interval": 10}}
    )

    def alarm():
        soaks = "compute1" in cloud.statuses("verify", "succeeded", "ovn")
        master.monitoring.firing = [FIRING] if soaks else []

    master.before_poll = alarm
    error = refusal(lambda: update(master))
    assert error.reason == "ALERT_FIRING" and "went back by ovn" in error.message
    assert went_back(master, "ovn") and cloud.nodes["gateway1"].at["ovn"] == "1.0.1"


def test_a_canary_that_is_not_brought_there_at_all_goes_back_too(cloud, master):
    cloud.nodes["compute1"].faults["services/verify"] = "NODE_ERROR"

    def mend():
        if master.run.rollback:
            cloud.nodes["compute1"].faults.clear()

    master.before_poll = mend
    assert refusal(lambda: update(master)).reason == "NODE_ERROR"
    assert went_back(master)


@pytest.mark.parametrize("policy", ["pause", "quarantine"])
def test_by_any_other_policy_it_stays_and_the_run_pauses(cloud, master, policy):
    cloud.policy("compute", canary=1, soak=60, on_failure=policy)
    ails(master)
    assert refusal(lambda: update(master)).reason == "NOT_AT_RELEASE"
    run = master.run
    assert (run.state, run.rollback, run.goes_back) == (RunState.PAUSED, "", None)
    assert cloud.nodes["compute1"].at["services"] == "1.0.1"


def test_a_node_that_is_no_canary_stays(cloud, master):
    cloud.nodes["compute3"].faults["services/verify"] = "NODE_ERROR"
    assert refusal(lambda: update(master)).reason == "NODE_ERROR"
    assert master.run.goes_back is None and master.run.state is RunState.PAUSED


def test_a_pause_of_the_operator_is_no_failure(cloud, master):
    def ask():
        if "compute1" in cloud.statuses("verify", "succeeded", "services"):
            master.before_poll = lambda: None
            master.journal.ask(master.run.id, "pause")

    master.before_poll = ask
    assert refusal(lambda: update(master)).reason == "PAUSED_BY_OPERATOR"
    assert master.run.goes_back is None
    assert update(master)["state"] == "completed"


def test_a_pause_that_is_asked_for_as_the_canary_fails_counts(cloud, master):
    cloud.seconds = 10.0
    cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"

    def pause():
        if "compute1" in cloud.statuses("apply", stage="services"):
            master.before_poll = lambda: None
            control.pause(master.journal, master.lock)

    master.before_poll = pause
    error = refusal(lambda: update(master))
    run = master.run
    assert error.reason == "CONTAINER_EXITED" and (run.state, run.rollback) == (RunState.PAUSED, "")
    assert run.goes_back is None and len(master.journal.run_ids()) == 1
    cloud.nodes["compute1"].faults.clear()
    assert update(master)["state"] == "completed"


def test_what_cannot_go_back_is_named_and_the_run_stays_paused(cloud, master):
    declared(cloud, "release")
    ails(master)
    error = refusal(lambda: update(master))
    assert error.reason == "NOT_AT_RELEASE"
    assert "compute1 cannot go back by services: IRREVERSIBLE" in error.message
    run = master.run
    assert (run.state, run.reason, run.rollback) == (RunState.PAUSED, "NOT_AT_RELEASE", "")
    assert "IRREVERSIBLE" in run.message and cloud.nodes["compute1"].at["services"] == "1.0.1"
    master.before_poll = lambda: None
    cloud.nodes["compute1"].health = []
    assert update(master)["state"] == "completed" and master.run.id == run.id


def test_a_rollback_that_pauses_is_the_run_to_go_on_with(cloud, master):
    ails(master)
    look = master.before_poll

    def break_it():
        look()
        if master.run.rollback:
            cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"

    master.before_poll = break_it
    error = refusal(lambda: update(master))
    assert error.reason == "CONTAINER_EXITED" and "NOT_AT_RELEASE" in error.message
    run = master.run
    assert run.rollback and run.state is RunState.PAUSED
    assert refusal(lambda: update(master)).reason == "ROLLED_BACK"
    master.before_poll = look
    cloud.nodes["compute1"].faults.clear()
    assert master.roll_back()["state"] == "completed" and master.run.id == run.id
    assert went_back(master)


@pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 8, 13, 21, 34])
def test_killed_after_it_was_noted_whoever_goes_on_decides_alike(tmp_path, after):
    """after: how many writes after the first one that says who goes back."""
    master = Watched(careful(), tmp_path)
    ails(master)
    known = master.store.store
    mends = []

    def store(bank, key, data):
        known(bank, key, data)
        if isinstance(data, dict) and data.get("goes_back") and not mends:
            mends.append(None)
            master.store.store = known
            if after == 0:
                raise Killed
            mends[0] = dying(master.store, after)

    master.store.store = store
    with pytest.raises(Killed):
        update(master)
    if mends[0]:
        mends[0]()
    later(master.cloud)
    error = refusal(lambda: update(master))
    if master.run.state is not RunState.COMPLETED:
        assert error.reason == "ROLLED_BACK", error
        assert master.roll_back()["state"] == "completed"
    else:
        assert error.reason == "NOT_AT_RELEASE" and "went back" in error.message
    assert went_back(master)


def test_without_a_canary_the_policy_has_no_effect_and_that_is_told(cloud):
    assert list(warnings.of(cloud.model)) == []
    cloud.policy("compute", on_failure="rollback")
    (line,) = warnings.of(cloud.model)
    assert line.startswith("openstack:policies:compute:on_failure: rollback has no effect without canary")
