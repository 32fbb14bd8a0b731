"""Silences of nodes in flight: scoped to them, gone with them, taken over from an engine that died."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import pytest

from openstack_rollout.monitoring.contract import NoAnswer, NotFound, Standing
from openstack_rollout.records.run_record import NodeRecord, NodeState
from openstack_rollout.rollout import control, silencing
from openstack_rollout.rollout.node_log import NodeLog
from openstack_rollout.rollout.witness import Witness
from openstack_rollout.screens import tables
from tests.unit.rolling_back import later
from tests.unit.simulated_fleet import Cloud, Killed, Master, refusal

DOWN = {"matchers": ['instance=~"{host}(:[0-9]+)?"', 'alertname=~"HostDown|AgentDown"'], "ends_within": 30}


class Alertmanager:
    """Silences in memory. there: id → (matchers, comment). log: what was done, in order."""

    def __init__(self):
        self.there = {}
        self.log = []
        self.lost = set()
        self.error = None
        self._ids = itertools.count(1)

    def silences(self):
        return self

    def create(self, matches, comment, seconds):
        self._fail()
        found = f"s{next(self._ids)}"
        self.there[found] = ([one.text for one in matches], comment)
        self.log.append(("create", comment.split(": ")[1].split()[0], seconds))
        return found

    def prolong(self, silence, seconds):
        self._fail()
        self.log.append(("prolong", silence, seconds))
        if silence in self.lost:
            raise NotFound(f"nothing is called {silence}", False)
        return silence if silence in self.there else None

    def expire(self, silence):
        self._fail()
        self.log.append(("expire", silence))
        self.there.pop(silence, None)

    def ours(self):
        self._fail()
        self.log.append(("ours",))
        return [Standing(name, comment, False) for name, (_, comment) in self.there.items()]

    def of(self, node):
        return [name for name, (_, comment) in self.there.items() if f": {node} is" in comment]

    def _fail(self):
        if self.error:
            raise self.error


class Silenced(Master):
    """A master that silences alerts of computes."""

    def __init__(self, cloud, folder, **more):
        super().__init__(cloud, folder)
        self.alertmanager = Alertmanager()
        cloud.openstack["monitoring"] = {"alertmanager": {"address": "http://alertmanager.example"}}
        cloud.policy("compute", alert_silences={"down": {**DOWN, **more}})

    def ports(self):
        return replace(super().ports(), monitor=lambda declared: self.alertmanager)

    def in_flight(self):
        return [node for node, one in self.journal.nodes(self.run.id).items() if one.state == "in_flight"]

    def until(self, holds):
        end = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < end
            time.sleep(0.01)


CLOUD = {"compute": 2, "gateway": 1}


@pytest.fixture
def master(cloud, tmp_path, monkeypatch):
    monkeypatch.setattr(silencing, "RETRY", 0.05)
    monkeypatch.setattr(silencing, "_LOOK", 0.05)
    return Silenced(cloud, tmp_path)


def flying(master):
    """The computes that are in flight, but for what prefetches."""
    records = master.journal.nodes(master.run.id).items()
    found = {node: one.stage for node, one in records if one.state == "in_flight" and one.role == "compute"}
    return [node for node, stage in found.items() if stage != "prefetch"]


def watched(master):
    """Look at every moment: what is silenced is what is in flight, but for what prefetches."""
    seen = []

    def look():
        now = flying(master)
        there = master.alertmanager.there
        master.until(lambda: {one.split(": ")[1].split()[0] for _, one in there.values()} == set(now))
        seen.extend(now)

    master.before_poll = look
    return seen


def test_a_silence_is_there_while_its_node_is_in_flight_and_is_that_of_the_node(cloud, master):
    seen = watched(master)
    made = []
    create = master.alertmanager.create
    master.alertmanager.create = lambda matches, comment, seconds: (
        made.append([one.text for one in matches]) or create(matches, comment, seconds)
    )
    assert master.update()["state"] == "completed"
    assert {"compute1", "compute2"} == set(seen) and master.alertmanager.there == {}
    assert ['instance=~"compute1(:[0-9]+)?"', 'alertname=~"HostDown|AgentDown"'] in made
    assert all("compute1" in one[0] or "compute2" in one[0] for one in made)
    assert {one[2] for one in master.alertmanager.log if one[0] == "create"} == {30}


def test_all_silences_are_in_the_report(cloud, master):
    watched(master)
    master.update()
    report = control.report(master.journal)
    found = report["nodes"]["compute1"]["silences"]
    assert found and all(one["name"] == "compute:down" and one["ended"] >= one["begun"] for one in found)
    assert report["nodes"]["gateway1"]["silences"] == []
    text = tables.report(report)
    assert "SILENCED" in text and all(one["id"] in text for one in found)


def test_an_update_without_silences_speaks_to_nobody(tmp_path):
    cloud = Cloud(compute=1)
    master = Silenced(cloud, tmp_path)
    cloud.policy("compute")
    master.alertmanager.error = AssertionError("nobody asks")
    assert master.update()["state"] == "completed"
    assert "SILENCED" not in tables.report(control.report(master.journal))


def test_only_stages_that_are_named_are_silenced(cloud, tmp_path):
    master = Silenced(cloud, tmp_path, stages=["system"])
    stages = []

    def look():
        flying = [one.stage for one in master.journal.nodes(master.run.id).values()
                  if one.state == "in_flight" and one.role == "compute"]  # fmt: skip
        if flying == ["system"]:
            master.until(lambda: master.alertmanager.there)
        stages.extend(flying if master.alertmanager.there else [])

    master.before_poll = look
    master.update()
    assert set(stages) == {"system"}


def test_who_cannot_be_silenced_goes_anyway_and_it_is_told(cloud, master):
    asked = []
    master.alertmanager.error = NoAnswer("Alertmanager: HTTP 500")
    master.alertmanager.create = lambda *_: asked.append(1) or master.alertmanager._fail()
    master.before_poll = lambda: flying(master) == ["compute1"] and master.until(lambda: asked)
    assert master.update()["state"] == "completed"
    told = [data for _, data in cloud.events if data["status"] == "not_silenced"]
    assert told and {one["reason"] for one in told} == {"SILENCE_FAILED"}
    assert "compute:down" in told[0]["message"] and "HTTP 500" in told[0]["message"]


def test_a_node_that_fails_is_heard_of_again(cloud, master):
    watched(master)
    cloud.nodes["compute1"].faults = {"services/apply": "APPLY_FAILED"}
    assert refusal(master.update).reason == "APPLY_FAILED"
    assert master.alertmanager.there == {}


def killed(master, stage, written=True):
    """Run until a compute is in flight and silenced, then die. written: whether its id is in the journal."""

    def die():
        if master.run.stage.get(stage) and master.in_flight() == ["compute1"]:
            master.until(lambda: master.alertmanager.of("compute1"))
            known = master.journal.node(master.run.id, "compute1").silences
            if not written or any(one.ended is None for one in known):
                raise Killed

    master.before_poll = die
    if not written:
        look = silencing.Silencing.look
        silencing.Silencing.look = lambda self, log: None
    try:
        with pytest.raises(Killed):
            master.update()
    finally:
        if not written:
            silencing.Silencing.look = look
    master.before_poll = lambda: None
    assert len(master.alertmanager.of("compute1")) == 1


@pytest.mark.parametrize("written", [True, False])
def test_what_a_killed_engine_left_is_taken_over_and_removed(cloud, master, written):
    killed(master, "ovn", written)
    left = master.alertmanager.of("compute1")[0]
    master.alertmanager.there["foreign"] = (
        [],
        "openstack-rollout, run 1: compute1 is in flight, compute:down",
    )
    seen = watched(master)
    del master.alertmanager.there["foreign"]
    kept = dict(master.alertmanager.there)
    assert kept
    assert master.update()["state"] == "completed"
    assert ("expire", left) in master.alertmanager.log and master.alertmanager.there == {}
    of_node = [one for one in control.report(master.journal)["nodes"]["compute1"]["silences"]]
    assert [one["id"] for one in of_node].count(left) == 1 and all(one["ended"] for one in of_node)
    assert "compute2" in seen


def test_a_rollback_silences_as_well_and_leaves_none_of_the_run_that_it_undoes(cloud, master):
    killed(master, "ovn")
    left, undone = master.alertmanager.of("compute1")[0], master.run.id
    later(cloud)
    seen = watched(master)
    assert master.roll_back()["state"] == "completed"
    assert "compute1" in seen and master.run.rollback == undone and master.alertmanager.there == {}
    assert ("expire", left) in master.alertmanager.log
    assert control.report(master.journal)["nodes"]["compute1"]["silences"]  # of the rollback


def test_silences_of_others_stay(cloud, master):
    killed(master, "ovn")
    master.alertmanager.there["other"] = ([], "openstack-rollout, run 1: compute1 is in flight, compute:down")
    master.alertmanager.there["human"] = ([], "compute1 is in flight")
    assert master.update()["state"] == "completed"
    assert set(master.alertmanager.there) == {"other", "human"}


def test_one_that_ended_by_itself_meanwhile_is_written_down_as_ended(cloud, master):
    killed(master, "ovn")
    left = master.alertmanager.of("compute1")[0]
    master.alertmanager.there.clear()
    assert master.update()["state"] == "completed"
    (found,) = [one for one in master.journal.node(master.run.id, "compute1").silences if one.id == left]
    assert found.ended is not None and ("expire", left) not in master.alertmanager.log


# ---- the thread itself ------------------------------------------------------------------------------------


@pytest.fixture
def alone(master):
    """A Silencing of one node without an engine, its log, what says whether the node flies, and the time."""
    run = master.journal.create("1.0.1", "orch.update", ["ovn"], {})
    of, now = {"compute:down": master.cloud.model.policies.compute.alert_silences["down"]}, [0.0]
    make, monotonic = (lambda: master.alertmanager), (lambda: now[0])
    one = silencing.Silencing(run.id, lambda node, stage: of, make, monotonic=monotonic)
    witness = Witness(monotonic)
    log = NodeLog(master.ports().fleet, master.journal, run, master.cloud.clock, one.noted, witness)
    log.records["compute1"] = NodeRecord(role="compute")

    def flies(is_so):
        log.note(silencing.adoption.node_of("compute1", log.records["compute1"]), stage="ovn",
                 state=NodeState.IN_FLIGHT if is_so else NodeState.DONE)  # fmt: skip

    return one, log, flies, now


def test_it_is_prolonged_in_time(master, alone):
    one, log, flies, now = alone
    with one.kept(log):
        flies(True)
        real_wait(lambda: master.alertmanager.there)
        first = next(iter(master.alertmanager.there))
        now[0] = 14.0
        time.sleep(0.2)
        assert not [entry for entry in master.alertmanager.log if entry[0] == "prolong"]
        now[0] = 15.1
        real_wait(lambda: ("prolong", first, 30) in master.alertmanager.log)
        flies(False)
    assert master.alertmanager.there == {}


def test_one_that_an_operator_ended_is_not_made_again(master, alone):
    one, log, flies, now = alone
    with one.kept(log):
        flies(True)
        real_wait(lambda: master.alertmanager.there)
        master.alertmanager.there.clear()
        now[0] = 20.0
        real_wait(lambda: any(entry[0] == "prolong" for entry in master.alertmanager.log))
        now[0] = 500.0
        time.sleep(0.3)
        assert master.alertmanager.there == {}
        flies(False)


def test_one_that_the_server_lost_is_made_again(master, alone):
    one, log, flies, now = alone
    with one.kept(log):
        flies(True)
        real_wait(lambda: master.alertmanager.there)
        master.alertmanager.lost |= {*master.alertmanager.there}  # as one that starts without its disk
        master.alertmanager.there.clear()
        now[0] = 20.0
        real_wait(lambda: master.alertmanager.there)
        assert not master.alertmanager.lost & {*master.alertmanager.there}
        flies(False)
    assert master.alertmanager.there == {}


def test_a_lingering_silence_ends_by_itself_after_its_node(cloud, tmp_path, monkeypatch):
    monkeypatch.setattr(silencing, "_LOOK", 0.05)
    master = Silenced(cloud, tmp_path, linger=20)
    master.before_poll = lambda: master.in_flight() and master.until(lambda: True)
    master.update()
    ends = [entry for entry in master.alertmanager.log if entry[0] in ("prolong", "expire")]
    assert ends and all(entry[0] == "prolong" and entry[2] == 20 for entry in ends)


def real_wait(holds):
    for _ in range(400):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come")
