"""What steps took on nodes and in roles, as the journal keeps it: of no run, since an estimate needs many.

A part of the journal (Journal.durations). What cannot be read counts as unknown: no update is held up for an
estimate. Many nodes share a key, so that a large cloud is a few writes.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection

from pydantic import TypeAdapter

from openstack_rollout.errors import RolloutError
from openstack_rollout.records import forms
from openstack_rollout.records.stored import ABSENT, F, Store, valid

BANK = "openstack/rollout/durations"
NODE, ROLE = "node", "role"
_BUCKET, _BUCKETS = "nodes:", 64  # the keys that nodes share


class KeptDurations:
    """store: where it is kept. Writing raises RolloutError JOURNAL_FAILED."""

    def __init__(self, store: Store):
        self._store = store

    def of(self, kind: str, name: str) -> forms.Took:
        """What steps took: their name → seconds, the latest last.

        kind (str): NODE or ROLE. name (str): of one of them.
        """
        if kind == NODE and (found := self.of_nodes(bucket(name)).get(name)):
            return found
        return self._told(forms.TOOK, f"{kind}:{name}") or {}

    def of_nodes(self, key: str) -> dict[str, forms.Took]:
        """What steps took on the nodes that share a key, as of `bucket`; those that are kept alone are not
        among them.
        """
        return self._told(forms.TOOK_BY_NODE, key) or {}

    def nodes_alone(self) -> set[str]:
        """The nodes whose durations have a key of their own, of an older version of this."""
        return {key[5:] for key in self._store.list(BANK) if key.startswith(f"{NODE}:")}

    def save_nodes(self, key: str, took: dict[str, forms.Took]) -> None:
        """Write what steps took on the nodes that share a key."""
        self._store.store(BANK, key, took)

    def save(self, kind: str, name: str, took: forms.Took) -> None:
        """Write what steps took. kind, name: as of `of`."""
        if kind == NODE:
            self.save_nodes(key := bucket(name), {**self.of_nodes(key), name: took})
        else:
            self._store.store(BANK, f"{kind}:{name}", took)

    def forget(self, kind: str, known: Collection[str]) -> None:
        """Forget those of nodes (or roles) that are not among the known ones. kind: as of `of`."""
        kept = {f"{kind}:{name}" for name in known}
        for key in self._store.list(BANK):
            if key.startswith(f"{kind}:") and key not in kept:
                self._store.flush(BANK, key)
            elif kind == NODE and key.startswith(_BUCKET):
                took = self.of_nodes(key)
                if left := {name: one for name, one in took.items() if f"{kind}:{name}" in kept}:
                    if left != took:
                        self.save_nodes(key, left)
                else:
                    self._store.flush(BANK, key)

    def _told(self, form: TypeAdapter[F], key: str) -> F | None:
        try:
            data = self._store.fetch(BANK, key)
            return None if data == ABSENT else valid(form, data, f"{BANK}/{key} in the master's cache")
        except RolloutError:
            return None


def bucket(node: str) -> str:
    """The key under which the durations of a node are kept, with those of some others."""
    return f"{_BUCKET}{zlib.crc32(node.encode()) % _BUCKETS:02x}"
