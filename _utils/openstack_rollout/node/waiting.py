"""Waiting for a cluster that is about to be whole: for guards, which ask again until nothing is missing."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import ModuleType


def until_whole(
    lacks: Callable[[], list[str]], patience: float, every: float = 1.0, clock: ModuleType = time
) -> list[str]:
    """Ask what is missing until nothing is, or patience is over.

    lacks (callable): what is missing now, a line each. patience, every (float): seconds, in all and between
    two questions. clock: what `monotonic` and `sleep` are taken from.

    Returns what was missing last; empty when it is whole. What `lacks` raises goes through.
    """
    deadline = clock.monotonic() + patience
    while (found := lacks()) and clock.monotonic() <= deadline:
        clock.sleep(every)
    return found
