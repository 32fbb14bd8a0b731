"""Where a run stops because it was asked to: after a stage, after a role of it, between two groups.

A stop is written down with the pause that it makes. The run that goes on from there passes it; one that was
killed before it could be written comes to it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from openstack_rollout.declared.problems import shown, suggestion
from openstack_rollout.declared.rounds import Round
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.asked import Asked
from openstack_rollout.records.planned import PlannedStage
from openstack_rollout.records.run_record import NodeRecord, Run
from openstack_rollout.rollout.membership import Membership

#: Steps after which a node is what it was before the stage.
_NOTHING = ("measure", "restore")


class Stops:
    """The stops of one run. members: the nodes and their roles."""

    def __init__(self, run: Run, members: Membership):
        self._run = run
        self._members = members
        self._stage, _, self._role = run.asked.until.partition(":")

    def last(self, planned: PlannedStage) -> int | None:
        """How many pairs of round and role of a stage go before the run stops in it; None: all."""
        if planned.stage != self._stage or not self._role:
            return None
        order = self._members.order(planned.stage)
        order = order[::-1] if self._run.rollback else order
        roles = [role.role for one in planned.rounds for role in one.roles]
        before = [
            number for number, role in enumerate(roles, 1) if order.index(role) <= order.index(self._role)
        ]
        most = max(before, default=0)
        return most if most < len(roles) else None

    def after(self, stage: str) -> None:
        """Raise GATED where the run was asked to stop after a stage, or in it, and did not yet."""
        if stage == self._stage and key_of(self._run.asked) not in self._run.asked.passed:
            place = f"{self._role} at {stage}" if self._role else stage
            key = key_of(self._run.asked)
            self._halt(key, f"{place} is done, as far as it was asked ({key})")

    def before_group(self, round_: Round, role: str, group: str, records: Mapping[str, NodeRecord]) -> None:
        """Raise GATED where a role wants the run to stop between groups, and it did not yet before this one.

        records: what the run did to its nodes.
        """
        if self._members.policies[role].pause_after is None:
            return
        names = [*self._members.groups.get(role, {}), ""]
        moved = {self._members.group_of(role, node) for node, one in records.items() if _taken(one, round_)}
        before = [name for name in names[: names.index(group)] if name in moved]
        key = "/".join((round_.stage, round_.name, role, *before[-1:]))
        if before and key not in self._run.asked.passed:
            self._halt(
                key, f"group {before[-1]} of {role} is done at {round_.stage}, {group or 'the rest'} is next"
            )

    def _halt(self, key: str, why: str) -> None:
        self._run.asked.gate = key
        raise RolloutError("GATED", f"run {self._run.id}: {why}")


def _taken(record: NodeRecord, round_: Round) -> bool:
    """Whether a run took a node through a round of a stage, however that ended: most of all where a whole
    group failed, an operator wants to look at it.
    """
    here = round_.stage, round_.name
    return any((one.stage, one.round) == here and one.step not in _NOTHING for one in record.history)


def key_of(asked: Asked) -> str:
    """What the stop of `until` is called."""
    return f"until={asked.until}"


def passed(asked: Asked) -> None:
    """The operator has the run go on: it passes the stop that it stands at."""
    if asked.gate:
        asked.passed.append(asked.gate)
        asked.gate = ""


def refuse_unknown(asked: Asked, stages: Sequence[str], members: Membership) -> None:
    """Raise WRONG_ARGUMENT for a stop that a run of these stages would never come to."""
    stage, colon, role = asked.until.partition(":")
    if not stage:
        return
    if stage not in stages:
        near = suggestion(stage, stages) or f", there are {', '.join(stages)}"
        raise RolloutError("WRONG_ARGUMENT", f"until: {shown(stage)} is no stage of this run{near}")
    if colon and role not in (there := members.order(stage)):
        near = suggestion(role, there) or f", there are {', '.join(there)}"
        raise RolloutError(
            "WRONG_ARGUMENT", f"until: {shown(role)} is no role that goes through {stage}{near}"
        )
