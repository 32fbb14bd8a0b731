"""rollout_job: a job is ended gently where that is asked for, else at once; and what became of it is told."""

from __future__ import annotations

import os
import subprocess

import pytest

from openstack_rollout.node import waiting
from tests.unit.loading import load

JOB = "20261121093000123456"


class Minion:
    """Finds one job as long as its process lives; a soft kill ends it where it is told to."""

    def __init__(self, pid, soft=False):
        self.pid, self.soft, self.asked = pid, soft, []

    def functions(self):
        return {"saltutil.find_job": self.find_job, "state.soft_kill": self.soft_kill}

    def find_job(self, jid):
        return {"jid": jid, "pid": self.pid} if self.pid else {}

    def soft_kill(self, jid):
        self.asked.append(jid)
        if self.soft:
            self.pid = 0


@pytest.fixture(autouse=True)
def no_patience(monkeypatch):
    until = waiting.until
    monkeypatch.setattr(waiting, "until", lambda ask, timeout: until(ask, 0))


def module(minion):
    return load("modules", "rollout_job", salt=minion.functions())


def test_which_jobs_run_is_told_by_their_ids_alone():
    jobs = [{"jid": JOB, "fun": "state.sls", "arg": [{"pillar": {"password": "secret"}}]}, {"fun": "odd"}]
    found = load("modules", "rollout_job", salt={"saltutil.running": lambda: jobs})
    assert found.running() == [JOB]


def test_a_job_that_has_ended():
    assert module(Minion(0)).end(JOB)["ended"] is True


def test_a_state_run_that_ends_by_itself_is_not_killed():
    minion = Minion(os.getpid(), soft=True)
    assert module(minion).end(JOB, gently=True)["ended"] is True and minion.asked == [JOB]


@pytest.mark.parametrize("gently", [False, True])
def test_a_job_that_hangs_is_killed(gently):
    process = subprocess.Popen(["sleep", "100"])
    minion = Minion(process.pid)

    def find_job(jid):
        return {"pid": process.pid} if process.poll() is None else {}

    minion.find_job = find_job
    found = module(minion).end(JOB, gently=gently)
    assert found["ended"] is True and found["left"] == [] and process.returncode == -9
    assert minion.asked == ([JOB] if gently else [])


def test_a_minion_does_not_end_itself():
    found = module(Minion(os.getppid())).end(JOB)
    assert found["ended"] is False
