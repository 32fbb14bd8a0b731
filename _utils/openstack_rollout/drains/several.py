"""Several drains of one node: one of several roles is drained for each of them, in the order of the roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openstack_rollout.drains.contract import Drain, KeepsApart, Record, shared
from openstack_rollout.errors import RolloutError


class SeveralDrains:
    """Drains a node by each of some drains. Implements contract.Drain.

    parts: role → its drain. Its keys in a record: the roles, each with the keys of its drain.
    """

    def __init__(self, parts: Mapping[str, Drain]):
        self._parts = parts
        self.stages = frozenset().union(*(part.stages for part in parts.values()))

    def refuse(self, nodes: Sequence[str]) -> None:
        """Raise the RolloutError of the first drain that cannot serve these nodes (minion ids)."""
        for part in self._parts.values():
            part.refuse(nodes)

    def capacity(self, nodes: Sequence[str]) -> int:
        """As many of these nodes (minion ids) as each of the drains can spare."""
        return min(part.capacity(nodes) for part in self._parts.values())

    def apart(self, nodes: Sequence[str]) -> Mapping[str, frozenset[str]]:
        """What the workloads of each node (minion id) belong to, of all the drains that know."""
        return shared([part for part in self._parts.values() if isinstance(part, KeepsApart)], nodes)

    def drain(self, node: str, record: Record) -> str:
        """Drain a node (minion id) by one after the other; returns what each did. Raises as the drains do."""
        return "; ".join(part.drain(node, _Part(record, role)) for role, part in self._parts.items())

    def restore(self, node: str, record: Record) -> str:
        """Bring back what each took away from a node (minion id), the last one first; returns what each did.

        One that fails keeps none of the others from it. Raises the RolloutError of the first that failed.
        """
        lines: list[str] = []
        errors: list[RolloutError] = []
        for role, part in reversed(list(self._parts.items())):
            try:
                lines.append(part.restore(node, _Part(record, role)))
            except RolloutError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return "; ".join(line for line in lines if line)


class _Part:
    """The part of a record that is of one role's drain. Implements contract.Record."""

    def __init__(self, record: Record, role: str):
        self._record = record
        self._role = role

    @property
    def data(self) -> dict[str, Any]:
        """What that drain has in it."""
        found: dict[str, Any] = self._record.data.setdefault(self._role, {})
        return found

    @data.setter
    def data(self, data: dict[str, Any]) -> None:
        self._record.data[self._role] = data

    def save(self) -> None:
        """Write the whole record."""
        self._record.save()
