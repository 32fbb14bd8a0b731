"""Processes that run before all others for the moment in which nothing forwards.

They run in real time (SCHED_RR, sched(7)). A nice value would not do: it counts only within a session or a
control group, and a machine has many. The kernel still leaves a part of the time to others
(sched_rt_runtime_us). Where real time is not allowed, as in some containers, they get the highest nice value.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from openstack_rollout.node.switch_handover import PROC

_FIRST = -20
_OURS = os.SCHED_RR | os.SCHED_RESET_ON_FORK  # no service uses both, so it marks a thread that we changed
_REAL_TIME = (os.SCHED_RR, os.SCHED_FIFO)


class _Rank(NamedTuple):
    policy: int
    priority: int
    nice: int


@contextlib.contextmanager
def urgent(pids: Iterable[int]) -> Iterator[None]:
    """Run processes before all others while the body runs.

    Afterwards all is as before, and threads that they started meanwhile rank as their main thread does. Where
    this program is one of them, so is what it starts meanwhile.

    Args:
        pids: The processes; those that have ended do not count.
    """
    usual = {pid: {thread: rank for thread in _threads(pid) if (rank := _rank(thread))} for pid in pids}
    try:
        for pid, ranks in usual.items():
            for thread, rank in ranks.items():
                if rank.policy & ~os.SCHED_RESET_ON_FORK not in _REAL_TIME:
                    _hurry(thread, heirs=pid == os.getpid())
        yield
    finally:
        for pid, ranks in usual.items():
            for thread in _threads(pid):
                if rank := ranks.get(thread, ranks.get(pid)):
                    _restore(thread, rank)


def calm(pid: int) -> None:
    """Take a process out of real time that an `urgent` which was killed put there.

    Args:
        pid: The process; nothing happens where it has ended, or was not urgent.
    """
    for thread in _threads(pid):
        rank = _rank(thread)
        if rank and rank.policy == _OURS:
            _restore(thread, _Rank(os.SCHED_OTHER, 0, rank.nice))


def _threads(pid: int) -> list[int]:
    try:
        return [int(place.name) for place in (PROC / str(pid) / "task").iterdir()]
    except OSError:
        return []


def _rank(thread: int) -> _Rank | None:
    try:
        priority = os.sched_getparam(thread).sched_priority
        return _Rank(os.sched_getscheduler(thread), priority, os.getpriority(os.PRIO_PROCESS, thread))
    except OSError:  # it has ended
        return None


def _hurry(thread: int, heirs: bool) -> None:
    policy = os.SCHED_RR if heirs else _OURS
    try:
        os.sched_setscheduler(thread, policy, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))
    except OSError:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, _FIRST)


def _restore(thread: int, rank: _Rank) -> None:
    with contextlib.suppress(OSError):
        os.sched_setscheduler(thread, rank.policy, os.sched_param(rank.priority))
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, rank.nice)
