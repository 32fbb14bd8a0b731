"""A fleet that is measured once, however often it is compared with what it has to be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from openstack_rollout.declared.kept import Kept
from openstack_rollout.rollout.fleet import Answers, Fleet, Halted, never


class Once:
    """Nodes as they answered when they were asked first, with what they told of their way back.

    fleet: who is asked. Implements fleet.Measurable.
    """

    def __init__(self, fleet: Fleet):
        self._fleet = fleet
        self._answers: Answers | None = None
        self._told: Mapping[str, Kept] = {}

    def members(self, target: str) -> list[str]:
        """Ids of the accepted nodes that a compound target matches."""
        return self._fleet.members(target)

    def unread(self, target: str, nodes: Iterable[str]) -> list[str]:
        """Those of some nodes of which the master does not know what a compound target asks for."""
        return self._fleet.unread(target, nodes)

    def add(self, told: Mapping[str, Kept]) -> None:
        """What nodes tell of their way back: their shares ask for it only when the rollback is in force."""
        self._told = told

    def facts(self, silences: Mapping[str, float], refresh: bool = False, halted: Halted = never) -> Answers:
        """What the nodes told when they were asked first."""
        if self._answers is None:
            self._answers = self._fleet.facts(silences, refresh, halted)
        found = {node: self._with(node, one) for node, one in self._answers.facts.items() if node in silences}
        why = {node: one for node, one in self._answers.failures.items() if node in silences}
        return Answers(found, why)

    def _with(self, node: str, answer: Any) -> Any:
        kept_ = self._told.get(node)
        if kept_ is None or not isinstance(answer, Mapping):
            return answer
        has = {name: list(one.has) for name, one in kept_.packages.items()}
        return {
            **answer,
            "images": sorted({*answer.get("images", ()), *kept_.images}),
            "packages": {**has, **answer.get("packages", {})},
        }
