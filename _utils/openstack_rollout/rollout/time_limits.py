"""How long a step may take on a node, and how long the engine waits for steps once an operator asked it to
stop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

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


class TimeLimits:
    """Watches over the steps under way.

    fleet (Fleet), policies (role → Policy), monotonic (seconds).
    """

    def __init__(self, fleet: Fleet, policies: Mapping[str, Policy], monotonic: Callable[[], float]):
        self._fleet = fleet
        self._policies = policies
        self._monotonic = monotonic
        self._looked = monotonic()
        self._took: dict[str, float] = {}
        self._limits: dict[tuple[str, str], float] = {}
        self._late: dict[str, str] = {}
        self._stopped: set[str] = set()
        self._since_asked: float | None = None

    def look(self, under_way: Mapping[str, NodeRecord]) -> None:
        """Have the steps ended on their nodes that took too long.

        under_way: the records of the nodes in flight.
        """
        now = self._monotonic()
        passed = min(now - self._looked, _LONGEST_LOOK)
        self._looked = now
        if self._since_asked is not None:
            self._since_asked += passed
        for node, record in under_way.items():
            took = self._took[record.jid] = self._took.get(record.jid, -passed) + passed
            limit = self._limit(record)
            if took > limit and record.jid not in self._late and record.jid not in self._stopped:
                key = f"openstack:policies:{record.role}:limits:{StepLimits.key(record.step)}"
                self._late[record.jid] = f"it took longer than {limit:g} s ({key})"
                self._fleet.end(node, record.step, record.jid)

    def stop(self, under_way: Mapping[str, NodeRecord]) -> bool:
        """Begin to stop, at an operator's request: what is harmless is ended on its node.

        under_way: as for `look`. Returns whether nobody waits for the rest any more.
        """
        if self._since_asked is None:
            self._since_asked = 0.0
        for node, record in under_way.items():
            ended = record.jid in self._late or record.jid in self._stopped
            if record.step in HARMLESS and not ended:
                self._stopped.add(record.jid)
                self._fleet.end(node, record.step, record.jid)
        return self._since_asked >= LEAVE_AFTER

    def taken(self, nodes: Collection[str], records: Mapping[str, NodeRecord]) -> Iterator[StepResult]:
        """The steps of nodes that ended, a second's worth; of one that took too long, with its limit."""
        for result in self._fleet.poll(1.0):
            if result.node in nodes and result.jid == records[result.node].jid:
                late = self._late.get(result.jid)
                yield replace(result, message=f"{late}; {result.message}") if late else result

    def took(self, jid: str) -> float:
        """The seconds that a job took by now."""
        return self._took.get(jid, 0.0) + min(self._monotonic() - self._looked, _LONGEST_LOOK)

    def was_stopped(self, result: StepResult) -> bool:
        """Whether a step ended since it was harmless to end it: its node did not fail."""
        return result.jid in self._stopped and not result.succeeded

    def _limit(self, record: NodeRecord) -> float:
        place = record.role, record.step
        if place not in self._limits:  # it is asked for every node at every look
            policy = self._policies.get(record.role)
            self._limits[place] = (policy.limits if policy else StepLimits()).of(record.step)
        return self._limits[place]


def patience(policies: Mapping[str, Policy], role: str, step: str) -> float:
    """What of a step's limit it may wait, so that it ends by itself and says what it waited for."""
    return _OF_ITS_LIMIT * policies[role].limits.of(step) if role in policies else DEFAULT_SILENCE


def silence(policies: Mapping[str, Policy], role: str) -> float:
    """Seconds that a node of a role may give no sign of life in a step."""
    return policies[role].silence if role in policies else DEFAULT_SILENCE
