"""What a run did to its nodes: their records, in the journal before anything follows of them, and events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.rounds import Round
from openstack_rollout.errors import one_line
from openstack_rollout.records.events import NodeEvent, NodeStatus
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import NodeRecord, NodeState, Run, Step
from openstack_rollout.rollout import snapshots
from openstack_rollout.rollout.fleet import Fleet
from openstack_rollout.rollout.window import InFlight, Node
from openstack_rollout.rollout.witness import Witness


class NodeLog:
    """Writes down and announces what becomes of the nodes of one run.

    fleet: whose bus the events go to, journal (Journal), run (its record), clock (seconds since the epoch).
    noted: called with a node's id and its record whenever that was written. witness: what was measured
    lately; it is told of whatever is begun on a node, and of failures.
    """

    def __init__(  # noqa: PLR0917
        self,
        fleet: Fleet,
        journal: Journal,
        run: Run,
        clock: Callable[[], float],
        noted: Callable[[str, NodeRecord], None],
        witness: Witness,
    ):
        self._fleet = fleet
        self._journal = journal
        self._run = run
        self._clock = clock
        self._noted = noted
        self.witness = witness
        self.records = journal.nodes(run.id)
        self._measured: dict[str, tuple[Compared, float]] = {}

    def know(self, measured: Mapping[str, Compared]) -> None:
        """Remember what nodes are; it is written with what is noted of each next."""
        now = self._clock()
        self._measured.update({node: (one, now) for node, one in measured.items()})

    def conclude(self) -> None:
        """Write what nodes are that are otherwise than was written. Raises RolloutError JOURNAL_FAILED."""
        for name in list(self._measured):
            record = self.records.get(name)
            if record and not snapshots.taken(*self._measured[name]).same(record.after):
                self.note(Node(name, record.role, record.zone))

    def note(self, node: Node, ended: Step | None = None, **changes: Any) -> NodeRecord:
        """Write what changed of a node's record, and the step that ended; only a failure keeps its reason.

        Raises RolloutError JOURNAL_FAILED.
        """
        if changes.get("step"):
            self.witness.touched(node.id)
        record = self.records.setdefault(node.id, NodeRecord())
        measured = self._measured.pop(node.id, None)
        is_as_before = measured and not record.was_moved
        if "state" in changes and changes["state"] is not NodeState.FAILED:
            changes = {"reason": "", "message": "", **changes}
        for name, value in changes.items():
            setattr(record, name, value)
        record.role, record.zone = node.role, node.zone
        if measured:
            found = snapshots.taken(*measured)
            if is_as_before:
                record.before = record.before or found
            record.after = found
        if ended:
            ended.slow, record.slow = record.slow, 0.0
            record.add(ended)
        self._journal.save_node(self._run.id, node.id, record)
        self._noted(node.id, record)
        return record

    def ended(  # noqa: PLR0917
        self, stage: str, round_: str, step: str, started: float, outcome: str, reason: str = ""
    ) -> Step:
        """A step that ends now. started (float): seconds since the epoch. outcome (str): done, or why not.
        reason (str): under which it failed.
        """
        return Step(stage, step, started, self._clock(), outcome, round=round_, reason=reason)

    def skip(self, node: Node, stage: str) -> None:
        """Note that a node is measured to be done with a stage."""
        ended = self.ended(stage, "", "measure", self._clock(), "skipped")
        record = self.note(node, ended, stage=stage, round="", step="", jid="", state=NodeState.SKIPPED)
        self.announce(node, record, "measure", "skipped", InFlight())

    def fail(  # noqa: PLR0917
        self,
        node: Node,
        round_: Round,
        step: str,
        reason: str,
        message: str,
        in_flight: InFlight,
    ) -> None:
        """Note that a step failed on a node. step (str): "measure" for a node that no step was begun on."""
        message = one_line(message, reason)
        began = self._clock() if step == "measure" else self.records[node.id].started
        ended = self.ended(round_.stage, round_.name, step, began, f"{reason}: {message}", reason)
        record = self.note(
            node,
            ended,
            **{"stage": round_.stage, "round": round_.name, "step": step, "jid": ""},
            **{"state": NodeState.FAILED, "reason": reason, "message": message},
        )
        self.announce(node, record, step, "failed", in_flight)

    def announce(
        self, node: Node, record: NodeRecord, step: str, status: NodeStatus, in_flight: InFlight
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
        in_flight: InFlight,
    ) -> None:
        """Fire an event of a node's step, with a reason and a message that are not the record's."""
        event = NodeEvent(
            run=self._run.id,
            rollback=self._run.rollback,
            stage=record.stage,
            round=record.round,
            node=node.id,
            role=node.role,
            zone=node.zone,
            step=step,
            status=status,
            reason=reason,
            message=message,
            in_flight=in_flight.of_role(node.role),
            at=self._clock(),
        )
        self._fleet.announce(event.tag, event.plain())
