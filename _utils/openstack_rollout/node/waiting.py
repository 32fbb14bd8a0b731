"""Waiting until something is so, but not for ever: the loops that ask again until a deadline.

What takes long is not broken as long as it moves: where a mark of its progress can be seen, the limit counts
anew from each moment at which the mark was further than ever before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from openstack_rollout.records.turn import LONGEST

Answer = TypeVar("Answer")
#: How far something is: what compares as greater the further it is, None where nothing is seen.
Mark = Callable[[], Any]
_LOOK_EVERY = 5.0  # seconds between two looks at a mark, of which some are dear
_LOOKS = 4  # at least so many within a limit


def until(
    ask: Callable[[], Answer],
    timeout: float,
    every: float = 1.0,
    clock: ModuleType = time,
    *,
    mark: Mark | None = None,
) -> Answer:
    """Ask until the answer is true, or the time is over. At least one question is asked.

    ask (callable): the question; an exception of it ends the wait. timeout (float): seconds in all; with a
    mark, seconds since that was last further than before, and turn.LONGEST in all.
    every (float): seconds between two questions. clock: a module with `monotonic` and `sleep`, for tests.
    mark (callable): how far that is which is waited for.

    Returns the last answer: a false one says that the time is over.
    """
    begun = clock.monotonic()
    deadline, furthest, look_every = begun + timeout, None, min(_LOOK_EVERY, timeout / _LOOKS)
    next_look = begun + look_every
    while not (answer := ask()) and (now := clock.monotonic()) < deadline:
        if mark and now >= next_look:
            seen, next_look = mark(), now + look_every
            if furthest is None:
                furthest = seen
            elif seen is not None and seen > furthest:
                furthest = seen
                deadline = max(deadline, min(now + timeout, begun + LONGEST))
        clock.sleep(every)
    return answer


def until_whole(
    lacks: Callable[[], list[str]],
    timeout: float,
    every: float = 1.0,
    clock: ModuleType = time,
    *,
    mark: Mark | None = None,
) -> list[str]:
    """Ask what is missing until nothing is, or the time is over.

    lacks (callable): what is missing now, a line each. The others: as for `until`.

    Returns what was missing last (list); an empty list says that nothing is.
    """
    missing: list[str] = []

    def nothing_is_missing() -> bool:
        missing[:] = lacks()
        return not missing

    until(nothing_is_missing, timeout, every, clock, mark=mark)
    return missing
