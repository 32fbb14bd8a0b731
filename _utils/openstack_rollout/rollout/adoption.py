"""What an engine that died left on nodes: jobs that go on there, and steps that were to be taken again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from openstack_rollout.declared.policies import Policy
from openstack_rollout.errors import RolloutError, one_line
from openstack_rollout.records.run_record import NodeRecord, NodeState
from openstack_rollout.rollout import breakpoints, halting
from openstack_rollout.rollout.fleet import Fleet
from openstack_rollout.rollout.node_log import NodeLog
from openstack_rollout.rollout.time_limits import MOVES, TimeLimits, silence
from openstack_rollout.rollout.window import Node


def adopt(  # noqa: PLR0917
    fleet: Fleet,
    log: NodeLog,
    limits: TimeLimits,
    policies: Mapping[str, Policy],
    requested: Callable[[], RolloutError | None],
    leaving: bool,
) -> list[str]:
    """Wait for the jobs that an engine left on nodes; returns the nodes that had one. As of Engine.adopt.

    fleet, log, limits, policies: of the engine that goes on. requested: what an operator asks.
    """
    in_flight = under_way(log.records)
    for name in [name for name, one in log.records.items() if one.again and name not in in_flight]:
        log.note(node_of(name, log.records[name]), state=NodeState.WAITING, again=0.0)
    adopted = list(in_flight)
    for name in [name for name, record in in_flight.items() if breakpoints.rests(record)]:
        log.note(node_of(name, in_flight.pop(name)), state=NodeState.WAITING)
    for name, record in in_flight.items():
        limits.begun(name, record)
        fleet.adopt(name, record.step, record.stage, record.jid, silence(policies, record.role))
    while in_flight:
        if halt := requested():
            raise halting.left(halt, in_flight)
        limits.look()
        leaves = leaving and limits.leaves()
        if leaves and not any(record.step in MOVES for record in in_flight.values()):
            break
        for result in limits.taken(in_flight, in_flight):
            record = in_flight.pop(result.node)
            outcome = "done" if result.succeeded else f"{result.reason}: {one_line(result.message)}"
            ended = log.ended(record.stage, record.round, record.step, record.started, outcome, result.reason)
            log.note(node_of(result.node, record), ended, jid="", state=NodeState.WAITING)
    return adopted


def under_way(records: Mapping[str, NodeRecord]) -> dict[str, NodeRecord]:
    """The records of the nodes that a job is under way on: not of those whose step is taken again later."""
    return {name: one for name, one in records.items() if one.state is NodeState.IN_FLIGHT and not one.again}


def node_of(name: str, record: NodeRecord) -> Node:
    """A node in its place, by its record. name (str): its id."""
    return Node(name, record.role, record.zone)
