"""Breakpoints: moments of hooks at which a node rests until somebody says yes, drained if it was.

A node that rests is in flight, and takes its place in the window. A run that pauses, or is killed, leaves it
there; the one that goes on comes to the same moment again, unless it was answered.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from openstack_rollout.declared import hooks, targets
from openstack_rollout.declared.problems import shown, suggestion
from openstack_rollout.declared.rounds import Round
from openstack_rollout.errors import RolloutError, some
from openstack_rollout.records.asked import Asked, Coming, Question
from openstack_rollout.records.run_record import NodeRecord
from openstack_rollout.rollout.consent import Consents
from openstack_rollout.rollout.fleet import Fleet
from openstack_rollout.rollout.limit import Limit
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.window import Node
from openstack_rollout.vocabulary import STAGES, in_order

_STEP = "break_"

#: Moment, or stage:moment → the nodes that rest there.
Breaks = Mapping[str, Collection[str]]


def is_break(step: str) -> bool:
    """Whether a step is that a node rests."""
    return step.startswith(_STEP)


def problem(breaks: Mapping[str, str]) -> str:
    """What is wrong with breakpoints as an operator wrote them (moment → target), "" for nothing."""
    for key, target in breaks.items():
        stage, colon, moment = str(key).rpartition(":")
        known = hooks.MOMENTS if not colon or stage in STAGES else STAGES
        word = moment if known is hooks.MOMENTS else stage
        if word not in known:
            near = suggestion(word, known) or f", there are {', '.join(known)}"
            return f"{shown(key)} is no moment{near}"
        if not isinstance(target, str):
            return f"{key}: {shown(target)} is no compound target"
        if wrong := targets.problem(target, by_master=True):
            return f"{key}: {wrong}"
    return ""


def of(
    asked: Asked, members: Membership, fleet: Fleet, stages: Sequence[str], limit: Limit
) -> dict[str, list[str]]:
    """The nodes that rest at each moment; those that were meant when the run began.

    stages, limit: of the run. Raises RolloutError NO_NODES for a breakpoint at which no node of the cloud, or
    of the limit, would rest, and WRONG_ARGUMENT for one of a stage that is none of the run's.
    """
    if asked.resting is not None:
        return asked.resting
    found, ids = {}, set(members.ids)
    for key, target in asked.breaks.items():
        stage, colon, _ = key.rpartition(":")
        if colon and stage not in stages:
            raise RolloutError(
                "WRONG_ARGUMENT",
                f"break: {key}: {stage} is no stage of this run, there are {', '.join(stages)}",
            )
        found[key] = in_order(ids.intersection(fleet.members(target)))
        strange = [one for one in targets.named(target) if one not in ids]
        if strange or not found[key]:
            what = f"{some(strange)} is" if strange else f"{target!r} matches"
            raise RolloutError("NO_NODES", f"break: {key}: {what} no node of openstack:roles")
        if not limit.of(found[key]):
            raise RolloutError("NO_NODES", f"break: {key}: {target!r} matches no node of the limit")
    return found


def of_node(breaks: Breaks, stage: str, node: str) -> frozenset[str]:
    """The moments of a stage at which a node rests."""
    if not breaks:  # as for most runs, for each node of each stage
        return frozenset()
    return frozenset(
        moment
        for moment in hooks.MOMENTS
        if any(node in breaks.get(key, ()) for key in (moment, f"{stage}:{moment}"))
    )


def among(steps: Sequence[str], moments: Collection[str]) -> tuple[str, ...]:
    """The steps of a node with its breakpoints: before the hooks before a step, and after those after it."""
    found: list[str] = []
    for step in steps:
        name = step.partition("_")[2] if hooks.is_moment(step) else step
        before, after = f"before_{name}", f"after_{name}"
        if before in moments and step == (before if before in steps else name):
            found.append(_STEP + before)
        found.append(step)
        if after in moments and step == (after if after in steps else name):
            found.append(_STEP + after)
    return tuple(found)


def cut(steps: Sequence[str], step: str) -> tuple[str, ...]:
    """What is left of a node's steps when it is left out while it rests: what was taken away comes back."""
    return (step, "restore") if "restore" in steps[steps.index(step) :] else (step,)


class Resting:
    """Asks for the nodes that rest, and says which go on. consents: of the run."""

    def __init__(self, consents: Consents):
        self._consents = consents
        self._here: dict[str, Node] = {}

    def rest(self, node: Node, round_: Round, steps: Sequence[str], step: str) -> None:
        """A node comes to a breakpoint, one of its steps."""
        self._here[node.id] = node
        left = [one for one in steps[steps.index(step) + 1 :] if not is_break(one)]
        self._consents.ask(
            Question(
                step.removeprefix(_STEP),
                *(round_.stage, round_.name, node.role),
                nodes=[node.id],
                keys=[_key(node, round_, step)],
                comes=[Coming(node.id, left, [])],
            )
        )

    def released(
        self,
        in_flight: Collection[str],
        round_: Round,
        records: Mapping[str, NodeRecord],
        skipped: Collection[str],
    ) -> list[Node]:
        """Those of the nodes in flight (their ids) that rest no more. skipped: nodes that an operator has
        left out.
        """
        if not self._here:
            return []
        self._here = {
            name: node for name, node in self._here.items() if name in in_flight and rests(records[name])
        }
        keys = {node: _key(node, round_, records[node.id].step) for node in self._here.values()}
        if not keys:
            return []
        given = self._consents.given()
        found = [node for node, key in keys.items() if key in given or node.id in skipped]
        self._consents.withdraw(keys[node] for node in found)
        return found


def rests(record: NodeRecord) -> bool:
    """Whether a node rests at a breakpoint, by its record."""
    return is_break(record.step)


def _key(node: Node, round_: Round, step: str) -> str:
    return "/".join((round_.stage, round_.name, node.role, node.id, step.removeprefix(_STEP)))
