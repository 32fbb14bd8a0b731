"""How long a step may take on a node, and how long the engine waits for steps once an operator asked it to
stop.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from openstack_rollout.declared.policies import Policy, StepLimits
from openstack_rollout.records.run_record import NodeRecord
from openstack_rollout.rollout.fleet import Fleet, StepResult

#: Seconds for steps under way to end by themselves, from a request to pause or to abort.
LEAVE_AFTER = 15.0
#: Steps that touch nothing which runs: they can be ended at any moment.
HARMLESS = ("prefetch",)
#: Steps of the master's own threads that move workloads.
MOVES = ("drain", "restore")
DEFAULT_SILENCE = 60.0  # seconds, for a role that is declared no more
_OF_ITS_LIMIT = 0.9
#: Seconds between two looks. The rest counts for no step: the engine was held up, and returns are unread.
_LONGEST_LOOK = 60.0


class _Job(NamedTuple):
    """A step under way on a node (its id), of a role; when it began, by the clock of TimeLimits."""

    node: str
    role: str
    step: str
    began: float


class TimeLimits:
    """Watches over the steps under way; a step is looked at when its time is up, however many there are.

    fleet (Fleet), policies (role → Policy), monotonic (seconds).
    """

    def __init__(self, fleet: Fleet, policies: Mapping[str, Policy], monotonic: Callable[[], float]):
        self._fleet = fleet
        self._policies = policies
        self._monotonic = monotonic
        self._looked = monotonic()
        self._passed = 0.0
        self._jobs: dict[str, _Job] = {}
        self._due: list[tuple[float, str]] = []  # when the time of a job is up
        self._late: dict[str, str] = {}
        self._stopped: set[str] = set()
        self._since_asked: float | None = None

    @property
    def now(self) -> float:
        """Seconds that passed for steps; those in which the engine was held up are not among them."""
        return self._passed + min(self._monotonic() - self._looked, _LONGEST_LOOK)

    def begun(self, node: str, record: NodeRecord) -> None:
        """A step begins on a node (its id), or is waited for from now on."""
        job = self._jobs[record.jid] = _Job(node, record.role, record.step, self.now)
        policy = self._policies.get(record.role)
        limit = (policy.limits if policy else StepLimits()).of(record.step)
        heapq.heappush(self._due, (job.began + limit, record.jid))

    def look(self) -> None:
        """Have the steps ended on their nodes that took too long."""
        now = self._monotonic()
        passed = min(now - self._looked, _LONGEST_LOOK)
        self._looked, self._passed = now, self._passed + passed
        if self._since_asked is not None:
            self._since_asked += passed
        while self._due and self._due[0][0] < self._passed:
            up, jid = heapq.heappop(self._due)
            job = self._jobs.get(jid)
            if job is not None and jid not in self._stopped:
                key = f"openstack:policies:{job.role}:limits:{StepLimits.key(job.step)}"
                self._late[jid] = f"it took longer than {up - job.began:g} s ({key})"
                self._fleet.end(job.node, job.step, jid)

    def stop(self) -> bool:
        """Begin to stop, at an operator's request: what is harmless is ended on its node.

        Returns whether nobody waits for the rest any more.
        """
        leaves = self.leaves()
        for jid, job in self._jobs.items():
            if job.step in HARMLESS and jid not in self._late and jid not in self._stopped:
                self._stopped.add(jid)
                self._fleet.end(job.node, job.step, jid)
        return leaves

    def leaves(self) -> bool:
        """Whether nobody waits any more: some seconds after this, or `stop`, was asked first."""
        if self._since_asked is None:
            self._since_asked = 0.0
        return self._since_asked >= LEAVE_AFTER

    def taken(self, nodes: Collection[str], records: Mapping[str, NodeRecord]) -> Iterator[StepResult]:
        """The steps of nodes that ended, a second's worth; of one that took too long, with its limit."""
        for result in self._fleet.poll(1.0):
            if result.node in nodes and result.jid == records[result.node].jid:
                late = self._late.get(result.jid)
                yield replace(result, message=f"{late}; {result.message}") if late else result
                self._jobs.pop(result.jid, None)

    def took(self, jid: str) -> float:
        """The seconds that a job took by now."""
        return self.now - self._jobs[jid].began if jid in self._jobs else 0.0

    def was_stopped(self, result: StepResult) -> bool:
        """Whether a step ended since it was harmless to end it: its node did not fail."""
        return result.jid in self._stopped and not result.succeeded


def patience(policies: Mapping[str, Policy], role: str, step: str) -> float:
    """What of a step's limit it may wait, so that it ends by itself and says what it waited for."""
    return _OF_ITS_LIMIT * policies[role].limits.of(step) if role in policies else DEFAULT_SILENCE


def silence(policies: Mapping[str, Policy], role: str) -> float:
    """Seconds that a node of a role may give no sign of life in a step."""
    return policies[role].silence if role in policies else DEFAULT_SILENCE
