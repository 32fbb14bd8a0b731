"""The master's cache as the journal's store: what cannot be read or written has a reason and a remedy.

The cache is Salt's (`cache:` in the master's configuration): files of this master, or a server that several
masters share. A server that is away has damaged nothing: what it holds is not to be repaired for that.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from salt.exceptions import SaltCacheError, SaltDeserializationError, SaltException

from openstack_rollout.errors import RolloutError, one_line
from openstack_rollout.records.journal import BANK, DRAINS, RUNS
from openstack_rollout.records.state_file import force

#: Drivers that cannot hold a journal, and why.
_UNFIT = {"etcd": "it cannot have a key and a bank of one name"}
#: What nobody can find out again: forced to the disk, so that a power cut of the master takes none of it.
_LASTING = (BANK, DRAINS, RUNS)


class CacheStore:
    """Implements records.stored.Store.

    cache: as salt.cache.factory makes it. refuse_lost: of the lock of who writes (records.lock.Lock), asked
    before anything is written: raises RolloutError LOCK_LOST.

    Raises RolloutError CACHE_UNFIT for a driver that cannot hold a journal.
    """

    def __init__(self, cache: Any, refuse_lost: Callable[[], None] = lambda: None):
        self._cache = cache
        self._driver = getattr(cache, "driver", "")
        self._refuse_lost = refuse_lost
        if why := _UNFIT.get(self._driver):
            raise RolloutError("CACHE_UNFIT", f"cache: {self._driver} (the master's configuration): {why}")

    @property
    def folder(self) -> Callable[[str], Path] | None:
        """Where a bank's keys are, of a driver that has them in files: localfs; None of others."""
        if self._driver != "localfs":
            return None
        return lambda bank: Path(self._cache.cachedir, bank)

    def store(self, bank: str, key: str, data: Any) -> None:
        """Write one key. Raises RolloutError JOURNAL_FAILED, LOCK_LOST."""
        self._refuse_lost()
        with self._served(bank, key), _written(bank, key):
            self._cache.store(bank, key, data)
            if bank in _LASTING and self._driver == "localfs":
                folder = Path(self._cache.cachedir, bank)
                force(folder / f"{key}.p")
                force(folder)  # where its name is

    def fetch(self, bank: str, key: str) -> Any:
        """Read one key, {} when it is not there. Raises RolloutError JOURNAL_DAMAGED, JOURNAL_FAILED."""
        if self._lacks(f"{key}.p", bank):
            return {}
        try:
            with self._served(bank, key):
                found = self._cache.fetch(bank, key)
        except (SaltException, ValueError, KeyError, TypeError) as error:
            raise RolloutError("JOURNAL_DAMAGED", f"{bank}/{key} in the master's cache: {error}") from error
        if found is None:  # the file is there, and empty: what a power cut leaves
            raise RolloutError("JOURNAL_DAMAGED", f"{bank}/{key} in the master's cache is empty")
        return found

    def list(self, bank: str) -> Iterable[str]:
        """The keys of a bank. Raises RolloutError JOURNAL_DAMAGED, JOURNAL_FAILED."""
        if self._lacks("", bank):
            return []
        try:
            with self._served(bank):
                return self._cache.list(bank)
        except SaltCacheError as error:
            raise RolloutError("JOURNAL_DAMAGED", f"{bank} in the master's cache: {error}") from error

    def _lacks(self, name: str, bank: str) -> bool:
        """Whether localfs has no such file: a run asks at every poll, and Salt's loader is slow to say so."""
        if self._driver != "localfs":
            return False
        folder = os.path.join(self._cache.cachedir, bank)
        return not (os.path.exists(os.path.join(folder, name)) or os.path.exists(f"{folder}.p"))

    def flush(self, bank: str, key: str | None = None) -> Any:
        """Remove a key, or the whole bank. Raises RolloutError JOURNAL_FAILED, LOCK_LOST."""
        self._refuse_lost()
        with self._served(bank, key or ""), _written(bank, key or ""):
            return self._cache.flush(bank, key)

    @contextlib.contextmanager
    def _served(self, bank: str, key: str = "") -> Iterator[None]:
        """Name a server that does not answer, and a driver that Salt does not load."""
        try:
            yield
        except Exception as error:  # a driver passes on what its library raises
            if self._driver == "localfs" or isinstance(error, SaltDeserializationError):
                raise
            if isinstance(error, KeyError) and str(error.args[0]).startswith(f"{self._driver}."):
                text = f"cache: {self._driver} (the master's configuration): Salt does not load that driver"
                raise RolloutError("LIBRARY_MISSING", text) from error
            text = f"{bank}/{key} in the cache of the masters ({self._driver}): {one_line(str(error))}"
            raise RolloutError("JOURNAL_FAILED", text) from error


@contextlib.contextmanager
def _written(bank: str, key: str) -> Iterator[None]:
    try:
        yield
    except (SaltCacheError, OSError) as error:
        raise RolloutError("JOURNAL_FAILED", f"{bank}/{key} in the master's cache: {error}") from error
