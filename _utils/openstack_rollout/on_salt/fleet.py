"""The fleet as Salt sees it: which function a step is, and what its return means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import salt.utils.minions

from openstack_rollout.declared import hooks
from openstack_rollout.on_salt.jobs import Call, Ended, SaltJobs
from openstack_rollout.on_salt.returns import facts_outcome, hooks_outcome, state_outcome
from openstack_rollout.rollout.fleet import Answers, Context, StepResult

ASKED_TOGETHER = 500
# A number makes a state run wait for an earlier one in its own process, so that it is never taken for lost.
QUEUE = 100
FACTS = Call("rollout_call.run", ("openstack_node.facts",), {"kwargs": {"fresh": True}})


class SaltFleet:
    """Implements fleet.Fleet. opts (dict): the master's options. A context manager, since it listens on the
    bus.
    """

    def __init__(self, opts: Mapping[str, Any]):
        self._opts = opts
        self._jobs = SaltJobs(opts)
        self._steps: dict[str, str] = {}

    def __enter__(self) -> SaltFleet:
        return self

    def __exit__(self, *_: object) -> None:
        self._jobs.close()

    def members(self, target: str) -> list[str]:
        """Accepted minions that a compound target matches, the silent ones too."""
        return list(salt.utils.minions.CkMinions(self._opts).check_minions(target, "compound")["minions"])

    def facts(self, nodes: Iterable[str], silence: float, refresh: bool = False) -> Answers:
        """Ask nodes for openstack_node.facts, with one job for some hundreds of them."""
        facts, failures = {}, {}
        call = FACTS._replace(keywords={"kwargs": {"fresh": True, "refresh": True}}) if refresh else FACTS
        for ended in self.ask(nodes, call, silence):
            outcome = _outcome(ended, "verify")
            if outcome.succeeded:
                facts[outcome.node] = dict(outcome.data)
            else:
                failures[outcome.node] = (outcome.reason, outcome.message)
        return Answers(facts, failures)

    def dry_run(self, nodes: Iterable[str], stage: str, silence: float) -> list[Ended]:
        """Apply a stage's node state with test=True on many nodes at once; the raw returns."""
        return self.ask(
            nodes, Call("state.sls", (f"openstack.{stage}",), {"test": True, "queue": QUEUE}), silence
        )

    def ask(self, nodes: Iterable[str], call: Call, silence: float) -> list[Ended]:
        """Publish one call to many nodes and wait until each answered or counts as lost. No step may be in
        flight.
        """
        waiting = list(nodes)
        ended: list[Ended] = []
        while waiting:
            some, waiting = waiting[:ASKED_TOGETHER], waiting[ASKED_TOGETHER:]
            self._jobs.start(some, call, self._jobs.new_jid(), silence)
            enough = len(ended) + len(some)
            while len(ended) < enough:
                ended += self._jobs.poll(1.0)
        return ended

    def new_job(self) -> str:
        """A job id as the master itself would choose it."""
        return self._jobs.new_jid()

    def start(self, node: str, step: str, stage: str, jid: str, silence: float, *, context: Context) -> None:
        """Publish a step to one minion."""
        self._steps[jid] = step
        self._jobs.start([node], _call(step, stage, context), jid, silence)

    def adopt(self, node: str, step: str, stage: str, jid: str, silence: float) -> None:
        """Wait for a job that a dead engine published, or was about to."""
        self._steps[jid] = step
        self._jobs.adopt(node, jid, silence)

    def poll(self, seconds: float) -> list[StepResult]:
        """The steps that ended; waits up to that long for the first."""
        return [_outcome(ended, self._steps.pop(ended.jid, "")) for ended in self._jobs.poll(seconds)]

    def announce(self, tag: str, data: dict[str, Any]) -> None:
        """Fire an event on the master's bus."""
        self._jobs.fire(tag, data)


def _call(step: str, stage: str, context: Context) -> Call:
    """What a step of the procedure is in Salt.

    The node reads its pillar when the step begins, which may be after an edit: it is told of the run.
    """
    if step == "verify":
        return FACTS
    if hooks.is_moment(step):
        return Call("rollout_call.run", ("rollout_hooks.run",), {"args": [stage, step]})
    sls = "prefetch" if step == "prefetch" else stage
    run = {"target": context.target, "stages": list(context.stages), "drained": context.drained}
    if context.services is not None:
        run["services"] = list(context.services)
    return Call("state.sls", (f"openstack.{sls}",), {"queue": QUEUE, "pillar": {"openstack_rollout": run}})


def _outcome(ended: Ended, step: str) -> StepResult:
    if ended.reason:
        return StepResult(ended.node, ended.jid, False, ended.reason, ended.message)
    if hooks.is_moment(step):
        return hooks_outcome(ended.node, ended.jid, ended.answer)
    read = facts_outcome if step == "verify" else state_outcome
    return read(ended.node, ended.jid, ended.answer)
