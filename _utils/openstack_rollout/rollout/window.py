"""Which nodes may start now: a sliding window over the nodes of one role, in their order.

As soon as a node leaves, the next one that the limits allow enters; no node waits for a whole wave to end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """A node in its place: id (str), role under whose policy it goes (str), zone (str or None)."""

    id: str
    role: str
    zone: str | None = None


@dataclass(frozen=True)
class Window:
    """How many nodes may be in flight: size in all (int), per_zone (int, 0 = no limit of its own)."""

    size: int
    per_zone: int = 0

    def admit(
        self,
        waiting: Iterable[Node],
        in_flight: Mapping[str, Node],
        apart: Mapping[str, Collection[str]] | None = None,
    ) -> list[Node]:
        """The nodes that may start beside those in flight.

        waiting: nodes that did not start yet, in their order. in_flight: node id -> node. apart: node id ->
        what only one node in flight may have; a node that is not in it does not start. None: nothing is kept
        apart. A node without a zone counts against the size alone.
        """
        free = self.size - len(in_flight)
        zones = Counter(node.zone for node in in_flight.values())
        taken = {one for node in in_flight for one in (apart or {}).get(node, ())}
        admitted: list[Node] = []
        for node in waiting:
            if len(admitted) >= free:
                break
            if apart is not None and (node.id not in apart or not taken.isdisjoint(apart[node.id])):
                continue
            if self.per_zone and node.zone is not None and zones[node.zone] >= self.per_zone:
                continue
            taken.update((apart or {}).get(node.id, ()))
            zones[node.zone] += 1
            admitted.append(node)
        return admitted

    def waves(
        self, nodes: Iterable[Node], apart: Mapping[str, Collection[str]] | None = None
    ) -> list[list[Node]]:
        """Who goes together if all nodes take equally long, in the order in which they start.

        apart: as of admit; has all of the nodes.
        """
        waiting = list(nodes)
        found = []
        while waiting:
            wave = self.admit(waiting, {}, apart)
            found.append(wave)
            if wave == waiting[: len(wave)]:
                waiting = waiting[len(wave) :]
            else:
                gone = {node.id for node in wave}
                waiting = [node for node in waiting if node.id not in gone]
        return found
