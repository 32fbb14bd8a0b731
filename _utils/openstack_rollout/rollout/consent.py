"""Whose yes a run waits for: what it asks before a stage, a role, a wave or a node, and what it hears.

A question is in the run's record while the run waits; an answer is kept by its place in the plan. A run that
was killed comes to the same place, and asks again unless it was answered there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from typing import Protocol

from openstack_rollout.errors import RolloutError, some
from openstack_rollout.records.asked import Coming, Question
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import Run
from openstack_rollout.rollout.admission import Capacity

SHOWN = 20  # nodes of which a question tells what comes
NEVER = "never"
#: Before what a run may wait for a yes.
LEVELS = (NEVER, "stage", "role", "wave", "node")


class Terminal(Protocol):
    """The terminal that runs a run, where somebody may sit."""

    def show(self, question: Question) -> None:
        """Show a question."""

    def heard(self) -> Iterable[tuple[str, str]]:
        """What was typed since: confirm, skip, pause or abort, and the node that it is about, "" for none."""


class Nobody:
    """No terminal: answers come from others."""

    def show(self, question: Question) -> None:
        """Show nothing."""

    def heard(self) -> Iterable[tuple[str, str]]:
        """Hear nothing."""
        return ()


class Consents:
    """Asks for one run, and hears.

    run (its record), journal (Journal), clock (seconds since the epoch), terminal: the one that runs it.
    tell: tells watchers why the run waits at a stage.
    """

    def __init__(
        self,
        run: Run,
        journal: Journal,
        clock: Callable[[], float],
        terminal: Terminal,
        tell: Callable[[str, RolloutError], None],
    ):
        self._run = run
        self._journal = journal
        self._clock = clock
        self._terminal = terminal
        self._tell = tell

    def given(self) -> set[str]:
        """The keys of questions to which somebody said yes, in the terminal too."""
        asked = self._run.questions
        for verb, node in self._terminal.heard() if asked else ():
            about = [one for one in asked.values() if not node or node in one.nodes]
            if verb == "confirm":
                self._journal.confirm(self._run.id, [key for one in about for key in keys_of(one, node)])
            elif verb != "skip":
                self._journal.ask(self._run.id, verb)
            elif about:
                self._journal.skip(self._run.id, node)
            if not any(keys_of(one, node) for one in about):  # it was nothing that is asked
                self._terminal.show(next(iter(asked.values())))
        return self._journal.confirmed(self._run.id)

    def skipped(self) -> set[str]:
        """The nodes that somebody does not want to go in this run."""
        return self._journal.skipped(self._run.id)

    def ask(self, question: Question) -> None:
        """Ask, once: the question stands until it is withdrawn, or asked of other nodes."""
        before = self._run.questions.get(question.keys[0])
        if before and before.nodes == question.nodes:
            return
        question.since = self._clock()
        self._run.questions[question.keys[0]] = question
        why = RolloutError("CONFIRMATION", line(question), question.nodes)
        self._note(why)
        self._tell(question.stage, why)
        self._terminal.show(question)

    def withdraw(self, keys: Iterable[str]) -> None:
        """Questions are answered, or have nothing to ask about any more."""
        gone = [key for key in keys if self._run.questions.pop(key, None)]
        if gone:
            left = next(iter(self._run.questions.values()), None)
            self._note(RolloutError("CONFIRMATION", line(left), left.nodes) if left else None)

    def _note(self, why: RolloutError | None) -> None:
        self._run.reason, self._run.message = (why.reason, why.message) if why else ("", "")
        self._journal.save(self._run)


class Gate:
    """Lets the nodes start that somebody said yes to, and asks about the next. A Capacity.

    consents: of the run. before: one of LEVELS. place: stage, round and role. of_all: all nodes that a yes to
    the stage or the role is for. comes: what comes on nodes. inner: how many may go for other reasons.
    """

    def __init__(  # noqa: PLR0917
        self,
        consents: Consents,
        before: str,
        place: tuple[str, str, str],
        of_all: Sequence[str],
        comes: Callable[[Sequence[str]], list[Coming]],
        inner: Capacity | None,
    ):
        self._consents = consents
        self._before = before
        self._place = place
        self._of_all = of_all
        self._comes = comes
        self._inner = inner
        self._asked: set[str] = set()

    def __call__(self, away: Sequence[str], waiting: Sequence[str]) -> int:
        """away: the nodes in flight. waiting: those that would start, in their order."""
        may = self._allowed(away, waiting)
        if not may:
            return len(away)
        return self._inner(away, may) if self._inner else len(away) + len(may)

    def close(self) -> None:
        """Ask nothing any more."""
        self._consents.withdraw(self._asked)
        self._asked.clear()

    def _allowed(self, away: Sequence[str], waiting: Sequence[str]) -> Sequence[str]:
        given = self._consents.given()
        may = list(takewhile(lambda node: self._key(node) in given, waiting))
        if may:
            self.close()
        elif self._before in ("stage", "role"):
            skipped = self._consents.skipped()
            self._ask([node for node in self._of_all if node not in skipped], [self._key("")])
        elif self._before == "node":
            self._ask(waiting[:1], [self._key(waiting[0])])
        elif not away:
            asked = [node for node in waiting if self._key(node) not in given]
            self._ask(asked, [self._key(node) for node in asked])
        return may

    def _ask(self, nodes: Sequence[str], keys: list[str]) -> None:
        if keys[0] not in self._asked:
            self.close()
        self._asked.add(keys[0])
        stage, round_, role = self._place if self._before != "stage" else (self._place[0], "", "")
        shown = self._comes(nodes[:SHOWN])
        self._consents.ask(Question(self._before, stage, round_, role, list(nodes), keys, shown))

    def _key(self, node: str) -> str:
        if self._before == "stage":
            return self._place[0]
        return "/".join((*self._place, *([node] if self._before in ("wave", "node") else ())))


def keys_of(question: Question, node: str = "") -> list[str]:
    """The keys that a yes to a question confirms: to one node of it where it is asked node by node."""
    if not node:
        return question.keys
    of_nodes = question.before not in ("stage", "role")
    return [key for key, one in zip(question.keys, question.nodes, strict=False) if of_nodes and one == node]


def identity(question: Question) -> str:
    """Which question it is: one that is asked of other nodes is another."""
    told = json.dumps([question.before, question.keys, question.nodes])
    return f"q{hashlib.sha256(told.encode()).hexdigest()[:16]}"  # a word, whatever reads it


def line(question: Question) -> str:
    """What a question asks, in one line."""
    if question.before not in LEVELS:
        return f"{some(question.nodes)} rests at {question.before} of {question.place}"
    what = "" if question.before in ("stage", "role") else f", {question.before}"
    return f"a yes is waited for before {question.place}{what}: {some(question.nodes)}"
