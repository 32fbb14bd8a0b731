"""Where a run is at this moment, as those are told who follow it by its events."""

from __future__ import annotations

import pytest

from openstack_rollout.records.journal import Journal
from openstack_rollout.rollout import live
from tests.unit import simulated_fleet
from tests.unit.simulated_fleet import Cloud, Master, MemoryStore


class Stop(BaseException):
    """The process is gone: nothing may catch it."""


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """A run whose process is gone as soon as a node begins a step of a stage."""

    def at(node, stage, step, **given):
        told = simulated_fleet.SimulatedFleet.announce

        def announce(fleet, tag, data):
            told(fleet, tag, data)
            if (data["node"], data["stage"], data["step"], data["status"]) == (node, stage, step, "started"):
                raise Stop

        monkeypatch.setattr(simulated_fleet.SimulatedFleet, "announce", announce)
        master = Master(Cloud(controller=1, compute=3), tmp_path)
        with pytest.raises(Stop):
            master.update(**given)
        return master

    return at


def test_before_the_first_run_there_is_nothing():
    assert live.now_of(Journal(MemoryStore()), lambda run: run) is None


def test_a_node_in_flight_with_its_step_since_when_and_what_is_done(stopped):
    master = stopped("compute2", "services", "apply")
    told = live.now_of(master.journal, lambda run: run)
    node = told["nodes"]["compute2"]
    assert (node["state"], node["stage"], node["step"]) == ("in_flight", "services", "apply")
    assert node["began"] == node["at"] == told["newest"] == pytest.approx(master.cloud.now)
    assert told["nodes"]["compute1"]["cells"] == dict.fromkeys(("prefetch", "ovn", "services"), "done")
    assert told["nodes"]["compute1"]["began"] is None and told["nodes"]["compute1"]["step"] == ""
    assert node["cells"] == {"prefetch": "done", "ovn": "done"}
    assert told["counts"]["in_flight"] == 1 and sum(told["counts"].values()) == len(told["nodes"])
    assert told["planned"] == {
        "prefetch": 4,
        "ovn": 4,
        "control_plane": 1,
        "services": 3,
        "ovs": 4,
        "system": 4,
    }


def test_what_an_operator_asked_for_and_what_the_run_asks(stopped):
    master = stopped("compute1", "ovn", "apply")
    run = master.journal.unfinished()
    master.journal.ask(run.id, "pause")
    assert live.now_of(master.journal, lambda run: run)["asked"] == "pause"
    assert live.now_of(master.journal, lambda run: run)["questions"] == []


def test_a_question_with_what_comes(tmp_path, monkeypatch):
    master = Master(Cloud(controller=1, compute=2), tmp_path)
    asked = []

    def confirmed(journal, run_id):
        asked.append(live.now_of(journal, lambda run: run))
        if asked[-1]["questions"]:
            raise Stop
        return set()

    monkeypatch.setattr(Journal, "confirmed", confirmed)
    with pytest.raises(Stop):
        master.update(confirm="node")
    (question,) = asked[-1]["questions"]
    assert question["nodes"] == ["controller1"] and question["since"] == pytest.approx(master.cloud.now)
    assert question["record"]["comes"][0]["node"] == "controller1"


def test_the_nodes_are_read_once_however_many_there_are(stopped):
    master = stopped("compute2", "services", "apply")
    read = []
    fetch = master.journal._store._inner.fetch

    def counting(bank, key):
        read.append((bank, key))
        return fetch(bank, key)

    master.journal._store._inner.fetch = counting
    live.now_of(master.journal, lambda run: run)
    of_nodes = [one for one in read if one[0].endswith("/nodes")]
    assert len(of_nodes) == len(set(of_nodes)) == 4
