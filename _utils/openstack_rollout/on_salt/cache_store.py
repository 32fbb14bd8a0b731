"""The master's cache as the journal's store: what cannot be read or written has a reason and a remedy."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from salt.exceptions import SaltCacheError, SaltException

from openstack_rollout.errors import RolloutError


class CacheStore:
    """Implements records.stored.Store.

    cache: as salt.cache.factory makes it.
    """

    def __init__(self, cache: Any):
        self._cache = cache

    @property
    def folder(self) -> Callable[[str], Path] | None:
        """Where a bank's keys are, of a driver that has them in files: localfs; None of others."""
        if getattr(self._cache, "driver", "") != "localfs":
            return None
        return lambda bank: Path(self._cache.cachedir, bank)

    def store(self, bank: str, key: str, data: Any) -> None:
        """Write one key. Raises RolloutError JOURNAL_FAILED."""
        with _written(bank, key):
            self._cache.store(bank, key, data)

    def fetch(self, bank: str, key: str) -> Any:
        """Read one key, {} when it is not there. Raises RolloutError JOURNAL_DAMAGED."""
        if self._lacks(f"{key}.p", bank):
            return {}
        try:
            found = self._cache.fetch(bank, key)
        except (SaltException, ValueError, KeyError, TypeError) as error:
            raise RolloutError("JOURNAL_DAMAGED", f"{bank}/{key} in the master's cache: {error}") from error
        if found is None:  # the file is there, and empty: what a power cut leaves
            raise RolloutError("JOURNAL_DAMAGED", f"{bank}/{key} in the master's cache is empty")
        return found

    def list(self, bank: str) -> Iterable[str]:
        """The keys of a bank. Raises RolloutError JOURNAL_DAMAGED."""
        if self._lacks("", bank):
            return []
        try:
            return self._cache.list(bank)
        except SaltCacheError as error:
            raise RolloutError("JOURNAL_DAMAGED", f"{bank} in the master's cache: {error}") from error

    def _lacks(self, name: str, bank: str) -> bool:
        """Whether localfs has no such file: a run asks at every poll, and Salt's loader is slow to say so."""
        if getattr(self._cache, "driver", "") != "localfs":
            return False
        folder = os.path.join(self._cache.cachedir, bank)
        return not (os.path.exists(os.path.join(folder, name)) or os.path.exists(f"{folder}.p"))

    def flush(self, bank: str, key: str | None = None) -> Any:
        """Remove a key, or the whole bank. Raises RolloutError JOURNAL_FAILED."""
        with _written(bank, key or ""):
            return self._cache.flush(bank, key)


@contextlib.contextmanager
def _written(bank: str, key: str) -> Iterator[None]:
    try:
        yield
    except (SaltCacheError, OSError) as error:
        raise RolloutError("JOURNAL_FAILED", f"{bank}/{key} in the master's cache: {error}") from error
