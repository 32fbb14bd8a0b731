"""Running an orchestration in the process of a runner function, as salt-run state.orchestrate would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from openstack_rollout.on_salt.refusal import Refusal
from openstack_rollout.records.journal import Journal
from openstack_rollout.rollout import control
from openstack_rollout.rollout.asking import NOTHING


class Said(Protocol):
    """What an operator gave with a command: asking.Given, or rollback.Asked."""

    def said(self) -> dict[str, Any]:
        """By its key in the pillar of an orchestration."""


def run(
    orchestrate: Callable[..., Mapping[str, Any]],
    journal: Journal,
    orchestration: str,
    given: Said = NOTHING,
) -> dict[str, Any]:
    """Run an orchestration; returns what became of its run.

    orchestrate: Salt's runner function. given: what an operator gave with the command. Its failed step's line
    becomes that of the Refusal that is raised.
    """
    answer = orchestrate(orchestration, pillar=given.said())
    states = next(iter(answer["data"].values()))
    if answer["retcode"] == 0:
        done = journal.latest()
        return control.outcome(done) if done else {}
    if not isinstance(states, dict):
        raise Refusal(" ".join(str(line) for line in states))
    failed = [state for state in states.values() if state["result"] is False]
    raise Refusal(next(filter(None, map(_line_of, failed)), failed[0]["comment"]))


def _line_of(step: Mapping[str, Any]) -> str:
    """The line of a failed step of an orchestration. Empty when the step did not run."""
    answer = (step.get("changes") or {}).get("return") or ""
    return str(answer.get("Error", "")) if isinstance(answer, dict) else str(answer)
