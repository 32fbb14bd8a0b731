"""Silences the alerts that nodes in flight are expected to cause, and no longer than they are.

A thread of its own speaks to Alertmanager, so that no node waits for it; what came of it is written down by
the engine. A silence ends by itself soon: who dies leaves none behind, and who goes on removes what is left.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

from openstack_rollout.declared import silences
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.silences import Silence
from openstack_rollout.errors import RolloutError, one_line
from openstack_rollout.monitoring.contract import AlertSilences, NoAnswer, NotFound
from openstack_rollout.records.run_record import MOST_SILENCES, NodeRecord, NodeState, Run, Silenced
from openstack_rollout.rollout import adoption
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.node_log import NodeLog
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.rollout.window import InFlight
from openstack_rollout.vocabulary import PREFETCH

RETRY = 10.0  # seconds until what failed is tried again
SETTLE = 10.0  # seconds that the end of a pass waits for silences to be removed
_LOOK = 1.0
_COMMENT = "openstack-rollout, run {run}: {node} is in flight, {name}"
_OURS = re.compile(r"openstack-rollout, run (?P<run>\S+): (?P<node>\S+) is in flight, (?P<name>\S+)")

#: A node, and what its policy calls a silence (role:name).
Key = tuple[str, str]


class Silencer(Protocol):
    """Silences alerts for an engine."""

    def noted(self, node: str, record: NodeRecord) -> None:
        """A node's record was written."""

    def look(self, log: NodeLog) -> None:
        """Write down what became of silences, and tell of those that failed."""

    def kept(self, log: NodeLog) -> AbstractContextManager[None]:
        """Around what takes nodes in flight: what is due then is done before it ends."""

    def resumed(self, log: NodeLog) -> AbstractContextManager[None]:
        """As kept, after another engine of the run: what that one left is taken over first."""


class NoSilencing:
    """A Silencer of a cloud that wants no silences."""

    def noted(self, node: str, record: NodeRecord) -> None:
        """Nothing."""

    def look(self, log: NodeLog) -> None:
        """Nothing."""

    def kept(self, log: NodeLog) -> AbstractContextManager[None]:
        """Nothing."""
        return nullcontext()

    def resumed(self, log: NodeLog) -> AbstractContextManager[None]:
        """Nothing."""
        return nullcontext()


class _News(NamedTuple):
    """What became of a silence: begun, ended (in so many seconds) or failed; its id, or why it failed."""

    key: Key
    what: str
    text: str
    after: float = 0.0


@dataclass
class _There:
    """A silence that is there. silence: as it is declared, None where nobody knows. until: it ends by then
    (monotonic seconds).
    """

    id: str
    silence: Silence | None
    until: float


