"""What a run did to its nodes: their records, in the journal before anything follows of them, and events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from openstack_rollout.declared.rounds import Round
from openstack_rollout.errors import one_line
from openstack_rollout.records.events import NodeEvent, NodeStatus
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import NodeRecord, NodeState, Run, Step
from openstack_rollout.rollout.fleet import Fleet
from openstack_rollout.rollout.window import Node


class NodeLog:
    """Writes down and announces what becomes of the nodes of one run.

    fleet: whose bus the events go to, journal (Journal), run (its record), clock (seconds since the epoch).
    """

    def __init__(self, fleet: Fleet, journal: Journal, run: Run, clock: Callable[[], float]):
        self._fleet = fleet
        self._journal = journal
        self._run = run
        self._clock = clock
        self.records = journal.nodes(run.id)

    def note(self, node: Node, ended: Step | None = None, **changes: Any) -> NodeRecord:
        """Write what changed of a node's record, and the step that ended; only a failure keeps its reason.

        Raises RolloutError JOURNAL_FAILED.
        """
        record = self.records.setdefault(node.id, NodeRecord())
        if "state" in changes and changes["state"] is not NodeState.FAILED:
            changes = {"reason": "", "message": "", **changes}
        for name, value in changes.items():
            setattr(record, name, value)
        record.role, record.zone = node.role, node.zone
        if ended:
            record.add(replace(ended, slow=record.slow))
            record.slow = 0.0
        self._journal.save_node(self._run.id, node.id, record)
        return record

    def ended(self, stage: str, round_: str, step: str, started: float, outcome: str) -> Step:
        """A step that ends now. started (float): seconds since the epoch. outcome (str): done, or why not."""
        return Step(stage, step, started, self._clock(), outcome, round=round_)

    def skip(self, node: Node, stage: str) -> None:
        """Note that a node is measured to be done with a stage."""
        ended = self.ended(stage, "", "measure", self._clock(), "skipped")
        record = self.note(node, ended, stage=stage, round="", step="", jid="", state=NodeState.SKIPPED)
        self.announce(node, record, "measure", "skipped", {})

    def fail(  # noqa: PLR0917
        self,
        node: Node,
        round_: Round,
        step: str,
        reason: str,
        message: str,
        in_flight: Mapping[str, Node],
    ) -> None:
        """Note that a step failed on a node. step (str): "measure" for a node that no step was begun on."""
        message = one_line(message, reason)
        began = self._clock() if step == "measure" else self.records[node.id].started
        ended = self.ended(round_.stage, round_.name, step, began, f"{reason}: {message}")
        record = self.note(
            node,
            ended,
            **{"stage": round_.stage, "round": round_.name, "step": step, "jid": ""},
            **{"state": NodeState.FAILED, "reason": reason, "message": message},
        )
        self.announce(node, record, step, "failed", in_flight)

    def announce(
        self, node: Node, record: NodeRecord, step: str, status: NodeStatus, in_flight: Mapping[str, Node]
    ) -> None:
        """Fire an event of a node's step, with the reason and the message of its record."""
        self.tell(node, record, step, status, record.reason, record.message, in_flight)

    def tell(  # noqa: PLR0917
        self,
        node: Node,
        record: NodeRecord,
        step: str,
        status: NodeStatus,
        reason: str,
        message: str,
        in_flight: Mapping[str, Node],
    ) -> None:
        """Fire an event of a node's step, with a reason and a message that are not the record's."""
        event = NodeEvent(
            run=self._run.id,
            stage=record.stage,
            round=record.round,
            node=node.id,
            role=node.role,
            zone=node.zone,
            step=step,
            status=status,
            reason=reason,
            message=message,
            in_flight=[other.id for other in in_flight.values() if other.role == node.role],
            at=self._clock(),
        )
        self._fleet.announce(event.tag, event.plain())
