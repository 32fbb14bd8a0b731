"""What is refused before a node is touched, because of what the nodes are now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from openstack_rollout import validation
from openstack_rollout.drain import Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.membership import Membership
from openstack_rollout.parts import Parts
from openstack_rollout.procedure import MUST_BE_DONE, ROLE_ORDER
from openstack_rollout.window import in_order


def before_a_run(
    openstack: Mapping[str, Any],
    facts: Mapping[str, dict[str, Any]],
    stages: Sequence[str],
    parts: Parts,
) -> None:
    """Raise the RolloutError under which a run of these stages may not begin.

    facts: node id -> facts, of the nodes that answered.
    """
    # A node between releases may run parts of the last run's target, whatever became of that run.
    last = parts.journal.latest()
    assumed = last["target"] if last else None
    validation.check_direction(
        openstack, {node: answer["deployed"] or assumed for node, answer in facts.items()}
    )
    validation.check_custom_images(openstack, parts.journal.tracked_custom_images() or None)
    out_of_order(stages[0], facts)
    _release_checks(facts, stages)
    wanted = {name: image for answer in facts.values() for name, image in images_to_pull(answer, stages)}
    missing = parts.registry(wanted) if wanted else []
    if missing:
        reason, line = missing[0]
        more = f" (and {len(missing) - 1} more: salt-run release.check)" if missing[1:] else ""
        raise RolloutError(reason, line + more)


def _release_checks(facts: Mapping[str, dict[str, Any]], stages: Sequence[str]) -> None:
    """Raise RELEASE_CHECK while something is not so that the release asks for before its services move."""
    found = {
        node: [line for stage in stages for line in answer.get("checks", {}).get(stage, ())]
        for node, answer in facts.items()
    }
    failed = {node: lines for node, lines in found.items() if lines}
    if failed:
        text = "; ".join(f"{node}: {', '.join(lines)}" for node, lines in failed.items())
        raise RolloutError("RELEASE_CHECK", text, failed)


def to_drain(
    members: Membership, facts: Mapping[str, dict[str, Any]], stages: Iterable[str], drains: Drains
) -> dict[str, list[str]]:
    """The nodes that stages are going to drain, by role, as measured.

    facts: node id -> facts, of the nodes that answered.
    """
    found: dict[str, set[str]] = {}
    for stage in stages:
        open_here = [name for name, answer in facts.items() if answer["stages"].get(stage)]
        for role in ROLE_ORDER[stage]:
            nodes = [node.id for node in members.of_stage(stage, role, open_here)]
            if nodes and drains.before(stage, role):
                found.setdefault(role, set()).update(nodes)
    return {role: in_order(nodes) for role, nodes in found.items()}


def undrainable(
    members: Membership, facts: Mapping[str, dict[str, Any]], stages: Iterable[str], drains: Drains
) -> None:
    """Raise the RolloutError of a drain (NO_SPARE, …) that cannot serve the nodes which stages drain."""
    for role, nodes in to_drain(members, facts, stages, drains).items():
        drains.make(drains.kind(role), role).refuse(nodes)


def target_changed(left: Mapping[str, Any] | None, target: str) -> None:
    """Raise TARGET_CHANGED when an unfinished run (its record, or None) is under way to another release."""
    if left and left["target"] != target:
        raise RolloutError(
            "TARGET_CHANGED", f"run {left['id']} is under way to {left['target']}, not {target}"
        )


def out_of_order(stage: str, facts: Mapping[str, dict[str, Any]]) -> None:
    """Raise STAGE_OUT_OF_ORDER while a stage that must be done before is open somewhere, as measured."""
    found = {
        earlier: nodes
        for earlier in MUST_BE_DONE[stage]
        if (nodes := in_order(node for node, answer in facts.items() if answer["stages"].get(earlier)))
    }
    if found:
        first = "; ".join(f"{earlier} on {', '.join(nodes)}" for earlier, nodes in found.items())
        nodes = [node for some in found.values() for node in some]
        raise RolloutError("STAGE_OUT_OF_ORDER", f"{stage} has to wait for {first}", dict.fromkeys(nodes))


def images_to_pull(facts: Mapping[str, Any], stages: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The (name, image reference) of services that are to run an image which the node lacks."""
    ends = [line for stage in stages for line in facts["stages"].get(stage, ()) if " wants " in line]
    for name, service in facts["services"].items():
        if not service.get("local") and any(
            line.startswith(f"container {service['container']}: ") for line in ends
        ):
            yield f"service {name}", service["image"]
