"""Ctrl-C on the process of a run: once, nodes in flight finish and it pauses; twice, it leaves at once."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

_SAID = b"\nCtrl-C: nodes in flight finish, then the run pauses. Once more: leave at once.\n"
_seen = 0
_before: Any = None


def catch() -> None:
    """From now on, until this process ends, the first Ctrl-C only asks; nothing happens in other threads."""
    global _before  # noqa: PLW0603 - a signal has one handler in a process
    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is not _caught
    ):
        _before = signal.signal(signal.SIGINT, _caught)


def asked() -> bool:
    """Whether somebody typed Ctrl-C."""
    return _seen > 0


def _caught(number: int, frame: FrameType | None) -> None:
    global _seen  # noqa: PLW0603
    _seen += 1
    if _seen == 1:
        os.write(2, _SAID)
    elif callable(_before):
        _before(number, frame)
    else:
        raise KeyboardInterrupt
