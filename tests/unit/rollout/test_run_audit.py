"""Guests are probed from before a run touches anything until it ends or pauses; no run feels it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.records.audits import Gap, Guest, Probed
from openstack_rollout.rollout.account import account
from openstack_rollout.rollout.ports import NoAuditing
from tests.unit.simulated_fleet import Cloud, Killed, Master

AUDIT = {"addresses": ["203.0.113.7"]}


class Auditing(NoAuditing):
    """Notes when it is asked. log: of what. wrong: why guests cannot be probed."""

    def __init__(self, cloud):
        self.cloud, self.log, self.wrong = cloud, [], []

    def begin(self, run, audit):
        self.log.append((f"begin {run.id}", audit and audit.addresses, len(self.cloud.statuses("apply"))))

    def end(self):
        self.log.append(("end", None, len(self.cloud.statuses("apply"))))

    def problems(self, audit):
        return self.wrong if audit else []


class Audited(Master):
    def __init__(self, cloud, folder):
        super().__init__(cloud, folder)
        self.auditing = Auditing(cloud)

    def ports(self):
        return replace(super().ports(), audit=self.auditing)


@pytest.fixture
def master(tmp_path):
    cloud = Cloud(controller=1, compute=2)
    cloud.openstack["audit"] = AUDIT
    return Audited(cloud, tmp_path)


def said(master):
    return [what for what, _, _ in master.auditing.log]


def test_from_before_the_first_step_to_after_the_last(master):
    master.update()
    begun, *_, ended = master.auditing.log
    assert begun == (f"begin {master.run.id}", AUDIT["addresses"], 0)
    assert ended == ("end", None, len(master.cloud.statuses("apply"))) and said(master).count("end") == 1


def test_a_pause_ends_it_and_who_goes_on_probes_before_it_waits_for_what_is_left(master):
    master.cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    with pytest.raises(RolloutError):
        master.update()
    assert said(master)[-1] == "end"
    master.cloud.nodes["compute1"].faults.clear()
    master.auditing.log.clear()
    master.update()
    assert said(master)[0] == f"begin {master.run.id}" and said(master)[-1] == "end"


def test_whatever_ends_the_process_ends_it(master):
    master.dies_while("compute1", "services")
    assert said(master)[-1] == "end"  # kill -9 ends the program with the process instead
    master.auditing.log.clear()
    master.update()
    assert said(master)[0] == f"begin {master.run.id}"


def test_a_run_without_an_audit_says_so(master):
    del master.cloud.openstack["audit"]
    master.update()
    assert master.auditing.log[0][1] is None and account(master.journal)["audit"] is None


def test_what_cannot_be_probed_is_warned_of_and_stops_nothing(master):
    master.auditing.wrong = ["openstack:audit:servers:0: no server is called web"]
    master.update()
    told = account(master.journal)["run"]
    assert told["state"] == "completed"
    seen = told["conditions"]["audit"]
    assert (seen["verdict"], seen["seen"]) == ("warn", master.auditing.wrong)


def test_the_account_puts_gaps_down_to_steps_of_the_run(master):
    master.update()
    record = master.journal.nodes(master.run.id)["compute1"]
    step = next(one for one in record.history if (one.stage, one.step) == ("ovs", "apply"))
    audits, run = master.journal.audits, master.run
    audits.save_probed(run.id, Probed("", "ping", 1.0, [(run.created, run.finished)]))
    gap = Gap(step.started + 2, step.started + 4.5, 2)
    audits.save_guests(run.id, {"g0001": Guest(address="203.0.113.7", sent=100, answered=98, gaps=[gap])})
    told = account(master.journal)["audit"]
    (found,) = told["guests"][0]["gaps"]
    assert (found["seconds"], told["unknown"]) == (2.5, [])
    assert {"node": "compute1", "stage": "ovs", "round": "", "step": "apply"} in found["causes"]


def test_a_process_that_is_killed_leaves_what_was_written(master):
    with pytest.raises(Killed):
        master.before_poll = lambda: (_ for _ in ()).throw(Killed)
        master.update()
    assert master.journal.unfinished()
