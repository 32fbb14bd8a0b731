"""Has guests probed while a run is under way, and writes down what they felt: in a thread of its own.

No run waits for it, or fails with it: what does not work is written down as why nobody probed. What is known
is in the journal within seconds, so that an engine that dies loses no more than that: the time until another
one goes on counts as unknown.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from openstack_rollout.declared.audit import Audit
from openstack_rollout.errors import one_line
from openstack_rollout.records.audits import Audits, Gap, Guest, Probed

RETRY = 15.0  # seconds until what failed is tried again
HOSTS = 300.0  # seconds after which servers are looked for again: they move
AFTER_A_GAP = 30.0  # the same where one had a gap
SAVES = 5.0  # seconds after which what is known is written
CLOSES = 5.0  # seconds that the end of a run waits for the last word
_READS = 1.0


class Found(NamedTuple):
    """A server that was looked for: its id, its host, its addresses; problem: why it cannot be probed."""

    id: str = ""
    host: str = ""
    addresses: Sequence[str] = ()
    problem: str = ""


class Probes(Protocol):
    """What probes guests. Each method may raise any error: it is told, and another one is opened later."""

    def read(self, seconds: float) -> Iterable[Mapping[str, Any]]:
        """What was told since (node/prober.py), waiting for some seconds at most; times are this host's."""

    def close(self) -> Iterable[Mapping[str, Any]]:
        """End them; returns the rest of what they told."""


#: The names or ids of servers → what is known of each; raises any error.
Find = Callable[[Sequence[str]], Mapping[str, Found]]
#: Key → address, seconds from one probe of each to the next → what probes them; raises any error.
Open = Callable[[Mapping[str, str], float], Probes]


