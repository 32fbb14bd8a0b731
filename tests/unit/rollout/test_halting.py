"""Ctrl-C on the process of a run: those in flight finish, no other starts, and it can go on."""

import pytest

from openstack_rollout.rollout import control
from tests.unit.simulated_fleet import Master, refusal

CLOUD = {"controller": 1, "gateway": 1, "compute": 4}


@pytest.fixture
def master(cloud, tmp_path, monkeypatch):
    found = Master(cloud, tmp_path)
    found.typed = False
    ports = found.ports

    def interruptible():
        made = ports()
        made.interrupted = lambda: found.typed
        return made

    monkeypatch.setattr(found, "ports", interruptible)
    return found


def type_when(master, there):
    def look():
        if there():
            master.before_poll = lambda: None
            master.typed = True

    master.before_poll = look


def test_nodes_in_flight_finish_however_long_they_take(cloud, master):
    cloud.policy("compute", batch=2)
    cloud.nodes["compute2"].seconds = 3000
    type_when(master, lambda: "compute2" in cloud.statuses("apply", stage="services"))
    error = refusal(master.update)
    assert error.reason == "PAUSED_BY_OPERATOR" and error.message.startswith("Ctrl-C: run ")
    assert cloud.ended == [] and cloud.statuses("verify", stage="services")[-1] == "compute2"
    assert cloud.nodes["compute2"].at["services"] == "1.0.1"
    assert "compute3" not in cloud.statuses("apply", stage="services")
    assert (master.run.state, master.run.reason) == ("paused", "PAUSED_BY_OPERATOR")
    master.typed = False
    assert control.to_resume(master.journal, master.lock) == "orch.update"
    assert master.update()["state"] == "completed" and len(master.journal.run_ids()) == 1


def test_abort_still_takes_effect_at_once(cloud, master):
    cloud.nodes["compute1"].seconds = 3000
    type_when(master, lambda: "compute1" in cloud.statuses("apply", stage="services"))

    typed = []

    def abort():
        if master.typed and not typed:
            typed.append(cloud.now)
            control.abort(master.journal, master.lock)

    type_then = master.before_poll
    master.before_poll = lambda: (type_then(), abort())
    error = refusal(master.update)
    assert error.reason == "ABORTED" and cloud.now - typed[0] < 60


def test_before_a_run_is_opened_it_is_a_refusal(cloud, master, monkeypatch):
    master.typed = True
    facts = "tests.unit.simulated_fleet.SimulatedFleet.facts"

    def asked(fleet, silences, refresh=False, halted=lambda: None):
        raise halted()

    monkeypatch.setattr(facts, asked)
    error = refusal(master.update)
    assert error.reason == "PAUSED_BY_OPERATOR" and "no run was opened" in error.message
    assert master.run is None and master.lock.holder() is None


def test_while_it_waits_for_a_yes_it_pauses_at_once(cloud, master):
    type_when(master, lambda: master.run and master.run.questions)
    assert refusal(lambda: master.update(confirm="stage")).reason == "PAUSED_BY_OPERATOR"
    assert cloud.applied == [] and master.run.state == "paused"
