"""What operators ask for by `rollout.preflight`: what a run would be told that begins now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openstack_rollout.declared import releases
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.run_record import Called
from openstack_rollout.rollout import asking, preflight, tags
from openstack_rollout.rollout import limit as limits
from openstack_rollout.rollout.asking import Given
from openstack_rollout.rollout.conditions import VERDICTS, Preflight
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.rollout.run import SYSTEM, UPDATE
from openstack_rollout.rollout.situation import Situation
from openstack_rollout.vocabulary import STAGES


def report(ports: Ports, stage: str | None = None, given: Given = asking.NOTHING) -> dict[str, Any]:
    """All conditions of a run, as data.

    stage (str): of a run of one stage; None for the whole update. given: what an operator would give with
    it; a run that would go on keeps its own.

    Returns {"preflight": {"verdict", "name", "target", "orchestration", "limit"}, "conditions": {name: as
    Finding.plain}}. Raises RolloutError WRONG_ARGUMENT, or why nodes cannot be told at all: INVALID_PILLAR,
    UNKNOWN_TARGET, NO_NODES; RUN_UNFINISHED for another limit than that of a run which would go on.
    """
    if stage is not None and stage not in STAGES:
        raise RolloutError("WRONG_ARGUMENT", f"{stage} is not a stage, give one of {', '.join(STAGES)}")
    called = Called(ports.caller(), ports.clock())
    accepted = dict.fromkeys(given.accept or (), called)
    stages: Sequence[str] = STAGES if stage is None else (stage,)
    orchestration = UPDATE if stage is None else f"orch.{stage}"
    unfinished = ports.journal.unfinished()
    model = tags.expected(ports, unfinished, orchestration, stages)
    target = releases.wanted(model, stages)
    first = preflight.in_the_way(ports, model, orchestration, stages)
    goes_on = asking.going_on(unfinished, orchestration)
    asked = asking.of_run(given, goes_on)
    members = Membership.of(model, ports.fleet)
    follows = SYSTEM in stages or releases.wants_newest(model, target)
    measured = members.measure(ports.fleet, members.ids, refresh=follows)
    now = Situation(model, members, measured, stages, ports, ports.drains(model), goes_on, always=True)
    now.limit = limits.of(asked, members, ports.fleet)
    kept = goes_on.accepted if goes_on else {}
    found = Preflight((first, *preflight.check(now, {**kept, **accepted}).findings))
    verdicts = [one.verdict for one in found.findings]
    return {
        "preflight": {
            "verdict": max(verdicts, key=VERDICTS.index),
            "name": model.name,
            "target": target,
            "orchestration": orchestration,
            "limit": now.limit.target,
        },
        "conditions": {one.condition: one.plain() for one in found.findings},
    }
