"""What is refused before a node is touched, because of what the nodes are now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from openstack_rollout.declared import releases, version_order
from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.differences import CONTAINERS, Kind
from openstack_rollout.declared.model import Model
from openstack_rollout.drains.kinds import Drains
from openstack_rollout.errors import RolloutError, some
from openstack_rollout.records.run_record import Run, RunState
from openstack_rollout.rollout import procedure
from openstack_rollout.rollout.membership import Measured, Membership
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.vocabulary import in_order

ROLLBACK = "orch.rollback"
_LINES = 10  # images that a message names
CONTROL_PLANE = "control_plane"  # the stage that changes members of clusters


def refuse_missing_images(nodes: Mapping[str, Compared], stages: Sequence[str], ports: Ports) -> None:
    """Raise IMAGE_MISSING, or REGISTRY_…, where the registry has not every image that nodes lack: each by its
    service and its nodes, which may lack different ones when they go back.
    """
    lacking: dict[tuple[str, str], list[str]] = {}
    for node, one in nodes.items():
        for name, image in images_to_pull(one, stages):
            lacking.setdefault((name, image), []).append(node)
    wanted = {f"{name} on {some(in_order(there))}": image for (name, image), there in lacking.items()}
    missing = ports.registry(wanted) if wanted else []
    if missing:
        more = f" (and {len(missing) - _LINES} more)" if missing[_LINES:] else ""
        raise RolloutError(missing[0][0], "; ".join(line for _, line in missing[:_LINES]) + more)


def refuse_broken_clusters(measured: Measured, stages: Sequence[str], ports: Ports, *, touch: bool) -> None:
    """Raise QUORUM_AT_RISK when a cluster whose members these stages are about to change is not whole.

    touch: a member that is asked puts right what a change that died has left; False: such ones are not asked.
    """
    if CONTROL_PLANE not in stages:
        return
    changing = {
        node: found for node, one in measured.nodes.items() if (found := one.stages.get(CONTROL_PLANE))
    }
    ports.clusters(
        in_order(
            node
            for node, found in changing.items()
            if touch or all(one.kind != Kind.CHANGE_UNFINISHED for one in found)
        )
    )


def leaving_out(
    members: Membership, measured: Measured, refuse: Callable[[Mapping[str, Compared]], None]
) -> Measured:
    """What was measured, with the nodes among its failures that `refuse` names: none stops the others by its
    answer. Raises as it where they are more than the budget of a role allows.
    """
    try:
        refuse(measured.nodes)
    except RolloutError as error:
        failures = {**measured.failures, **dict.fromkeys(error.nodes, (error.reason, error.message))}
        if members.over_budget(failures):
            raise
        return Measured({node: one for node, one in measured.nodes.items() if node not in failures}, failures)
    return measured


def refuse_downgrade(model: Model, deployed: Mapping[str, str | None]) -> None:
    """Raise DOWNGRADE_REFUSED with the nodes that run a newer release than the target, or one of which
    nothing tells whether it is newer.

    deployed (dict): minion id -> measured version, None where it is between releases.
    """
    wanted = releases.wanted(model)
    if not wanted:
        return
    judged = {
        version: releases.newer(model, version, wanted) for version in set(filter(None, deployed.values()))
    }
    newer = {node: version for node, version in sorted(deployed.items()) if version and judged[version]}
    unclear = {
        node: version for node, version in sorted(deployed.items()) if version and judged[version] is None
    }
    if newer:
        named = ", ".join(f"{node} is at {version}" for node, version in newer.items())
        raise RolloutError(
            "DOWNGRADE_REFUSED", f"openstack:target_version: {wanted} would be a downgrade, {named}", newer
        )
    if unclear:
        version = next(iter(unclear.values()))
        raise RolloutError(
            "DOWNGRADE_REFUSED",
            f"openstack:target_version: {version_order.question(version, wanted)}"
            f" ({', '.join(unclear)} is at {version})",
            unclear,
        )


def refuse_forgotten_images(model: Model, tracked: Mapping[str, Any] | None) -> None:
    """Refuse a new target while every custom image is still the old one: a forgotten hotfix pins old code.

    tracked (dict): {"version", "custom_images"} as recorded when the previous update ended, None before the
    first. Raises RolloutError CUSTOM_IMAGES_UNCHANGED, unless `keep_custom_images_for` names this very
    target.
    """
    custom = {name: reference for name, _, reference in releases.references_of(model.custom_images)}
    wanted = releases.wanted(model)
    if not wanted or not tracked or not custom or tracked["version"] == wanted:
        return
    earlier = releases.references_of(tracked.get("custom_images") or {})
    before = {name: reference for name, _, reference in earlier}
    if model.keep_custom_images_for == wanted or custom.items() - before.items():
        return
    raise RolloutError(
        "CUSTOM_IMAGES_UNCHANGED",
        f"openstack:custom_images: all are still those of {tracked['version']}: {', '.join(sorted(custom))}",
    )


def refuse_by_release_checks(nodes: Mapping[str, Compared], stages: Sequence[str]) -> None:
    """Raise RELEASE_CHECK while something is not so that the release asks for before its services move."""
    _refuse("RELEASE_CHECK", {node: one.checks for node, one in nodes.items()}, stages)


def refuse_by_settings(nodes: Mapping[str, Compared], stages: Sequence[str]) -> None:
    """Raise SET_BY_OPERATOR while operators have set something for which these stages would wait."""
    _refuse("SET_BY_OPERATOR", {node: one.settings for node, one in nodes.items()}, stages)


def _refuse(reason: str, told: Mapping[str, Mapping[str, list[str]]], stages: Sequence[str]) -> None:
    """Raise RolloutError under a reason where nodes tell something (node → stage → lines) of these stages."""
    found = {node: [line for stage in stages for line in one.get(stage, ())] for node, one in told.items()}
    failed = {node: lines for node, lines in found.items() if lines}
    if failed:
        text = "; ".join(f"{node}: {', '.join(lines)}" for node, lines in failed.items())
        raise RolloutError(reason, text, failed)


def to_drain(
    members: Membership, measured: Mapping[str, Compared], stages: Iterable[str], drains: Drains
) -> dict[str, list[str]]:
    """The nodes that stages are going to drain, by role, as measured; one of several roles for each of them.

    measured: node id -> what it is, of the nodes that answered.
    """
    found: dict[str, set[str]] = {}
    for stage in stages:
        open_here = {name for name, one in measured.items() if one.stages.get(stage)}
        for role in members.order(stage):
            nodes = open_here.intersection(members.roles[role])
            if nodes and drains.before(stage, role):
                found.setdefault(role, set()).update(nodes)
    return {role: in_order(nodes) for role, nodes in found.items()}


def refuse_undrainable(
    members: Membership, measured: Mapping[str, Compared], stages: Iterable[str], drains: Drains
) -> None:
    """Raise the RolloutError of a drain (NO_SPARE, …) that cannot serve the nodes which stages drain."""
    for role, nodes in to_drain(members, measured, stages, drains).items():
        drains.make(drains.kind(role), role).refuse(nodes)


def refuse_beside(run: Run | None, orchestration: str, stages: Iterable[str]) -> None:
    """Raise RUN_UNFINISHED when another run would close an unfinished one (its record, or None) for good.

    One of the same orchestration goes on with it; one that has all its stages, too, does all that is left.
    """
    if run is None or run.orchestration == orchestration:
        return
    left = [stage for stage in run.stages if stage not in stages]
    if left:
        state = RunState.INTERRUPTED if run.state is RunState.RUNNING else run.state
        raise RolloutError(
            "RUN_UNFINISHED",
            f"run {run.id} ({run.orchestration}) is {state.value}; {orchestration} would end it without its"
            f" {', '.join(left)}",
        )


def refuse_changed_target(run: Run | None, target: str) -> None:
    """Raise TARGET_CHANGED when an unfinished run (its record, or None) is under way to another release."""
    if run and run.target != target:
        raise RolloutError("TARGET_CHANGED", f"run {run.id} is under way to {run.target}, not {target}")


def refuse_edited(run: Run, content: Mapping[str, str]) -> None:
    """Raise TARGET_CHANGED when the release, or its services, are no more what a run under way is for.

    content: stage → the fingerprint of what is declared now.
    """
    edited = [stage for stage, found in run.content.items() if content.get(stage) != found]
    if edited:
        called = run.target or "the system"
        raise RolloutError(
            "TARGET_CHANGED",
            f"what nodes become by {', '.join(edited)} was edited since run {run.id} to {called} began",
        )


def refuse_rolled_back(model: Model, unfinished: Run | None, orchestration: str) -> None:
    """Raise ROLLED_BACK where anything but a rollback would begin while one is in force, or under way
    (unfinished).
    """
    if orchestration == ROLLBACK:
        return
    if unfinished is not None and unfinished.rollback:
        raise RolloutError(
            "ROLLED_BACK",
            f"run {unfinished.id} (the rollback of {unfinished.rollback}) is {unfinished.state.value}:"
            " salt-run rollout.resume, or rollout.abort",
        )
    if model.backs is not None:
        wanted = model.target_version or "the system"
        raise RolloutError(
            "ROLLED_BACK", f"openstack:target_version: {wanted} is overridden on nodes that went back from it"
        )


def refuse_out_of_order(stage: str, measured: Mapping[str, Compared], *, back: bool = False) -> None:
    """Raise STAGE_OUT_OF_ORDER while a stage that must be done before is open somewhere, as measured.

    back: whether nodes go back, for which the opposite order holds.
    """
    found = {
        earlier: nodes
        for earlier in procedure.before(stage, back=back)
        if (nodes := in_order(node for node, one in measured.items() if one.stages.get(earlier)))
    }
    if found:
        first = "; ".join(f"{earlier} on {', '.join(nodes)}" for earlier, nodes in found.items())
        nodes = [node for some in found.values() for node in some]
        raise RolloutError("STAGE_OUT_OF_ORDER", f"{stage} has to wait for {first}", dict.fromkeys(nodes))


def images_to_pull(node: Compared, stages: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The (name, image reference) of services that are to run an image which the node lacks.

    The references are those of the master's own pillar, never of the node's answer.
    """
    moving = {one.subject for one in node.open(stages) if one.kind in CONTAINERS}
    for name, service in node.services.items():
        if not service["local"] and service["container"] in moving:
            yield f"service {name}", service["image"]
