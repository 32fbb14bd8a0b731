"""Steps that failed for what passes by itself: taken again after a while, a few times, and told.

Whether a failure passes by itself is said by its record, never read from its message. A step that is taken
again does on its node what it does in a run that goes on: nothing twice.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from openstack_rollout.declared.policies import Policy
from openstack_rollout.errors import one_line
from openstack_rollout.records.run_record import NodeRecord, NodeState, Step
from openstack_rollout.rollout.fleet import StepResult
from openstack_rollout.rollout.node_log import NodeLog
from openstack_rollout.rollout.procedure import PROCEDURE
from openstack_rollout.rollout.window import InFlight, Node

#: Seconds: the longest time between two tries, and the longest that a server may ask to be left alone.
LONGEST, PATIENCE = 600.0, 3600.0
#: A node that gave no sign of life is asked again once: its minion may have to connect anew.
_SILENT = "NODE_SILENT"
#: Hooks are not among them: what an operator's command does twice, nobody knows.
_STEPS = frozenset(step.name for step in PROCEDURE)


class _Try(NamedTuple):
    """When a node's step is taken again (monotonic)."""

    node: Node
    due: float


class Retries:
    """The steps of a run that wait to be taken again.

    policies (role → Policy), log: what the run did to its nodes. clock, monotonic: as of Ports.
    """

    def __init__(
        self,
        policies: Mapping[str, Policy],
        log: NodeLog,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ):
        self._policies = policies
        self._log = log
        self._clock = clock
        self._monotonic = monotonic
        self._waiting: dict[str, _Try] = {}

    def takes(self, node: Node, result: StepResult, ended: Step, in_flight: InFlight) -> bool:
        """Whether a step that failed is taken again; it is written down and told then.

        ended: the step, as history has it. Raises RolloutError JOURNAL_FAILED.
        """
        record = self._log.records[node.id]
        key = _key(record)
        tries = record.tries.get(key, 0) + 1
        most = self._most(node.role, record.step, result)
        wait = self._wait(node, tries, result)
        if tries > most or result.retry_after > PATIENCE:
            return False
        told = one_line(f"{result.message}; taken again in {wait:.0f} s ({tries} of {most})", result.reason)
        why = {"reason": result.reason, "message": told, "again": self._clock() + wait}
        record = self._log.note(node, ended, jid="", tries={**record.tries, key: tries}, **why)
        self._waiting[node.id] = _Try(node, self._monotonic() + wait)
        self._log.tell(node, record, record.step, "retrying", result.reason, told, in_flight)
        return True

    def due(self) -> Iterator[Node]:
        """The nodes whose step is to be taken again now, each once."""
        now = self._monotonic()
        for name in [name for name, one in self._waiting.items() if one.due <= now]:
            yield self._waiting.pop(name).node

    def leave(self, in_flight: InFlight) -> None:
        """Wait no longer, since an operator asked the run to stop: the nodes are measured when it goes on.

        Raises RolloutError JOURNAL_FAILED.
        """
        for name in list(self._waiting):
            waiting = self._waiting.pop(name)
            in_flight.pop(name, None)
            self._log.note(waiting.node, state=NodeState.WAITING, again=0.0)

    def _most(self, role: str, step: str, result: StepResult) -> int:
        policy = self._policies.get(role)
        if policy is None or not result.passes or step not in _STEPS:
            return 0
        return min(1, policy.retries) if result.waited or result.reason == _SILENT else policy.retries

    def _wait(self, node: Node, tries: int, result: StepResult) -> float:
        """Seconds until the next try: twice as long each time, and as long as the server wants at least.

        Each node adds its own part, so that those which failed together do not ask together again.
        """
        policy = self._policies.get(node.role)
        wait = min(LONGEST, (policy.retry_delay if policy else 0.0) * 2.0 ** (tries - 1))
        return max(wait, result.retry_after) * (1 + zlib.crc32(node.id.encode()) % 100 / 400)


def forgotten(record: NodeRecord) -> dict[str, int]:
    """The tries of a node without those of the step that it takes now, and that succeeded."""
    return {key: tries for key, tries in record.tries.items() if key != _key(record)}


def _key(record: NodeRecord) -> str:
    return "/".join((record.stage, record.round, record.step))
