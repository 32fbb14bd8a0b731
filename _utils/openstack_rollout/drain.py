"""How workloads leave the nodes of a role before a stage disturbs them, and come back: what a kind of drain
has to offer, the kinds there are, and the record of what was taken away.

A kind does the work through whatever API it needs; when it happens is the engine's affair. The record is
written before the thing is done, and outlives run, engine and master: a drained node never has to be guessed.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

from openstack_rollout.declared.model import Model
from openstack_rollout.declared.policies import NO_DRAIN
from openstack_rollout.errors import RolloutError
from openstack_rollout.journal import Journal

BY_HAND = ""  # the run of a record that an operator made; no run brings such a node back

# kind -> module:class, called with (the Model, role, the master's options).
KINDS = {
    "standby": "openstack_rollout.standby:Standby",
    "ovn_failover": "openstack_rollout.ovn_failover:OvnFailover",
    "live_migrate": "openstack_rollout.workloads.computes:LiveMigrate",
    "require_empty": "openstack_rollout.workloads.computes:RequireEmpty",
    "move_routers": "openstack_rollout.workloads.gateways:MoveRouters",
}


class Record(Protocol):
    """What was taken away from a node. data (dict): plain data, the kind's own; empty at the first drain."""

    data: dict[str, Any]

    def save(self) -> None:
        """Write it to the journal: always before the thing that it tells of is done."""


class Drain(Protocol):
    """How workloads leave the nodes of a role, and come back.

    drain and restore run in threads of the engine's process, several nodes at a time; refuse and room are
    called from the engine itself and should answer within seconds. stages (frozenset): those before which a
    node is drained.
    """

    stages: frozenset[str]

    def refuse(self, nodes: Sequence[str]) -> None:
        """Raise RolloutError (NO_SPARE, API_UNREACHABLE, …) when these nodes cannot be drained at all.

        Called before anything is touched, with every node that the run is going to drain.
        """

    def room(self, nodes: Sequence[str]) -> int:
        """How many of these nodes, from the first on, may be away together now (live capacity).

        nodes: those in flight first (drained, or about to be), then those that wait, in their order. The
        engine takes the lesser of this and the batch; 0 while none is away pauses the run under NO_SPARE.
        Raises RolloutError when nobody can tell.
        """

    def drain(self, node: str, record: Record) -> str:
        """Take the workloads away; returns one line on what was done.

        Idempotent: called again, with the record as it was saved, it goes on where a killed one stopped.
        Raises RolloutError DRAIN_FAILED (restore is called then, with the same record), or WORKLOADS_STAY for
        a node to be left out without counting as a failure.
        """

    def restore(self, node: str, record: Record) -> str:
        """Bring back what the record says was taken away, and nothing else; returns one line on what was
        done.

        Idempotent as well, and able to undo half a drain. Raises RolloutError RESTORE_FAILED.
        """


class NodeRecord:
    """The record of one node in the journal.

    entry (dict): node, role, kind, run (BY_HAND for an operator's), stage, state (draining, drained or
    restoring), message, since and updated (seconds since the epoch), data.
    """

    def __init__(self, journal: Journal, entry: dict[str, Any], clock: Callable[[], float] = time.time):
        self._journal = journal
        self._clock = clock
        self.entry = entry

    @classmethod
    def of(cls, journal: Journal, node: str, clock: Callable[[], float] = time.time) -> NodeRecord | None:
        """The record that a node has, None when nothing was taken away from it."""
        entry = journal.drained(node)
        return cls(journal, entry, clock) if entry else None

    @classmethod
    def begin(
        cls, journal: Journal, place: Mapping[str, str], clock: Callable[[], float] = time.time
    ) -> NodeRecord:
        """Open a node's record, or go on with the one it has, whoever made it.

        place (dict): node, role, kind, run, stage.
        """
        found = cls.of(journal, place["node"], clock)
        if found is None:
            found = cls(journal, {**place, "since": clock(), "data": {}}, clock)
        found.note("draining", "")
        return found

    @property
    def data(self) -> dict[str, Any]:
        """The kind's own part of the record."""
        return cast("dict[str, Any]", self.entry["data"])

    @data.setter
    def data(self, data: dict[str, Any]) -> None:
        self.entry["data"] = data

    def save(self) -> None:
        """Write the record."""
        self.entry["updated"] = self._clock()
        self._journal.save_drained(self.entry["node"], self.entry)

    def note(self, state: str, message: str) -> None:
        """Write how far it is."""
        self.entry.update(state=state, message=message)
        self.save()

    def close(self) -> None:
        """Forget it: everything is back."""
        self._journal.forget_drained(self.entry["node"])


class Drains:
    """The drains of a cloud, made when they are first asked for.

    model (Model): what is declared. opts (dict): the master's options. kinds: as KINDS, or classes.
    """

    def __init__(
        self,
        model: Model,
        opts: Mapping[str, Any] | None = None,
        kinds: Mapping[str, str | Callable[..., Drain]] | None = None,
    ):
        self._model = model
        self._opts = opts or {}
        self._kinds = KINDS if kinds is None else kinds
        self._made: dict[tuple[str, str], Drain] = {}

    def kind(self, role: str) -> str:
        """The kind of drain that the policy of a role names."""
        return str(self._model.policies.of(role).drain)

    def before(self, stage: str, role: str) -> Drain | None:
        """The drain that the nodes of a role go through before a stage, None when they go as they are."""
        kind = self.kind(role)
        if kind == NO_DRAIN:
            return None
        made = self.make(kind, role)
        return made if stage in made.stages else None

    def make(self, kind: str, role: str) -> Drain:
        """The drain of a kind for a role, also when the policy has changed since (a record names its kind).

        Raises RolloutError INVALID_PILLAR for a kind that this version does not have.
        """
        if kind not in self._kinds:
            raise RolloutError("INVALID_PILLAR", f"openstack:policies:{role}:drain: {kind} is not known here")
        if (kind, role) not in self._made:
            made = self._kinds[kind]
            if isinstance(made, str):
                module, _, name = made.partition(":")
                made = cast("Callable[..., Drain]", getattr(importlib.import_module(module), name))
            self._made[kind, role] = made(self._model, role, self._opts)
        return self._made[kind, role]
