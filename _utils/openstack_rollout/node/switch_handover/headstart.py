"""A head start for the new switch: what it does first takes a tenth of a second, but nothing of the old one.

Before its first data path a switch sleeps 100 ms, to time the processor. Where we hold its lock, the new one
may have it that much earlier: it is stopped (SIGSTOP) in that sleep, before it opens any device, and goes on
when the old one has ended. What it takes for the processor's frequency is too high then; only the cycles of
`pmd-perf-show` are told by it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator

from openstack_rollout.node.switch_handover import PROC, Failed
from openstack_rollout.node.switch_handover.process import Process

_SLEEPS, _WAITS = "nanosleep", "poll"  # in the name of the kernel's function that a process waits in
_TAKES = 0.09  # seconds of its 100 ms that are over, when the old one is told to end, which takes some, too
_CERTAIN = 0.08  # seconds of them in which it is still asleep for certain
_PATIENCE = 2.0


class Missed(Failed):
    """The new switch may have gone too far; the old one was not told to end yet, so try without."""


@contextlib.contextmanager
def given(new: Process, unlock: Callable[[], None] | None, early: bool = True) -> Iterator[None]:
    """Have the new switch do what it can before the old one ends, which is for the body to see to.

    Args:
        new: The switch that waits for the lock.
        unlock: Gives it the lock; None where the old one's end does.
        early: Whether it is to have one at all; else it begins after the body.

    Raises:
        Missed: It may have gone too far, before the body began.
    """
    if unlock is None or not early or _WAITS not in _waits_in(new):  # there are kernels that do not tell
        yield
        if unlock:
            unlock()
        return
    unlock()
    asleep = _stop_in_its_sleep(new)
    try:
        time.sleep(max(0.0, asleep + _TAKES - time.monotonic()))
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(new.pid, signal.SIGCONT)


def _stop_in_its_sleep(new: Process) -> float:
    """Stop it; when it was awake last (time.monotonic())."""
    awake = now = time.monotonic()
    until = now + _PATIENCE
    while _SLEEPS not in _waits_in(new):
        if now > until or not new.alive:
            raise Missed("the new switch does not begin as it is known to")
        time.sleep(0.001)
        awake, now = now, time.monotonic()
    os.kill(new.pid, signal.SIGSTOP)
    while new.state not in "TtZX":
        time.sleep(0.001)
    if time.monotonic() - awake > _CERTAIN:
        raise Missed("the new switch may have woken up too early")
    return awake


def _waits_in(process: Process) -> str:
    try:
        return (PROC / str(process.pid) / "wchan").read_text(encoding="ascii")
    except OSError:
        return ""
