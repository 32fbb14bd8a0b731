"""What an update from one release to another does to a node of each role, by the code that plans updates.

A node that is at the first release in all is compared with the second, and planned for: so restarts, drains,
reboots and steps are those that a run would take. How many nodes there are, and what else differs on them,
rollout.plan tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from openstack_rollout.declared import release_diff
from openstack_rollout.declared.comparison import Compared, Comparison
from openstack_rollout.declared.differences import CONTAINERS, PACKAGED, Kind
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.share import Place
from openstack_rollout.drains.kinds import Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.planned import PlannedRole
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.plan import Planner
from openstack_rollout.vocabulary import STAGES

_NODE = "node"


def of_roles(model: Model, first: str, drains: Callable[[Model], Drains]) -> dict[str, Any]:
    """Role → what an update does to a node of it, a record for each stage that has anything to do.

    model: what is declared, with the second release as its target. first (str): the release that nodes are
    at. drains: makes the drains of a model; none of them is begun.

    Returns {"roles": {role: [{"stage", "os_family", "restarts": [services], "packages": {name: version},
    "drain": kind or "none", "reboot": never, when_required or always, "steps"}]}, "unknown": {role: why}}.
    """
    roles: dict[str, list[dict[str, Any]]] = {role: [] for role in model.targets}
    unknown: dict[str, str] = {}
    made, comparison = drains(model), Comparison(model)
    for where in release_diff.places(model, first, model.target_version):
        (role,) = where.roles
        try:
            found = list(_stages(model, first, where, comparison, made))
        except RolloutError as error:
            unknown[role] = str(error)
            continue
        roles[role] += [one for one in found if one not in roles[role]]
    return {"roles": roles, "unknown": unknown}


def _stages(
    model: Model, first: str, where: Place, comparison: Comparison, drains: Drains
) -> Iterator[dict[str, Any]]:
    (role,) = where.roles
    facts = release_diff.node_at(model, first, model.target_version, where)
    found = comparison.compare(facts, where.roles, None)
    members = Membership(
        {role: [_NODE]}, {role: model.policies.of(role).for_nodes(1)}, comparison, base=model.base
    )
    planner = Planner(model, members, {_NODE: found}, drains, model.target_version)
    for stage in (one for one in STAGES if one in found.stages):
        planned = [one for round_ in planner.stage(stage).rounds for one in round_.roles]
        if planned:
            yield {"stage": stage, "os_family": where.os_family, **_told(found, stage, planned)}


def _told(found: Compared, stage: str, planned: list[PlannedRole]) -> dict[str, Any]:
    called = {one["container"]: name for name, one in found.services.items()}
    open_ = found.stages[stage]
    restarts = [called.get(one.subject, one.subject) for one in open_ if one.kind in (*CONTAINERS, *PACKAGED)]
    moved = {one.subject: one.want for one in open_ if one.kind is Kind.PACKAGE}
    for one in open_:
        if one.kind is Kind.SERVICE_PACKAGES:
            moved |= one.want
    steps = dict.fromkeys(step for one in planned for node in one.nodes for step in node.steps)
    drain = next((one.drain for one in planned if one.drain != "none"), "none")
    reboot = next((one.reboot for one in planned if "reboot" in steps), "never")
    return {
        **{"restarts": list(dict.fromkeys(restarts)), "packages": moved},
        **{"drain": drain, "reboot": reboot, "steps": list(steps)},
    }
