"""What nodes were seconds ago, as this process measured them: it counts for the next stage of its run.

A verify, or the measurement of another stage, is a witness as long as nobody of us touched the node since, it
is not older than RECENT, and nothing that it is compared with was edited. The process that begins a run, or
goes on with it, measures everything; what a run changed is measured once more at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import ClassVar, NamedTuple

from openstack_rollout.declared.comparison import Compared, Comparison
from openstack_rollout.rollout.fleet import Halted, Measurable
from openstack_rollout.rollout.membership import Measured, Membership

#: Seconds for which an answer counts, from when it was asked for.
RECENT = 30.0


class _Seen(NamedTuple):
    one: Compared
    at: float


class Witness:
    """What was measured lately of the nodes of one run. monotonic: seconds."""

    _latest: ClassVar[tuple[str, Witness] | None] = None

    def __init__(self, monotonic: Callable[[], float]):
        self._monotonic = monotonic
        self._seen: dict[str, _Seen] = {}
        self._by: Comparison | None = None

    @classmethod
    def of(cls, run: str, monotonic: Callable[[], float]) -> Witness:
        """That of a run (its id) that this process has begun; an empty one for any other."""
        if cls._latest is None or cls._latest[0] != run:
            cls(monotonic).becomes(run)
        assert cls._latest  # noqa: S101 - it became that
        return cls._latest[1]

    def becomes(self, run: str) -> None:
        """What was measured is that of a run (its id), which begins or goes on with it."""
        Witness._latest = run, self

    def measure(  # noqa: PLR0917
        self,
        members: Membership,
        fleet: Measurable,
        nodes: Iterable[str],
        halted: Halted,
        refresh: bool = False,
        anew: Collection[str] = (),
    ) -> Measured:
        """Measure nodes, as Membership.measure; those are not asked that were measured just now.

        anew: nodes (ids) that are asked whatever is known. refresh: all are.
        """
        if refresh or self._by is not members.comparison:
            self._seen.clear()
        self._by = members.comparison
        wanted, now = list(nodes), self._monotonic()
        known = {
            node: seen.one
            for node in wanted
            if (seen := self._seen.get(node)) and now - seen.at <= RECENT and node not in anew
        }
        asked = [node for node in wanted if node not in known]
        found = members.measure(fleet, asked, refresh, halted=halted) if asked else Measured({}, {})
        for node in asked:
            self.touched(node)
        for node, one in found.nodes.items():
            self.told(node, one, now)
        return Measured({**known, **found.nodes}, found.failures)

    def told(self, node: str, one: Compared, at: float) -> None:
        """A node (its id) was measured. at: when it was asked, monotonic seconds."""
        self._seen[node] = _Seen(one, at)

    def touched(self, node: str) -> None:
        """Something was done on a node (its id), or it failed."""
        self._seen.pop(node, None)

    def forget(self) -> None:
        """Time passed in which anything may have been done: somebody was asked."""
        self._seen.clear()
