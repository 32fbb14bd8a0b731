"""Finds the kinds of drain: each is a file of this package, named by the pillar's word for it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

from openstack_rollout.declared.model import Model
from openstack_rollout.declared.policies import NO_DRAIN
from openstack_rollout.drains.contract import Ask, Drain, KeepsApart
from openstack_rollout.drains.several import SeveralDrains
from openstack_rollout.errors import RolloutError

#: Between the kinds of drain of one node, and between their roles; no name of either has it.
SEVERAL = "+"
# Makes a drain from what is declared, the role, and how to call functions on nodes.
Kind = Callable[[Model, str, Ask], Drain]


def find(word: str) -> Kind | None:
    """The class of a kind of drain, None where there is none.

    word (str): e.g. `live_migrate`, for the class LiveMigrate in live_migrate.py.
    """
    name = f"{__package__}.{word}"
    if not word.isidentifier() or importlib.util.find_spec(name) is None:
        return None
    called = "".join(part.capitalize() for part in word.split("_"))
    return cast("Kind | None", getattr(importlib.import_module(name), called, None))


class Drains:
    """The drains of a cloud, each made at its first use.

    model (Model): what is declared. ask: how a drain calls functions on nodes. kinds (dict): word -> class,
    instead of `find`.
    """

    def __init__(
        self,
        model: Model,
        ask: Ask,
        kinds: Mapping[str, Kind] | None = None,
    ):
        self._model = model
        self._ask = ask
        self._kinds = kinds
        self._made: dict[tuple[str, str], Drain] = {}

    def kind(self, role: str) -> str:
        """The kind of drain (str) in the policy of a role."""
        return str(self._model.policies.of(role).drain)

    def before(self, stage: str, role: str) -> Drain | None:
        """The drain of a role's nodes before a stage, None when they are not drained for it."""
        kind = self.kind(role)
        if kind == NO_DRAIN:
            return None
        made = self.make(kind, role)
        return made if stage in made.stages else None

    def keeping_apart(self, stage: str, roles: Iterable[str]) -> list[KeepsApart]:
        """Those of the drains before a stage, of nodes of these roles, that keep workloads apart."""
        found: list[KeepsApart] = []
        for role in dict.fromkeys(roles):
            drain = self.before(stage, role)
            if isinstance(drain, KeepsApart):
                found.append(drain)
        return found

    def of_node(self, roles: Iterable[str], stage: str | None = None) -> tuple[str, str]:
        """What drains a node of these roles before a stage, or at all: its kind, and the role of that.

        Where several do, both are joined by SEVERAL, one kind once. ("none", "") when nothing does.
        """
        found: dict[str, str] = {}
        for role in roles:
            kind = self.kind(role)
            if kind != NO_DRAIN and (stage is None or self.before(stage, role)):
                found.setdefault(kind, role)
        return (SEVERAL.join(found), SEVERAL.join(found.values())) if found else (NO_DRAIN, "")

    def covers(self, kind: str, roles: Sequence[str]) -> bool:
        """Whether a node of these roles that was drained by a kind has nothing left of any of them.

        A role that is not drained keeps what it has. Storage nodes have no more than what serves data, which
        is asked for by itself.
        """
        kinds = kind.split(SEVERAL)
        undrained = {
            role for role in roles if self._model.base(role) == "storage" and self.kind(role) == NO_DRAIN
        }
        return len(roles) < 2 or all(self.kind(role) in kinds or role in undrained for role in roles)

    def make(self, kind: str, role: str) -> Drain:
        """The drain of a kind for a role, whatever kind the role's policy has now.

        kind, role (str): as of_node joins them; kind of the policy, or of the record of a node that was
        drained earlier. Raises RolloutError INVALID_PILLAR for a kind that this version does not have.
        """
        if SEVERAL in kind:
            parts = zip(role.split(SEVERAL), kind.split(SEVERAL), strict=True)
            return SeveralDrains({one: self.make(word, one) for one, word in parts})
        if (kind, role) not in self._made:
            found = find(kind) if self._kinds is None else self._kinds.get(kind)
            if found is None:
                raise RolloutError(
                    "INVALID_PILLAR", f"openstack:policies:{role}:drain: {kind} is not known here"
                )
            self._made[kind, role] = found(self._model, role, self._ask)
        return self._made[kind, role]
