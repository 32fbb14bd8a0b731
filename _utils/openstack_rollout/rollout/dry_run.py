"""What an update would do, found by asking: its plan, what refuses it, what would change on each node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from openstack_rollout.declared import releases
from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.policies import CLOUD_DRAINS
from openstack_rollout.drains.kinds import Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.asked import Asked
from openstack_rollout.records.durations import Durations
from openstack_rollout.records.planned import Plan
from openstack_rollout.rollout import (
    asking,
    gone,
    plan,
    preflight,
    status,
    tags,
)
from openstack_rollout.rollout.asking import Given
from openstack_rollout.rollout.conditions import Preflight
from openstack_rollout.rollout.estimate import Estimate
from openstack_rollout.rollout.limit import Limit
from openstack_rollout.rollout.membership import Measured, Membership
from openstack_rollout.rollout.openings import Openings
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.rollout.run import UPDATE
from openstack_rollout.rollout.situation import Situation
from openstack_rollout.vocabulary import STAGES

#: Node ids, stage → {node id: what would change there}.
Predict = Callable[[Iterable[str], str], Mapping[str, list[dict[str, Any]]]]


def dry_run(model: Model, ports: Ports, predict: Predict, given: Given = asking.NOTHING) -> dict[str, Any]:
    """The plan of an update that would begin now, as data. Touches nothing.

    predict: applies a stage's node state with test=True. given: what an operator would give with the
    update; a run that would go on keeps its own. Returns {"target", "refused", "prefetch",
    "prefetch_together", "stages", "gone", "tags", "remedy", "workloads", "nodes", "boots", "failures",
    "limit", "until", "estimate"}: prefetch are nodes, of which so many go together; refused is the line under
    which the update would not begin, or None; stages the tree of records.planned; gone as of
    gone.since; tags those of custom images, as of tags.Tag; workloads what workload.risks says of the nodes
    that will be drained, or None; boots what is wrong, or cannot be told, of the next boot of nodes that may
    be rebooted; estimate as of Estimate.of_plan. Raises RolloutError NO_NODES, and WRONG_ARGUMENT.
    """
    releases.target(model)  # an update needs one
    model, looked, refused = _with_tags(model, ports)
    drains = ports.drains(model)
    members = Membership.of(model, ports.fleet)
    measured = members.measure(ports.fleet, members.ids)
    asked, error = _asked(given, ports)
    limit = asking.meant(asked, members, ports.fleet, STAGES)
    measured, refusal = _as_a_run_begins(model, members, measured, ports, drains, limit)
    refusal = error or refused or refusal
    found = measured.nodes
    planned = plan.of_run(model, members, found, drains, limit=limit, breaks=asked.resting or {})
    nodes: dict[str, dict[str, list[dict[str, Any]]]] = {
        name: {} for name in limit.of(members.ids) if name in found
    }
    for stage in STAGES:
        taking_part = [name for name in nodes if stage in found[name].stages]
        if taking_part:
            for name, changes in predict(taking_part, stage).items():
                if changes:
                    nodes[name][stage] = changes
    durations = Durations(ports.journal)
    openings = Openings(model, ports.events, ports.clock, ports.monotonic)
    roles = {name: members.node(name).role for name in planned.prefetch}
    last = ports.journal.latest()
    records = ports.journal.nodes(last.id) if last else {}
    return {
        **planned.plain(),
        "estimate": Estimate(durations, openings.opening).of_plan(planned, ports.clock(), roles),
        "gone": gone.since(last, records, members, ports.fleet),
        "tags": tags.told(looked),
        "refused": str(refusal) if refusal else None,
        "remedy": refusal.remedy if refusal else "",
        "workloads": workloads(model, ports, planned, members, drains),
        "nodes": nodes,
        "boots": boots(planned, found),
        "limit": limit.target,
        "until": asked.until,
        "failures": {name: f"{reason}: {message}" for name, (reason, message) in measured.failures.items()},
    }


def _with_tags(model: Model, ports: Ports) -> tuple[Model, list[tags.Tag], RolloutError | None]:
    """The model with what a run would take for tags, all of these, and why a run would not begin for them."""
    known = ports.journal.tags()
    looked = tags.look(model, known, ports.digests)
    unfinished = ports.journal.unfinished()
    if unfinished is not None and unfinished.orchestration == UPDATE:
        return tags.recorded(model, ports.journal), looked, None
    try:
        return tags.taken(model, looked), looked, None
    except RolloutError as error:
        return tags.recorded(model, ports.journal), looked, error


def boots(planned: Plan, found: Mapping[str, Compared]) -> dict[str, list[dict[str, str]]]:
    """Node → the doubts about its next boot, of those that the plan reboots."""
    rebooted = dict.fromkeys(node for stage in planned.stages for node in stage.through("reboot"))
    return {
        node: [status.doubt(one) for one in found[node].next_boot]
        for node in rebooted
        if found[node].next_boot
    }


def workloads(
    model: Model, ports: Ports, planned: Plan, members: Membership, drains: Drains
) -> dict[str, Any] | None:
    """What OpenStack's API says of the servers and routers that will have to leave their nodes."""
    leaving: dict[str, dict[str, None]] = {}
    for stage in planned.stages:
        for node in stage.nodes:
            for role in members.roles_of(node, stage.stage):
                if drains.kind(role) in CLOUD_DRAINS and drains.before(stage.stage, role):
                    leaving.setdefault(role, {})[node] = None
    roles: dict[str, Sequence[str]] = {role: list(nodes) for role, nodes in leaving.items()}
    try:
        return ports.risks(model, roles) if roles else None
    except RolloutError:
        return None  # an API that is away is what the refusal names


def _asked(given: Given, ports: Ports) -> tuple[Asked, RolloutError | None]:
    """What a run would be asked, and why it would not be that."""
    unfinished = ports.journal.unfinished()
    goes_on = asking.going_on(unfinished, UPDATE)
    try:
        return asking.of_run(given, goes_on), None
    except RolloutError as error:
        return asking.of_run(given, None), error


def _as_a_run_begins(  # noqa: PLR0917
    model: Model,
    members: Membership,
    measured: Measured,
    ports: Ports,
    drains: Drains,
    limit: Limit,
) -> tuple[Measured, RolloutError | None]:
    """What a run would begin with, without the nodes that it would leave out; or why it would not begin."""
    of = model, members, measured, STAGES, ports, drains, ports.journal.unfinished()
    now = Situation(*of, limit=limit)
    first = preflight.in_the_way(ports, model, UPDATE, STAGES)
    error = Preflight((first, *preflight.check(now).findings)).error()
    return (measured, error) if error else (now.measured, None)
