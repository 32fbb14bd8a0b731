"""How long each step takes on each node, remembered over runs: what estimates and windows are made of.

Of a node the latest few are kept, of a role some more for the nodes that never took the step: the size stays
bounded. Nothing is measured by the time of day, so no step of a clock is in it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from statistics import median
from typing import NamedTuple

from openstack_rollout.records.journal import Journal
from openstack_rollout.records.kept_durations import NODE, ROLE, bucket

#: Values that are kept of a step of a node, and of a role; and steps of one of them.
OF_NODE, OF_ROLE, STEPS = 9, 45, 500
#: A step that takes so many times what it usually does is slow.
SLOW = 3.0
#: Seconds that are never slow, however little a step takes as a rule.
NEVER_SLOW = 30.0
#: From so many values on, the longest of them says how long a step may take.
_ENOUGH = 5
#: What is added to that.
_MARGIN = 1.25
#: Seconds in which steps are taken to end of which nothing is known yet, those of hooks as any other step.
ASSUMED = {"prefetch": 300.0, "drain": 1200.0, "apply": 600.0, "minion": 60.0, "reboot": 600.0,
           "heartbeat": 60.0, "verify": 30.0, "restore": 1200.0}  # fmt: skip
_ANY = 60.0
#: Of that, what they are taken for as a rule: who waits for a time needs no reserve.
_AS_A_RULE = 0.2


class Place(NamedTuple):
    """A step of a node (its id) of a role, in a stage, and in a round of it."""

    node: str
    role: str
    stage: str
    round: str
    step: str

    @property
    def key(self) -> str:
        """Under which it is remembered."""
        return _key(self.stage, self.round, self.step)


@lru_cache(maxsize=4096)  # the same of many nodes, asked for each of their steps
def _key(*of: str) -> str:
    return "/".join(filter(None, of))


class Durations:
    """What steps took. journal (Journal): where that is kept."""

    def __init__(self, journal: Journal):
        self._kept = journal.durations
        self._known: dict[tuple[str, str], dict[str, list[float]]] = {}
        self._together: dict[str, dict[str, dict[str, list[float]]]] = {}  # of nodes, by the key they share
        self._alone: set[str] | None = None  # the nodes that have a key of their own

    def took(self, place: Place, seconds: float) -> None:
        """Remember what a step took that succeeded, until `keep` writes it."""
        for of, name, most in ((NODE, place.node, OF_NODE), (ROLE, place.role, OF_ROLE)):
            known, key = self._of(of, name), place.key
            # What was measured last stands last, so that what nobody takes any more is dropped first.
            known[key] = [*known.pop(key, []), round(seconds, 1)][-most:]
            while len(known) > STEPS:
                del known[next(iter(known))]

    def keep(self, node: str, role: str) -> None:
        """Write what is known of a node and of its role. Raises RolloutError JOURNAL_FAILED."""
        self.keep_all({node: role})

    def keep_all(self, nodes: Mapping[str, str]) -> None:
        """As keep, of many: node id → role."""
        for node in nodes:
            self._bucket(node)[node] = self._of(NODE, node)
        for key in sorted({bucket(node) for node in nodes}):
            self._kept.save_nodes(key, self._together[key])
        for role in sorted({*nodes.values()}):
            self._kept.save(ROLE, role, self._of(ROLE, role))

    def forget_others(self, nodes: Collection[str], roles: Collection[str]) -> None:
        """Forget nodes and roles that are no more."""
        self._kept.forget(NODE, nodes)
        self._kept.forget(ROLE, roles)

    def usual(self, place: Place) -> float | None:
        """Seconds that a step takes as a rule: the median of the node, or of its role; None if unknown."""
        values = self._values(place, 1)
        return median(values) if values else None

    def expected(self, place: Place) -> float:
        """Seconds that a step takes as a rule; of one never taken what its like took elsewhere, else assumed.

        Its like is the same step in other stages and rounds of the node, or of its role: a first update has
        measured some of them long before it ends.
        """
        if (known := self.usual(place)) is not None:
            return known
        for of, name in ((NODE, place.node), (ROLE, place.role)):
            like = [
                seconds
                for key, values in self._of(of, name).items()
                if key.rpartition("/")[2] == place.step
                for seconds in values
            ]
            if like:
                return median(like)
        return _AS_A_RULE * ASSUMED.get(place.step, _ANY)

    def at_most(self, place: Place) -> float:
        """Seconds in which a step is expected to end: the longest that it took of late, and a quarter more.

        While little is known it is several times what it took, and not less than what is assumed. What was
        far longer than usual counts when it was so twice.
        """
        values = sorted(self._values(place, OF_NODE))
        if len(values) < _ENOUGH:
            return max(SLOW * max(values, default=0.0), ASSUMED.get(place.step, _ANY))
        alone = values[-1] > SLOW * median(values) and values[-1] > SLOW * values[-2]
        return _MARGIN * (values[-2] if alone else values[-1])

    def _values(self, place: Place, enough: int) -> list[float]:
        """What is known of a step: of the node alone where it took it often enough, else of its role too."""
        key = place.key
        own = self._of(NODE, place.node).get(key, [])
        if len(own) >= enough:
            return own
        others = list(self._of(ROLE, place.role).get(key, []))
        for seconds in own:
            if seconds in others:
                others.remove(seconds)
        return [*own, *others]

    def _of(self, of: str, name: str) -> dict[str, list[float]]:
        if (of, name) not in self._known:
            self._known[of, name] = self._read(of, name)
        return self._known[of, name]

    def _read(self, of: str, name: str) -> dict[str, list[float]]:
        if of != NODE:
            return self._kept.of(of, name)
        if found := self._bucket(name).get(name):
            return found
        if self._alone is None:
            self._alone = self._kept.nodes_alone()
        return self._kept.of(of, name) if name in self._alone else {}

    def _bucket(self, node: str) -> dict[str, dict[str, list[float]]]:
        key = bucket(node)
        if key not in self._together:
            self._together[key] = self._kept.of_nodes(key)
        return self._together[key]
