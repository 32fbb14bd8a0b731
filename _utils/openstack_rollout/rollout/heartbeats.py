"""Agents that had not told OpenStack of themselves when their run paused: asked for again before it goes on.

Their packages are at the release by then, so no stage would come to them any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from openstack_rollout.declared.comparison import Compared
from openstack_rollout.records.run_record import Step
from openstack_rollout.rollout.engine import Engine
from openstack_rollout.rollout.membership import Membership

STEP = "heartbeat"
TOGETHER = 8


def ask_again(engine: Engine, members: Membership, measured: Mapping[str, Compared]) -> None:
    """Have the agents of nodes tell of themselves that did not when their node was last asked about them.

    measured: node id → what it is: where a stage has something left to do, it asks by itself. Raises
    RolloutError as Engine.take.
    """
    by_stage: dict[str, list[str]] = {}
    for node, record in engine.records.items():
        one = measured.get(node)
        for stage in _silent(record.history):
            if one and one.agents.get(stage) and not one.stages.get(stage):
                by_stage.setdefault(stage, []).append(node)
    for stage, nodes in by_stage.items():
        engine.take(stage, STEP, [members.node(node) for node in nodes], TOGETHER, failures=None)


def _silent(history: Sequence[Step]) -> Iterator[str]:
    """The stages in which agents were asked for, and did not tell of themselves."""
    last = {one.stage: one.outcome for one in history if one.step == STEP}
    return (stage for stage, outcome in last.items() if outcome != "done")
