"""A head start for the new switch: its first 100 ms, which need nothing of the old one, pass before it ends.

Before its first data path a switch sleeps 100 ms, to measure the processor's frequency. Where this program
holds the lock, the new switch gets it that much earlier. It is suspended (SIGSTOP) in that sleep, before it
opens any device, and resumes when the old one has ended. It then measures too high a frequency, which only
the cycles that `pmd-perf-show` prints depend on.
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
_SLEPT = 0.09  # seconds of the 100 ms that are over when the old switch gets its signal to end
_CERTAIN = 0.08  # seconds of the 100 ms in which it is certainly still asleep
_PATIENCE = 2.0


class Missed(Failed):
    """The new switch may already have started. The old one is untouched: retry without a head start."""


@contextlib.contextmanager
def given(new: Process, unlock: Callable[[], None] | None, early: bool = True) -> Iterator[None]:
    """Have the new switch do what it can; the body then ends the old one, and the new one goes on.

    Args:
        new: The switch that waits for the lock.
        unlock: Gives it the lock; None where the end of the old switch does.
        early: False for no head start: the new switch gets the lock after the body.

    Raises:
        Missed: The new switch may already have started. The body has not run.
    """
    if unlock is None or not early or _WAITS not in _waits_in(new):  # some kernels do not show it
        yield
        if unlock:
            unlock()
        return
    unlock()
    asleep = _stop_in_its_sleep(new)
    try:
        time.sleep(max(0.0, asleep + _SLEPT - time.monotonic()))
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(new.pid, signal.SIGCONT)


def _stop_in_its_sleep(new: Process) -> float:
    """Suspend the switch in its sleep; returns when it was last seen awake (time.monotonic())."""
    awake = now = time.monotonic()
    until = now + _PATIENCE
    while _SLEEPS not in _waits_in(new):
        if now > until or not new.alive:
            raise Missed("the new switch does not start as expected")
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
