"""What is looked at before a run begins: all conditions at once, each with a verdict, and who accepted what.

The first step of every run, and a command of its own. One condition that refuses keeps no other from being
looked at. Only `refuse` stops a run: `warn` never does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from openstack_rollout.declared import releases
from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.model import Model
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.run_record import RunState
from openstack_rollout.rollout import (
    analysis,
    cloud_conditions,
    conditions,
    gates,
    halting,
    node_conditions,
    occupancy,
    preconditions,
)
from openstack_rollout.rollout import limit as limits
from openstack_rollout.rollout.conditions import Finding, Preflight, Seen, Verdict
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.rollout.questions import unhindered
from openstack_rollout.rollout.situation import Situation, left_out

#: What is seen of a condition; raises RolloutError instead where a run is refused under another reason.
Ask = Callable[[Situation], Iterable[Seen]]


def check(now: Situation, accepted: Mapping[str, Any] | None = None) -> Preflight:
    """Look at all conditions of a run, in their order; `now` has without whom it would begin afterwards.

    accepted: what an operator accepted, by name. Raises RolloutError for what an operator asks of the run
    meanwhile alone.
    """
    findings = []
    known = accepted or {}
    for name, ask in ASKED.items():
        one = conditions.found(name, _asked(name, ask, now, known), known)
        now.refused |= {name} if one.verdict == "refuse" else set()
        findings.append(one)
    return Preflight(tuple(findings))


def require(now: Situation, accepted: Mapping[str, Any]) -> Preflight:
    """As `check`; raises the RolloutError under which a run may not begin."""
    found = check(now, accepted)
    if error := found.error():
        raise error
    return found


def in_the_way(ports: Ports, model: Model, orchestration: str, stages: Sequence[str]) -> Finding:
    """Whether another run is in the way of one that would begin now: the condition `run`."""

    def ask() -> Iterator[Seen]:
        ports.lock.refuse_others()
        unfinished = ports.journal.unfinished()
        preconditions.refuse_beside(unfinished, orchestration, stages)
        preconditions.refuse_rolled_back(model, unfinished, orchestration)
        preconditions.refuse_changed_target(unfinished, releases.wanted(model, stages))
        yield from ()

    return conditions.found("run", _seen(ask), {})


def _asked(name: str, ask: Ask, now: Situation, accepted: Mapping[str, Any]) -> list[Seen]:
    if needed := now.refused.intersection(NEEDS.get(name, ())):
        return [Seen("warn", f"is not looked at while {', '.join(sorted(needed))} refuses")]
    seen = _seen(lambda: ask(now))
    if name in now.model.preflight.refuse:
        seen = [replace(one, verdict="refuse") if one.verdict == "warn" else one for one in seen]
    return now.within_budget(seen) if name in OF_NODES and name not in accepted else seen


def _seen(ask: Callable[[], Iterable[Seen]]) -> list[Seen]:
    try:
        return list(ask())
    except RolloutError as error:
        if halting.is_request(error):
            raise
        return [Seen("refuse", str(error), error.nodes, error)]


def _nodes(now: Situation) -> Iterator[Seen]:
    now.members.refuse_over_budget(now.own.failures)
    yield from left_out(now.own.failures)


def _downgrade(now: Situation) -> Iterator[Seen]:
    if now.model.backs is not None:
        return  # nodes go back on purpose
    # A node between releases may run parts of the last run's target, whatever became of that run; but for one
    # that brought nodes back.
    last = now.ports.journal.latest()
    undone = last is not None and last.rollback and last.state is RunState.COMPLETED
    assumed = last.target if last and not undone else None

    def newer(nodes: Mapping[str, Compared]) -> None:
        found = {node: one.deployed or assumed for node, one in nodes.items()}
        preconditions.refuse_downgrade(now.model, found)

    yield from now.without(newer)


def _custom_images(now: Situation) -> Iterator[Seen]:
    if now.model.backs is None:
        preconditions.refuse_forgotten_images(now.model, now.ports.journal.tracked_custom_images() or None)
    yield from ()


def _stage_order(now: Situation) -> Iterator[Seen]:
    back = now.model.backs is not None
    preconditions.refuse_out_of_order(now.stages[0], now.own.nodes, back=back)
    if not back:
        limits.refuse_out_of_order(now.members, now.limit, now.measured, now.stages)
    yield from ()


def _release_checks(now: Situation) -> Iterator[Seen]:
    yield from now.without(lambda nodes: preconditions.refuse_by_release_checks(nodes, now.stages))


def _settings(now: Situation) -> Iterator[Seen]:
    yield from now.without(lambda nodes: preconditions.refuse_by_settings(nodes, now.stages))


def _images(now: Situation) -> Iterator[Seen]:
    preconditions.refuse_missing_images(now.own.nodes, now.stages, now.ports)
    yield from ()


def _drains(now: Situation) -> Iterator[Seen]:
    of = now.members, now.seen.nodes, now.stages, now.drains
    unhindered(lambda: preconditions.refuse_undrainable(*of), now.halted)
    yield from ()


def _occupied(now: Situation) -> Iterator[Seen]:
    occupancy.refuse(now.model, now.members, now.seen.nodes, now.stages, now.drains)
    yield from ()


def _clusters(now: Situation) -> Iterator[Seen]:
    # Nothing is put right for a run that does not begin.
    touch = now.touch and not now.refused
    preconditions.refuse_broken_clusters(now.seen, now.stages, now.ports, touch=touch)
    yield from ()


def _addresses(now: Situation) -> Iterator[Seen]:
    gates.refuse_addresses(
        now.model, now.members, now.seen, now.stages, now.ports, now.unfinished, now.halted
    )
    yield from ()


def _work(now: Situation) -> Iterator[Seen]:
    gates.refuse_unasked(now.model, now.members, now.seen, now.stages, now.ports, now.halted)
    yield from ()


def _gates(now: Situation) -> Iterator[Seen]:
    roles = (role for node in now.touched for role in now.members.roles_of(node))
    asked = analysis.of_roles(now.model, roles, now.ports)
    verdict: Verdict = "refuse" if now.model.backs is None else "warn"  # it may be why nodes go back
    for error in analysis.refusals(asked, lambda: now.ports.fleet.poll(1.0), now.halted):
        yield Seen(verdict, str(error), error=error)


def _notifications(now: Situation) -> Iterator[Seen]:
    for line in now.ports.untold(now.model):
        yield Seen("warn", line)


def _audit(now: Situation) -> Iterator[Seen]:
    for line in now.ports.audit.problems(now.model.audit):
        yield Seen("warn", line)


def _set_by_hand(now: Situation) -> Iterator[Seen]:
    yield from node_conditions.set_by_hand(now)
    if now.refused.isdisjoint(NEEDS["openstack_agents"]):
        yield from cloud_conditions.switched_off(now)


#: Conditions that ask again what another one has asked: who does not answer that one is not asked twice.
NEEDS = {
    "room": ("images",),
    "hypervisors": ("drains",),
    "openstack_agents": ("drains", "hypervisors"),
    "capacity": ("drains", "hypervisors"),
    "server_groups": ("drains", "hypervisors"),
}
#: Those that are judged of each node by itself.
OF_NODES: dict[str, Ask] = {
    "readiness": node_conditions.readiness,
    "room": node_conditions.room,
    "boot_room": node_conditions.boot_room,
    "clocks": node_conditions.clocks,
    "certificates": node_conditions.certificates,
    "container_storage": node_conditions.container_storage,
    "failed_units": node_conditions.failed_units,
    "installers": node_conditions.installers,
    "hypervisors": cloud_conditions.hypervisors,
    "pending_reboots": node_conditions.pending_reboots,
    "set_by_hand": _set_by_hand,
}
#: The conditions in the order in which they are looked at; `run` is asked before nodes are.
ASKED: dict[str, Ask] = {
    "nodes": _nodes,
    "downgrade": _downgrade,
    "custom_images": _custom_images,
    "stage_order": _stage_order,
    "release_checks": _release_checks,
    "settings": _settings,
    "images": _images,
    "drains": _drains,
    "occupied": _occupied,
    "clusters": _clusters,
    "addresses": _addresses,
    "work": _work,
    **OF_NODES,
    "openstack_agents": cloud_conditions.agents,
    "capacity": cloud_conditions.capacity,
    "server_groups": cloud_conditions.server_groups,
    "gates": _gates,
    "notifications": _notifications,
    "audit": _audit,
}
