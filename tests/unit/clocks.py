"""Time, as one module under test sees it. That of the process goes on: a thread of pytest-salt-factories that
once sees another clock waits for hours, and pytest with it.
"""

from __future__ import annotations

import time
from types import SimpleNamespace


def time_with(**functions) -> SimpleNamespace:
    """The module `time`, with these functions in place of its own."""
    return SimpleNamespace(**{**vars(time), **functions})


def no_sleep() -> SimpleNamespace:
    """The module `time`, in which nothing sleeps."""
    return time_with(sleep=lambda seconds: None)
