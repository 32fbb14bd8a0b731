"""The terminal that runs a run: it shows what the run asks, and hears what is typed there."""

from __future__ import annotations

import os
import select
import sys
import termios
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, TextIO

from openstack_rollout.records.asked import Question

PROMPT = "yes, skip NODE, pause or abort? "
_VERBS = {"y": "confirm", "yes": "confirm", "confirm": "confirm", "resume": "confirm", "skip": "skip"}
_VERBS |= {"pause": "pause", "abort": "abort"}
_OF_A_NODE = ("confirm", "skip")


class SaltRunTerminal:
    """Implements rollout.consent.Terminal. Nothing is shown or heard where nobody can sit.

    render: the text of a question, as plain data.
    """

    def __init__(
        self,
        render: Callable[[Mapping[str, Any]], str],
        typed: TextIO | None = None,
        shown: TextIO | None = None,
    ):
        self._render = render
        self._typed = sys.stdin if typed is None else typed
        self._shown = sys.stderr if shown is None else shown

    def show(self, question: Question) -> None:
        """Show a question. What was typed before it was shown is no answer to it, and is dropped."""
        if self._is_interactive():
            if self._is_in_front():
                termios.tcflush(self._typed, termios.TCIFLUSH)
            self._say(f"{self._render(asdict(question))}\n{PROMPT}")

    def heard(self) -> Iterator[tuple[str, str]]:
        """What was typed since: confirm, skip, pause or abort, and the node that it is about."""
        while self._is_interactive() and self._is_in_front() and select.select([self._typed], [], [], 0)[0]:
            line = self._typed.readline()
            if not line:  # it was closed: answers come from other terminals
                self._typed = None  # type: ignore[assignment]
                return
            words = line.split()
            verb = _VERBS.get(words[0].lower(), "") if words else ""
            of_node = verb in _OF_A_NODE and len(words) == 2
            if verb and (of_node or len(words) == 1) and (verb != "skip" or of_node):
                yield verb, words[1] if of_node else ""
            else:
                self._say(PROMPT)

    def _say(self, text: str) -> None:
        self._shown.write(text)
        self._shown.flush()

    def _is_in_front(self) -> bool:
        """Whether what is typed is for this process: the kernel stops one in the background that takes it."""
        try:
            return os.tcgetpgrp(self._typed.fileno()) == os.getpgrp()
        except OSError:  # it is not the terminal of this session: nothing stops anybody there
            return True

    def _is_interactive(self) -> bool:
        return self._typed is not None and self._typed.isatty() and self._shown.isatty()