class Auditor:
    """Has the guests of one run probed, from `start` to `close`.

    run (str): its id. audit: what is declared. audits: where it is written. find, open_: as of Find and Open.
    clock: seconds since the epoch. monotonic: the seconds that probes tell.
    """

    def __init__(  # noqa: PLR0917
        self,
        run: str,
        audit: Audit,
        audits: Audits,
        find: Find,
        open_: Open,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        self._run = run
        self._audit = audit
        self._audits = audits
        self._find = find
        self._open = open_
        self._clock = clock
        self._monotonic = monotonic
        self._guests: dict[str, Guest] = {}
        how = "ping" if audit.tcp_port is None else f"TCP port {audit.tcp_port}"
        self._probed = Probed(audit.node or "", how)
        self._stretch: list[float] | None = None  # that is under way: from, to
        self._before: list[tuple[float, float]] = []
        self._counted: dict[str, tuple[int, int]] = {}  # before these probes were opened
        self._changed: set[str] = set()
        self._saved = 0.0
        self._looks = 0.0  # when servers are looked for again
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._work, name="audit", daemon=True)

    @property
    def run(self) -> str:
        """The run's id."""
        return self._run

    def start(self) -> None:
        """Begin to probe."""
        self._thread.start()

    def close(self) -> None:
        """End to probe, and write down the last of it; waits for some seconds at most."""
        self._ends.set()
        self._thread.join(CLOSES)

    def _work(self) -> None:
        while not self._ends.is_set():
            try:
                self._go_on()
                self._look()
                self._probe()
            except Exception as error:  # whatever it is, the update is not to feel it
                self._fail(error)
                self._ends.wait(RETRY)

    def _go_on(self) -> None:
        """Read what another engine of the run wrote, once."""
        if self._guests:
            return
        if (before := self._audits.probed(self._run)) is not None:
            self._before = list(before.stretches)
        self._guests = self._audits.guests(self._run)
        for key, guest in self._guests.items():
            self._cut(key, guest, max((until for _, until in self._before), default=0.0))

    def _look(self) -> None:
        """Find whom to probe; those who are known already are probed where that cannot be told now."""
        wanted = {(name, ""): Found() for name in self._audit.servers}
        try:
            found = self._find(self._audit.servers) if self._audit.servers else {}
            self._looks = self._monotonic() + HOSTS
        except Exception as error:
            self._looks = self._monotonic() + RETRY
            found = {name: Found(problem=_said(error)) for name, _ in wanted}
        known = {(one.server, one.address): key for key, one in self._guests.items()}
        for name, one in found.items():
            told = {(name, address): one for address in one.addresses} or {(name, ""): one}
            if one.problem and any(server == name and address for server, address in known):
                continue
            for place, each in told.items():
                self._know(known.get(place), place, each)
        for address in self._audit.addresses:
            self._know(known.get(("", address)), ("", address), Found())

    def _know(self, key: str | None, place: tuple[str, str], found: Found) -> None:
        key = key or f"g{len(self._guests) + 1:04d}"
        server, address = place
        guest = self._guests.setdefault(key, Guest(server, address=address))
        guest.id, guest.host, guest.problem = found.id, found.host, found.problem
        self._changed.add(key)

    def _probe(self) -> None:
        """Probe those who are known, until the run ends, or there are others."""
        addresses = self._chosen()
        if not addresses:
            self._save(force=True)
            self._ends.wait(RETRY)
            return
        self._probed.apart, self._probed.problem = self._audit.apart(len(addresses)), ""
        self._counted = {key: (one.sent, one.answered) for key, one in self._guests.items()}
        probes = self._open(addresses, self._probed.apart)
        try:
            while not self._ends.is_set():
                self._hear(probes.read(_READS))
                self._save()
                if self._audit.servers and self._monotonic() > self._looks:
                    self._look()
                    if self._chosen() != addresses:
                        return
        finally:
            try:
                self._hear(probes.close())
            finally:
                self._leave()

    def _chosen(self) -> dict[str, str]:
        """Those who are probed: of what was declared when the run began, others are in the record."""
        declared = {*self._audit.addresses, *self._audit.servers}
        of = {key: one for key, one in self._guests.items() if one.address}
        return {key: one.address for key, one in of.items() if (one.server or one.address) in declared}

    def _hear(self, told: Iterable[Mapping[str, Any]]) -> None:
        for one in told:
            if "failed" in one:
                raise RuntimeError(str(one["failed"]))
            for key, (sent, answered) in one.get("counts", {}).items():
                self._count(key, int(sent), int(answered))
            if "seen" in one:
                self._seen(self._at(one["seen"]))
            elif "gap" in one:
                self._begin(str(one["gap"]), self._at(one["at"]), bool(one["first"]))
            elif "over" in one:
                self._end(str(one["over"]), self._at(one["at"]), int(one["lost"]))
            elif "unseen" in one:
                self._leave(self._at(one["unseen"][0]))
                self._seen(self._at(one["unseen"][1]))

    def _at(self, moment: float) -> float:
        return self._clock() - (self._monotonic() - float(moment))

    def _count(self, key: str, sent: int, answered: int) -> None:
        guest, before = self._guests[key], self._counted.get(key, (0, 0))
        guest.sent, guest.answered = before[0] + sent, before[1] + answered
        self._changed.add(key)

    def _seen(self, at: float) -> None:
        if self._stretch is None:
            self._stretch = [at, at]
        self._stretch[1] = max(self._stretch[1], at)

    def _begin(self, key: str, at: float, first: bool) -> None:
        guest = self._guests[key]
        if first and not guest.answered:
            return  # it never answered: nobody can tell that it stopped
        guest.add(Gap(at, host=guest.host, cut_before=first))
        self._stretch = self._stretch or [at, at]
        self._changed.add(key)
        self._saved = 0.0

    def _end(self, key: str, at: float, lost: int) -> None:
        guest = self._guests[key]
        if guest.gaps and guest.gaps[-1].ended is None:
            guest.gaps[-1].ended, guest.gaps[-1].lost = at, lost
        if self._audit.servers:
            self._looks = min(self._looks, self._monotonic() + AFTER_A_GAP)
        self._changed.add(key)
        self._saved = 0.0

    def _leave(self, at: float | None = None) -> None:
        """Nobody probes any more, from some moment on: what comes now is unknown."""
        if self._stretch is None:
            return
        if at is not None:
            self._seen(at)
        self._before.append((self._stretch[0], self._stretch[1]))
        for key, guest in self._guests.items():
            self._cut(key, guest, self._stretch[1])
        self._stretch = None
        self._save(force=True)

    def _cut(self, key: str, guest: Guest, at: float) -> None:
        """End a gap where somebody probed last; it may have lasted longer."""
        if guest.gaps and guest.gaps[-1].ended is None:
            guest.gaps[-1].ended, guest.gaps[-1].cut_after = max(at, guest.gaps[-1].begun), True
            self._changed.add(key)

    def _save(self, force: bool = False) -> None:
        if not force and self._monotonic() - self._saved < SAVES:
            return
        self._saved = self._monotonic()
        self._probed.stretches = [
            *self._before,
            *([(self._stretch[0], self._stretch[1])] if self._stretch else []),
        ]
        changed = {key: self._guests[key] for key in sorted(self._changed)}
        with suppress(Exception):  # a journal that refuses stops the run by itself; this is written later
            self._audits.save_guests(self._run, changed)
            self._audits.save_probed(self._run, self._probed)
            self._changed -= changed.keys()

    def _fail(self, error: Exception) -> None:
        """Write down why nobody probes."""
        self._probed.problem = _said(error)
        self._save(force=True)


def _said(error: Exception) -> str:
    return one_line(str(getattr(error, "message", "") or error) or type(error).__name__)
