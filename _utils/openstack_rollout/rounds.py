"""The rounds of a stage: which services go over all nodes, one node at a time, before the next ones begin.

The order is data of the catalogue: a service that is `alone` is a round of its own, those between are one
together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openstack_rollout import catalog, release

STAGES = ("control_plane",)
_CONTAINER = re.compile(r"^container (?P<name>\S+): ")


@dataclass(frozen=True)
class Round:
    """A round: name (str, "" of a stage that has one only), services (their names), containers (theirs),
    and those of the rounds after it.
    """

    stage: str
    name: str = ""
    services: tuple[str, ...] = ()
    containers: frozenset[str] = frozenset()
    earlier: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()

    def ends(self, facts: Mapping[str, Any]) -> list[str]:
        """What is open on a node (its facts) in this round. What is no service's, its packages, is first."""
        lines = facts["stages"].get(self.stage) or []
        return [line for line in lines if not self.name or self._has(line)]

    def _has(self, line: str) -> bool:
        found = _CONTAINER.match(line)
        if found and found["name"] in self.containers | self.earlier | self.later:
            return found["name"] in self.containers
        return not self.earlier


def of_stage(openstack: Mapping[str, Any], version: str, stage: str, nodes: int) -> list[Round]:
    """The rounds of a stage at a release, in their order; one without a name where there is no order to keep.

    openstack (dict): the validated pillar. version (str): the release. nodes (int): how many have the stage
    open; one alone goes through all of it in the catalogue's order.
    """
    if stage not in STAGES or nodes < 2 or not openstack.get("service_types"):
        return [Round(stage)]
    entries = catalog.of_node(openstack, catalog.ROLES, release.get(openstack, version))
    groups: list[list[dict[str, Any]]] = []
    for entry in (entry for entry in entries if entry["stage"] == stage):
        if not groups or entry.get("alone") or groups[-1][-1].get("alone"):
            groups.append([])
        groups[-1].append(entry)
    named = [frozenset(entry["container"] for entry in group) for group in groups]
    return [
        Round(
            stage,
            group[0]["name"] if len(group) == 1 else f"{group[0]['name']}…",
            tuple(entry["name"] for entry in group),
            named[number],
            frozenset().union(*named[:number]),
            frozenset().union(*named[number + 1 :]),
        )
        for number, group in enumerate(groups)
    ] or [Round(stage)]
