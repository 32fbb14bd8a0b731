"""Which nodes may start now: a sliding window over the nodes of one role, in their order.

As soon as a node leaves, the next one that the limits allow enters; no node waits for a whole wave to end.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict, UserDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """A node in its place: id (str), role under whose policy it goes (str), zone (str or None)."""

    id: str
    role: str
    zone: str | None = None


class InFlight(UserDict[str, Node]):
    """The nodes in flight, by their ids; they are counted by role."""

    def __init__(self) -> None:
        self._roles: Counter[str] = Counter()
        super().__init__()

    def __setitem__(self, node_id: str, node: Node) -> None:
        self.pop(node_id, None)
        super().__setitem__(node_id, node)
        self._roles[node.role] += 1

    def __delitem__(self, node_id: str) -> None:
        self._roles[self[node_id].role] -= 1
        super().__delitem__(node_id)

    def of_role(self, role: str) -> int:
        """How many nodes of a role are in flight."""
        return self._roles[role]


#: What decides on a node: its zone, and what only one node in flight may have; None: it does not start.
Kind = tuple[str | None, frozenset[str] | None]


class Queue:
    """Nodes that wait, in their order. Neither to look at those due nor to leave costs more where more wait.

    apart: as of Window.admit.
    """

    def __init__(self, nodes: Iterable[Node], apart: Mapping[str, Collection[str]] | None = None):
        self._some: dict[Kind, OrderedDict[str, tuple[int, Node]]] = {}
        self._kinds: dict[str, Kind] = {}
        for place, node in enumerate(nodes):
            tags = frozenset(apart[node.id]) if apart and node.id in apart else None
            kind = node.zone, frozenset() if apart is None else tags
            self._kinds[node.id] = kind
            self._some.setdefault(kind, OrderedDict())[node.id] = place, node
        # The next of each kind; stale where that one left. Of each kind one, so that a copy is a heap, too.
        numbered = enumerate(self._some)
        self._heads = [(next(iter(self._some[kind].values()))[0], number, kind) for number, kind in numbered]

    def __len__(self) -> int:
        return len(self._kinds)

    def __contains__(self, node_id: str) -> bool:
        return node_id in self._kinds

    def __iter__(self) -> Iterator[Node]:
        """The nodes in their order."""
        return (node for _, node in self.due(lambda kind: True))

    def of(self, node_ids: Iterable[str]) -> list[Node]:
        """Those of some nodes that wait, in their order."""
        found = [self._some[self._kinds[one]][one] for one in node_ids if one in self._kinds]
        return [node for _, node in sorted(found)]

    def remove(self, node: Node) -> None:
        """A node waits no more."""
        del self._some[self._kinds.pop(node.id)][node.id]

    def due(self, may: Callable[[Kind], bool]) -> Iterator[tuple[Kind, Node]]:
        """The nodes in their order, of each kind as long as it may: once it may not, it may no more."""
        heads = list(self._heads)
        begun: dict[Kind, Iterator[tuple[int, Node]]] = {}
        ahead: dict[Kind, tuple[int, Node] | None] = {}
        while heads:
            place, number, kind = heads[0]
            if kind not in begun:
                begun[kind] = iter(self._some[kind].values())
                ahead[kind] = next(begun[kind], None)
            next_ = ahead[kind]
            if next_ is None or not may(kind):
                heapq.heappop(heads)
            elif next_[0] != place:
                heapq.heapreplace(heads, (next_[0], number, kind))
            else:
                ahead[kind] = following = next(begun[kind], None)
                if following:
                    heapq.heapreplace(heads, (following[0], number, kind))
                else:
                    heapq.heappop(heads)
                yield kind, next_[1]


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
        apart, or a queue knows. A node without a zone counts against the size alone.
        """
        queue = waiting if isinstance(waiting, Queue) and apart is None else Queue(waiting, apart)
        zones = Counter(node.zone for node in in_flight.values()) if self.per_zone else Counter[str | None]()
        taken = {one for node in in_flight for one in apart.get(node, ())} if apart else set()

        def may(kind: Kind) -> bool:
            zone, tags = kind
            full = self.per_zone and zone is not None and zones[zone] >= self.per_zone
            return not full and tags is not None and taken.isdisjoint(tags)

        admitted: list[Node] = []
        free = self.size - len(in_flight)
        for (zone, tags), node in queue.due(may) if free > 0 else ():
            zones[zone] += 1
            taken.update(tags or ())
            admitted.append(node)
            if len(admitted) == free:
                break
        return admitted

    def waves(
        self, nodes: Iterable[Node], apart: Mapping[str, Collection[str]] | None = None
    ) -> list[list[Node]]:
        """Who goes together if all nodes take equally long, in the order in which they start.

        apart: as of admit; has all of the nodes.
        """
        waiting = Queue(nodes, apart)
        found = []
        while waiting:
            wave = self.admit(waiting, {})
            found.append(wave)
            for node in wave:
                waiting.remove(node)
        return found
