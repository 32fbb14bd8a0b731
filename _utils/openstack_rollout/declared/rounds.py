"""The rounds of a stage: which services go over all nodes, one node at a time, before the next ones begin.

The order is data of the catalogue: a service that is `alone` is a round of its own, those between are one
together. What shares a unit with a service moves in the round of that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.differences import CONTAINERS, PACKAGED, Difference
from openstack_rollout.node.guards import may_share

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model
    from openstack_rollout.declared.services import Service

STAGES = ("control_plane",)


@dataclass(frozen=True)
class Round:
    """A round: name (str, "" of a stage that has one only), services (their names), containers (theirs),
    and those of the rounds before and after it.
    """

    stage: str
    name: str = ""
    services: tuple[str, ...] = ()
    containers: frozenset[str] = frozenset()
    earlier: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()

    def open(self, compared: Compared) -> list[Difference]:
        """What differs on a node in this round. What is no service's, its packages, is of the first."""
        found = compared.stages.get(self.stage) or []
        return [one for one in found if not self.name or self._has(one)]

    def _has(self, one: Difference) -> bool:
        if one.kind in PACKAGED:
            return one.subject in self.services
        if one.kind in CONTAINERS and one.subject in self.containers | self.earlier | self.later:
            return one.subject in self.containers
        return not self.earlier


def of_stage(
    model: Model, version: str, stage: str, nodes: int, families: Collection[str] = ()
) -> list[Round]:
    """The rounds of a stage at a release, in their order (the opposite one while a rollback is in force); one
    without a name where there is no order to keep.

    model (Model): what is declared. version (str): the release. nodes (int): how many have the stage open;
    one alone goes through all of it in the catalogue's order. families: those of the nodes' distributions:
    services that share a unit there are of one round, in which it restarts once.
    """
    if stage not in STAGES or nodes < 2:
        return [Round(stage)]
    entries = [one for one in model.catalogue.of_node(model.known_roles, version) if one.stage == stage]
    groups = _groups(entries, families)
    groups = groups if model.backs is None else groups[::-1]
    named = [frozenset(one.container for one in group if one.deploy == "container") for group in groups]
    return [
        Round(
            stage,
            group[0].name if len(group) == 1 else f"{group[0].name}…",
            tuple(one.name for one in group),
            named[number],
            frozenset().union(*named[:number]),
            frozenset().union(*named[number + 1 :]),
        )
        for number, group in enumerate(groups)
    ] or [Round(stage)]


def _groups(entries: Iterable[Service], families: Collection[str]) -> list[list[Service]]:
    groups: list[list[Service]] = []
    for entry in entries:
        group = next((some for some in groups if any(_share(one, entry, families) for one in some)), None)
        if group is None:
            if not groups or entry.alone or groups[-1][0].alone:
                groups.append([])
            group = groups[-1]
        group.append(entry)
    return groups


def _share(one: Service, other: Service, families: Collection[str]) -> bool:
    """Whether two services are packages of the same unit on nodes of one of these families, and move
    together there (node/sharing.py).
    """
    if not one.deploy == other.deploy == "package" or not may_share(one.guard, other.guard):
        return False
    return any(set(one.units.get(family, ())) & set(other.units.get(family, ())) for family in families)
