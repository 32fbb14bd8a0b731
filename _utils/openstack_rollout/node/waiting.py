"""Waiting until something is so, but not for ever: the loops that ask again until a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

Answer = TypeVar("Answer")


def until(ask: Callable[[], Answer], timeout: float, every: float = 1.0, clock: ModuleType = time) -> Answer:
    """Ask until the answer is true, or the time is over. At least one question is asked.

    ask (callable): the question; an exception of it ends the wait. timeout (float): seconds in all.
    every (float): seconds between two questions. clock: a module with `monotonic` and `sleep`, for tests.

    Returns the last answer: a false one says that the time is over.
    """
    deadline = clock.monotonic() + timeout
    while not (answer := ask()) and clock.monotonic() < deadline:
        clock.sleep(every)
    return answer


def until_whole(
    lacks: Callable[[], list[str]], timeout: float, every: float = 1.0, clock: ModuleType = time
) -> list[str]:
    """Ask what is missing until nothing is, or the time is over.

    lacks (callable): what is missing now, a line each. The others: as for `until`.

    Returns what was missing last (list); an empty list says that nothing is.
    """
    missing: list[str] = []

    def nothing_is_missing() -> bool:
        missing[:] = lacks()
        return not missing

    until(nothing_is_missing, timeout, every, clock)
    return missing