class Silencing:
    """Implements Silencer for one run.

    run (str): its id. of: a node, a stage → its silences by name. make: what speaks to Alertmanager; raises
    NoAnswer. clock: seconds since the epoch. monotonic: seconds, of the server's time, whatever the run's is.
    """

    def __init__(
        self,
        run: str,
        of: Callable[[str, str], Mapping[str, Silence]],
        make: Callable[[], AlertSilences],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        self._run = run
        self._of = of
        self._make = make
        self._clock = clock
        self._monotonic = monotonic
        self._server: AlertSilences | None = None
        self._changed = threading.Condition()
        self._wanted: dict[Key, Silence] = {}
        self._asked = self._done = 0  # how often something was wanted otherwise, and how far that is done
        self._thread: threading.Thread | None = None
        self._closing = False
        self._left: dict[Key, str] | None = None  # silences of another engine, before they were looked for
        self._there: dict[Key, _There] = {}
        self._later: dict[Key, float] = {}  # what failed → when it is tried again
        self._news: queue.SimpleQueue[_News] = queue.SimpleQueue()

    def noted(self, node: str, record: NodeRecord) -> None:
        """A node's record was written."""
        in_flight = record.state is NodeState.IN_FLIGHT and record.stage != PREFETCH
        due = self._of(node, record.stage) if in_flight else {}
        wanted = {(node, name): one for name, one in due.items()}
        with self._changed:
            before = {key: one for key, one in self._wanted.items() if key[0] == node}
            if wanted != before:
                self._wanted = {key: one for key, one in self._wanted.items() if key[0] != node} | wanted
                self._wake()

    def look(self, log: NodeLog) -> None:
        """Write down what became of silences, and tell of those that failed."""
        while not self._news.empty():
            news = self._news.get()
            node, name = news.key
            if (record := log.records.get(node)) is None:
                continue
            place = adoption.node_of(node, record)
            if news.what == "failed":
                why = "SILENCE_FAILED", news.text
                log.tell(place, record, record.step, "not_silenced", *why, InFlight())
                continue
            if news.what == "begun":
                known = [*record.silences, Silenced(name, news.text, self._clock())]
                record.silences = known[-MOST_SILENCES:]
            for one in record.silences if news.what == "ended" else ():
                if one.id == news.text:
                    one.ended = self._clock() + news.after
            with suppress(RolloutError):  # of the journal: written with what comes next, which says so
                log.note(place, state=record.state, reason=record.reason, message=record.message)

    @contextmanager
    def kept(self, log: NodeLog) -> Iterator[None]:
        """Around what takes nodes in flight: what is due then is done before it ends, for some seconds."""
        try:
            yield
        except Exception:
            self._settle(log)
            raise
        self._settle(log)  # not for what ends the process: that leaves at once

    @contextmanager
    def resumed(self, log: NodeLog) -> Iterator[None]:
        """As kept, after another engine of the run: what that one left is taken over first."""
        flying = {node: one for node, one in log.records.items() if one.state is NodeState.IN_FLIGHT}
        left = {
            (node, one.name): one.id
            for node, record in log.records.items()
            for one in record.silences
            if one.ended is None
        }
        if left or flying:
            with self._changed:
                self._left = left
                self._wake()
        for node, record in flying.items():
            self.noted(node, record)
        with self.kept(log):
            yield

    def _settle(self, log: NodeLog) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._done == self._asked, SETTLE)
        self.look(log)

    def _wake(self) -> None:
        """Have the thread see to what is wanted now. With the lock held."""
        self._asked += 1
        self._closing = False
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="silences", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _work(self) -> None:
        """See to what is wanted, until nothing is left to do, or to prolong."""
        while True:
            with self._changed:
                asked, wanted = self._asked, dict(self._wanted)
            self._see_to(wanted)
            with self._changed:
                self._done = asked
                self._changed.notify_all()
                if asked == self._asked:
                    if self._closing or not (wanted or self._there or self._left):
                        self._thread = None
                        return
                    self._changed.wait(_LOOK)

    def _see_to(self, wanted: Mapping[Key, Silence]) -> None:
        known = {**wanted, **self._there, **(self._left or {})}
        self._later = {key: at for key, at in self._later.items() if key in known}
        if self._left is not None:
            # Before they are known, one more could be the second of its kind.
            self._try(next(iter(known), ("", "silences")), self._take_over)
        if self._left is not None:
            return
        for key in [key for key in self._there if key not in wanted]:
            self._try(key, self._end)
        for key, silence in wanted.items():
            there = self._there.get(key)
            if there is None:
                self._try(key, partial(self._begin, silence=silence))
            elif self._monotonic() > there.until - silence.ends_within / 2:
                self._try(key, partial(self._prolong, silence=silence))

    def _take_over(self, _: Key) -> None:
        """Find the silences that another engine of the run left, those too that it could not write down."""
        found = {
            (ours["node"], ours["name"]): one.id
            for one in self._speak().ours()
            if (ours := _OURS.fullmatch(one.comment)) and ours["run"] == self._run
        }
        left, self._left = self._left or {}, None
        for key, silence in left.items():
            if found.get(key) != silence:
                self._news.put(_News(key, "ended", silence))
        for key, silence in found.items():
            self._there[key] = _There(silence, None, self._monotonic())
            if left.get(key) != silence:
                self._news.put(_News(key, "begun", silence))

    def _begin(self, key: Key, silence: Silence) -> None:
        node, name = key
        matchers = [silences.of_node(one, node) for one in silence.matchers]
        comment = _COMMENT.format(run=self._run, node=node, name=name)
        found = self._speak().create(matchers, comment, silence.ends_within)
        self._there[key] = _There(found, silence, self._monotonic() + silence.ends_within)
        self._news.put(_News(key, "begun", found))

    def _prolong(self, key: Key, silence: Silence) -> None:
        there = self._there[key]
        try:
            found = self._speak().prolong(there.id, silence.ends_within)
        except NotFound:  # the server lost it, as one that starts without its disk: nobody ended it
            del self._there[key]
            self._news.put(_News(key, "ended", there.id))
            self._begin(key, silence)
            return
        if found != there.id:
            self._news.put(_News(key, "ended", there.id))
        if found is None:
            del self._there[key]
            if self._monotonic() < there.until:  # an operator wants to hear of the node
                self._later[key] = float("inf")
            return
        if found != there.id:
            self._news.put(_News(key, "begun", found))
        self._there[key] = _There(found, silence, self._monotonic() + silence.ends_within)

    def _end(self, key: Key) -> None:
        there = self._there[key]
        linger = there.silence.linger if there.silence else 0
        if linger:
            with suppress(NotFound):
                self._speak().prolong(there.id, linger)
        else:
            self._speak().expire(there.id)
        del self._there[key]
        self._news.put(_News(key, "ended", there.id, linger))

    def _try(self, key: Key, work: Callable[[Key], None]) -> None:
        if self._monotonic() < self._later.get(key, 0.0):
            return
        try:
            work(key)
        except NoAnswer as error:
            self._fail(key, error)
        except Exception as error:  # no silence is worth a thread that died without a word
            self._fail(key, NoAnswer(one_line(f"{type(error).__name__}: {error}")))
        else:
            if self._monotonic() >= self._later.get(key, 0.0):
                self._later.pop(key, None)

    def _fail(self, key: Key, error: NoAnswer) -> None:
        """Tell of what failed, once until it works again, and try it again later."""
        if key not in self._later:
            self._news.put(_News(key, "failed", f"{key[1]}: {error.message}"))
        self._later[key] = self._monotonic() + RETRY

    def _speak(self) -> AlertSilences:
        if self._server is None:
            self._server = self._make()
        return self._server


def of(run: Run, model: Model, members: Membership, ports: Ports) -> Silencer:
    """What silences alerts for a run."""
    roles = [role for role in members.roles if members.policies[role].alert_silences]
    if not roles:
        return NoSilencing()

    def of_node(node: str, stage: str) -> dict[str, Silence]:
        return {
            f"{role}:{name}": one
            for role in members.roles_of(node)
            for name, one in members.policies[role].alert_silences.items()
            if one.stages is None or stage in one.stages
        }

    return Silencing(run.id, of_node, lambda: ports.monitor(model.monitoring).silences(), ports.clock)
