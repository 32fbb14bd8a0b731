"""Steps that are to be ended on their nodes, and questions that nobody waits for any longer."""

from __future__ import annotations

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import fleet as salt_fleet
from openstack_rollout.on_salt.fleet import SaltFleet
from openstack_rollout.on_salt.jobs import Ended
from openstack_rollout.on_salt.throttle import FIRST
from openstack_rollout.rollout.fleet import Context

RUN = Context(run="r1", target="1.0.1", stages=("ovn",), content={})


class Jobs:
    """SaltJobs in memory: a test says which jobs end."""

    lag = 0.0

    def __init__(self):
        self.started, self.sent, self.waiting, self.ends = {}, [], set(), []

    def new_jid(self):
        return f"j{len(self.started) + len(self.sent) + 1}"

    def start(self, silences, call, jid):
        self.started[jid] = (list(silences), call)
        self.waiting |= {(node, jid) for node in silences}

    def forget(self, node, jid):
        self.waiting.discard((node, jid))

    def send(self, nodes, call):
        self.sent.append((sorted(nodes), call))

    def poll(self, seconds):
        ends, self.ends = self.ends, []
        for one in ends:
            self.waiting.remove((one.node, one.jid))
        return ends


@pytest.fixture
def jobs(monkeypatch):
    found = Jobs()
    monkeypatch.setattr(salt_fleet, "SaltJobs", lambda opts: found)
    monkeypatch.setattr(SaltFleet, "keys", lambda self: {})
    return found


@pytest.mark.parametrize(("step", "gently"), [("apply", True), ("prefetch", False), ("verify", False)])
def test_a_step_is_ended_on_its_node_and_comes_out_as_what_it_was(jobs, step, gently):
    fleet = SaltFleet({})
    job = fleet.new_job()
    fleet.start("cmp1", step, "ovn", job, 60, context=RUN)
    fleet.end("cmp1", step, job)
    ((asked, call),) = [entry for jid, entry in jobs.started.items() if jid != job]
    assert asked == ["cmp1"] and call.arguments == ("rollout_job.end",)
    assert call.keywords["kwargs"] == {"jid": job, "gently": gently}
    (waiting,) = jobs.waiting
    jobs.ends = [Ended("cmp1", waiting[1], {"value": {"ended": True, "left": [], "said": "fnord"}})]
    (result,) = fleet.poll(1)
    assert (result.node, result.jid, result.succeeded) == ("cmp1", job, False)
    assert (result.reason, result.message) == ("STEP_TIMEOUT", "fnord")


@pytest.mark.parametrize(
    "how",
    [
        {"reason": "NODE_SILENT", "message": "no sign"},
        {"answer": {"reason": "", "message": "no sign"}},
    ],
)
def test_a_node_that_ends_nothing_is_no_reason_to_wait(jobs, how):
    fleet = SaltFleet({})
    fleet.start("cmp1", "apply", "ovn", "j0", 60, context=RUN)
    fleet.end("cmp1", "apply", "j0")
    (waiting,) = jobs.waiting
    jobs.ends = [Ended("cmp1", waiting[1], **how)]
    (result,) = fleet.poll(1)
    assert (result.jid, result.reason, result.message) == ("j0", "STEP_TIMEOUT", "no sign")


def test_a_node_that_lives_and_does_not_answer_is_waited_for_no_longer(jobs):
    answers = SaltFleet({}, answers_within=-1.0).facts({"cmp1": 60, "cmp2": 60})
    assert {node: reason for node, (reason, _) in answers.failures.items()} == dict.fromkeys(
        ("cmp1", "cmp2"), "STEP_TIMEOUT"
    )
    ((nodes, call),) = jobs.sent
    assert nodes == ["cmp1", "cmp2"] and call.keywords["kwargs"] == {"jid": "j1", "gently": False}
    assert jobs.waiting == set()


def test_a_request_ends_a_question(jobs):
    def halted():
        return RolloutError("PAUSED_BY_OPERATOR", "stop")

    with pytest.raises(RolloutError) as error:
        SaltFleet({}).facts({"cmp1": 60}, halted=halted)
    assert error.value.reason == "PAUSED_BY_OPERATOR" and jobs.waiting == set() and len(jobs.sent) == 1


def test_more_nodes_than_a_master_serves_at_once_are_asked_in_turn(jobs):
    names = [f"cmp{number}" for number in range(FIRST * 2 + 1)]
    at_once = []

    def poll(seconds):
        at_once.append(len(jobs.waiting))
        ended = [Ended(node, jid, {"value": {"id": node}}) for node, jid in jobs.waiting]
        jobs.waiting.clear()
        return ended

    jobs.poll = poll
    answers = SaltFleet({}).facts(dict.fromkeys(names, 60))
    assert {node: told["id"] for node, told in answers.facts.items()} == {name: name for name in names}
    assert at_once[0] == FIRST and len(at_once) > 1 and sum(at_once) == len(names)


def test_a_node_that_is_asked_late_has_as_long_to_answer(jobs, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(salt_fleet.time, "monotonic", lambda: clock[0])
    names = [f"cmp{number:03}" for number in range(FIRST + 1)]

    def poll(seconds):
        clock[0] += 6.0
        asked = sorted(jobs.waiting)
        ended = [Ended(node, jid, {"value": {"id": node}}) for node, jid in asked[: FIRST // 2]]
        jobs.waiting -= {(one.node, one.jid) for one in ended}
        return ended

    jobs.poll = poll
    answers = SaltFleet({}, answers_within=13.0).facts(dict.fromkeys(names, 60))
    assert not answers.failures and len(answers.facts) == len(names)
