"""What guests felt of a run, as the journal keeps it: when somebody probed, and when who did not answer.

A part of the journal (Journal.audits), which raises the same: JOURNAL_DAMAGED, JOURNAL_VERSION. Times are
seconds since the epoch. When nobody probed is not written: it is what lies between the stretches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from openstack_rollout.records.stored import Store, plain, read

VERSION = 1
MOST_GAPS = 200  # that are kept of an address; the longest of more
MOST_STRETCHES = 200
_PROBED = "probed"

#: Bank, key, what reads it → whether it cannot be read; it is dropped then.
Lost = Callable[[str, str, Callable[[str], Any]], bool]


@dataclass
class Gap:
    """A time in which an address did not answer: from the first lost probe to the first that was not lost.

    ended: None while it lasts. lost: probes. host: the compute on which its server was, as far as is known.
    cut_before, cut_after: nobody probed just before it, or just after, so that it may have lasted longer.
    """

    begun: float
    ended: float | None = None
    lost: int = 1
    host: str = ""
    cut_before: bool = False
    cut_after: bool = False


@dataclass
class Guest:
    """An address that is probed, and what became of that.

    server: what the pillar calls it, "" for an address of the pillar. id, host: as Nova has it; the host is
    where it was last. sent, answered: probes. problem: why nobody probes it. forgotten: gaps that are not
    kept.
    """

    server: str = ""
    id: str = ""
    host: str = ""
    address: str = ""
    sent: int = 0
    answered: int = 0
    gaps: list[Gap] = field(default_factory=list)
    forgotten: int = 0
    problem: str = ""
    version: int = VERSION

    def add(self, gap: Gap) -> None:
        """Note a gap. Of very many the shortest is forgotten."""
        self.gaps.append(gap)
        if len(self.gaps) > MOST_GAPS:
            over = [one for one in self.gaps if one.ended is not None]
            self.gaps.remove(min(over, key=lambda one: (one.ended or 0.0) - one.begun))
            self.forgotten += 1


@dataclass
class Probed:
    """How a run's guests are probed, and when somebody did.

    by: the minion, "" for the master. how: in words. apart: seconds from one probe of an address to the next.
    stretches: from when to when somebody probed. problem: why nobody does.
    """

    by: str = ""
    how: str = ""
    apart: float = 0.0
    stretches: list[tuple[float, float]] = field(default_factory=list)
    problem: str = ""
    version: int = VERSION


class Audits:
    """What guests felt of runs. store: of the journal."""

    def __init__(self, store: Store):
        self._store = store

    def probed(self, run_id: str) -> Probed | None:
        """How and when the guests of a run were probed, None where nobody was to be."""
        return read(Probed, self._store.fetch(_bank(run_id), _PROBED), f"the audit of run {run_id}")

    def save_probed(self, run_id: str, probed: Probed) -> None:
        """Write how and when guests were probed. Of very many stretches, the oldest are forgotten."""
        probed.stretches = probed.stretches[-MOST_STRETCHES:]
        self._store.store(_bank(run_id), _PROBED, plain(probed))

    def guest(self, run_id: str, key: str) -> Guest | None:
        """What became of one address, by its key."""
        return read(Guest, self._store.fetch(_bank(run_id), key), f"{key} in the audit of run {run_id}")

    def guests(self, run_id: str) -> dict[str, Guest]:
        """What became of the addresses of a run, by their keys."""
        keys = sorted(set(self._store.list(_bank(run_id))) - {_PROBED})
        found = {key: self.guest(run_id, key) for key in keys}
        return {key: one for key, one in found.items() if one}

    def save_guests(self, run_id: str, guests: Mapping[str, Guest]) -> None:
        """Write what became of some addresses."""
        for key, one in guests.items():
            self._store.store(_bank(run_id), key, plain(one))

    def forget(self, run_id: str) -> None:
        """Forget what guests felt of a run."""
        self._store.flush(_bank(run_id))

    def repair_run(self, run_id: str, lost: Lost) -> list[str]:
        """As Journal.repair, of what guests felt of a run."""
        bank = _bank(run_id)
        reads = {_PROBED: lambda _: self.probed(run_id)}
        keys = sorted(self._store.list(bank))
        guest = partial(self.guest, run_id)
        return [
            f"{key} in the audit of run {run_id}" for key in keys if lost(bank, key, reads.get(key, guest))
        ]


def _bank(run_id: str) -> str:
    return f"openstack/rollout/runs/{run_id}/audit"
