"""The way back as the journal keeps it: what nodes were before each run, and the rollback that is in force.

A part of the journal (Journal.way_back), which raises the same: JOURNAL_DAMAGED, JOURNAL_VERSION.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from openstack_rollout.records.stored import Store, plain, read
from openstack_rollout.records.way_back import KEPT, Back, Former, InForce

BANK = "openstack/rollout"
BACKS = f"{BANK}/backs"  # what the nodes of the rollback in force go back to

#: Bank, key, what reads it → whether it cannot be read; it is dropped then.
Lost = Callable[[str, str, Callable[[str], Any]], bool]


class WaysBack:
    """What nodes were before runs, what they go back to, and what is in force. store: of the journal."""

    def __init__(self, store: Store):
        self._store = store

    def former(self, run_id: str, node: str) -> Former | None:
        """What a node was before a run, None where that was not written."""
        return read(Former, self._store.fetch(_formers(run_id), node), f"{node} before run {run_id}")

    def formers(self, run_id: str) -> dict[str, Former]:
        """What nodes were before a run, by node id."""
        found = {node: self.former(run_id, node) for node in self._store.list(_formers(run_id))}
        return {node: one for node, one in found.items() if one}

    def save_formers(self, run_id: str, found: Mapping[str, Former], runs: Iterable[str]) -> None:
        """Write what nodes are before a run; of one that has been written that stays.

        runs: the ids of all runs that are kept, oldest first: of too many it is forgotten again.
        """
        known = set(self._store.list(_formers(run_id)))
        for node in found.keys() - known:
            self._store.store(_formers(run_id), node, plain(found[node]))
        if found and not known:
            kept = [one for one in runs if self._store.list(_formers(one))]
            in_force = self.in_force()
            for one in kept[:-KEPT]:
                if in_force is None or one != in_force.of:
                    self.forget(one)

    def forget(self, run_id: str) -> None:
        """Forget what nodes were before a run."""
        self._store.flush(_formers(run_id))

    def in_force(self) -> InForce | None:
        """The rollback that is in force, for its own target alone; None without one."""
        return read(InForce, self._store.fetch(BANK, "rollback"), "the rollback in force")

    def put_in_force(self, rollback: InForce) -> None:
        """Have nodes go back to what `save_backs` has written."""
        self._store.store(BANK, "rollback", plain(rollback))

    def end(self) -> None:
        """Have no rollback in force any more: nodes belong to the target again."""
        self._store.flush(BANK, "rollback")
        self._store.flush(BACKS)

    def back(self, node: str) -> Back | None:
        """What a node goes back to by the last rollback, None where that leaves it alone."""
        return read(Back, self._store.fetch(BACKS, node), f"what {node} goes back to")

    def backs(self) -> dict[str, Back]:
        """What nodes go back to by the last rollback, by node id."""
        found = {node: self.back(node) for node in self._store.list(BACKS)}
        return {node: one for node, one in found.items() if one}

    def save_backs(self, backs: Mapping[str, Back]) -> None:
        """Write what nodes go back to, and no others; who goes back already does so at every moment."""
        for node, one in backs.items():
            self._store.store(BACKS, node, plain(one))
        for node in set(self._store.list(BACKS)) - backs.keys():
            self._store.flush(BACKS, node)

    def repair_run(self, run_id: str, lost: Lost) -> list[str]:
        """As Journal.repair, of what nodes were before a run."""
        bank, former = _formers(run_id), partial(self.former, run_id)
        nodes = self._store.list(bank)
        return [f"{node} before run {run_id}" for node in nodes if lost(bank, node, former)]

    def repair(self, lost: Lost) -> list[str]:
        """As Journal.repair, of what is in force."""
        nodes = self._store.list(BACKS)
        dropped = [f"what {node} goes back to" for node in nodes if lost(BACKS, node, self.back)]
        if lost(BANK, "rollback", lambda _: self.in_force()):
            dropped.append("the rollback in force")
        return dropped


def _formers(run_id: str) -> str:
    """The bank of what nodes were before a run."""
    return f"{BANK}/runs/{run_id}/before"
