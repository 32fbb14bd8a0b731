"""Records as the master's cache keeps them: what the journal needs of that, and how what it has is read."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, Protocol, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from openstack_rollout.errors import RolloutError

ABSENT: dict[str, Any] = {}  # what a store has for a key that is not there


class Versioned(Protocol):
    """A record that says in which version of its form it is."""

    version: int


T = TypeVar("T", bound=Versioned)
F = TypeVar("F")
_FORMS: dict[type, TypeAdapter[Any]] = {}  # they are made once


class Store(Protocol):
    """The part of salt.cache that the journal uses."""

    def store(self, bank: str, key: str, data: Any) -> None:
        """Write one key."""

    def fetch(self, bank: str, key: str) -> Any:
        """Read one key, {} when it is not there."""

    def list(self, bank: str) -> Iterable[str]:
        """The keys of a bank."""

    def flush(self, bank: str, key: str | None = None) -> Any:
        """Remove a key, or the whole bank."""


class OneAtATime:
    """A store for several threads: Salt's loader, behind salt.cache, mixes up two calls at once."""

    _lock = threading.Lock()  # of all journals of a process

    def __init__(self, store: Store):
        self._inner = store

    def store(self, bank: str, key: str, data: Any) -> None:
        """As Store."""
        with self._lock:
            self._inner.store(bank, key, data)

    def fetch(self, bank: str, key: str) -> Any:
        """As Store."""
        with self._lock:
            return self._inner.fetch(bank, key)

    def list(self, bank: str) -> Iterable[str]:
        """As Store."""
        with self._lock:
            return self._inner.list(bank)

    def flush(self, bank: str, key: str | None = None) -> Any:
        """As Store."""
        with self._lock:
            return self._inner.flush(bank, key)


def plain(record: Any) -> dict[str, Any]:
    """A record as plain data, as it is stored and printed."""
    return dict(_form(type(record)).dump_python(record, mode="json"))


def read(kind: type[T], data: Any, what: str) -> T | None:
    """A record of that kind as it is kept, None where it is not there.

    data: of Store.fetch. what (str): what it is a record of. Raises RolloutError JOURNAL_DAMAGED,
    JOURNAL_VERSION.
    """
    if data == ABSENT:
        return None
    if not isinstance(data, dict):
        raise RolloutError("JOURNAL_DAMAGED", f"{what} is no record")
    wanted, found = kind.version, data.get("version")
    if found != wanted:
        raise RolloutError(
            "JOURNAL_VERSION", f"{what} is kept as version {found or 'none'}, this program reads {wanted}"
        )
    return cast("T", valid(_form(kind), data, what))


def valid(form: TypeAdapter[F], data: Any, what: str) -> F:
    """Data by its form. what (str): what they are. Raises RolloutError JOURNAL_DAMAGED."""
    try:
        return form.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RolloutError(
            "JOURNAL_DAMAGED", f"{what} is damaged{where and f' at {where}'}: {first['msg']}"
        ) from error


def _form(kind: type) -> TypeAdapter[Any]:
    if kind not in _FORMS:
        _FORMS[kind] = TypeAdapter(kind)
    return _FORMS[kind]
