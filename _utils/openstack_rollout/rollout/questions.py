"""Questions that may hang, asked so that an operator's request to stop is taken up meanwhile.

An API of the cloud that accepts and never answers takes a minute to be called unreachable, some of them one
after another several minutes. A request to pause or to abort does not wait for that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from openstack_rollout.rollout.fleet import Halted

Answer = TypeVar("Answer")

LOOK_EVERY = 0.5  # seconds


class Inquiry(Generic[Answer]):
    """A question under way in a thread: a daemon, which ends with the process when nobody waits any more."""

    def __init__(self, ask: Callable[[], Answer]):
        self._ask = ask
        self._answers: list[Answer] = []
        self._error: BaseException | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._work, name="question", daemon=True).start()

    def ended(self, seconds: float) -> bool:
        """Wait for that long at most; whether it is answered, or failed."""
        return self._ended.wait(seconds)

    def answer(self) -> Answer:
        """The answer; raises what the question has raised."""
        if self._error:
            raise self._error
        return self._answers[0]

    def _work(self) -> None:
        try:
            self._answers.append(self._ask())
        except BaseException as error:  # it is for whoever asked
            self._error = error
        finally:
            self._ended.set()


def unhindered(ask: Callable[[], Answer], halted: Halted) -> Answer:
    """The answer to a question; it is left alone when something halts meanwhile.

    ask: takes no arguments, and may be left at any moment. halted: asked every half second; what it returns
    is raised. Raises what `ask` raises.
    """
    question = Inquiry(ask)
    while not question.ended(LOOK_EVERY):
        if halt := halted():
            raise halt
    return question.answer()
