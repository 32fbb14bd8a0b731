"""Who goes first, and that it is as before afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openstack_rollout.node.switch_handover import urgency
from openstack_rollout.node.switch_handover.urgency import calm, urgent

from .host import wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has others wait")


def one_more_thread(daemon: subprocess.Popen) -> None:
    before = len(ranks(daemon.pid))
    daemon.stdin.write(b"x")
    assert wait_for(lambda: len(ranks(daemon.pid)) == before + 1)


def ranks(pid: int) -> list[tuple[int, int, int]]:
    """Policy, priority and nice value of every thread, the main one first."""
    threads = sorted(int(place.name) for place in Path(f"/proc/{pid}/task").iterdir())
    return [
        (
            os.sched_getscheduler(thread),
            os.sched_getparam(thread).sched_priority,
            os.getpriority(os.PRIO_PROCESS, thread),
        )
        for thread in threads
    ]


def test_all_threads_run_in_real_time_and_as_before_afterwards(daemon):
    usual = ranks(daemon.pid)[0]
    one_more_thread(daemon)
    with urgent([daemon.pid]):
        now = ranks(daemon.pid)
        assert [(policy & ~os.SCHED_RESET_ON_FORK, priority) for policy, priority, _ in now] == [
            (os.SCHED_RR, 1)
        ] * 2
        one_more_thread(daemon)
        # What it starts is in nobody's way, even if it starts it at the very end.
        assert ranks(daemon.pid)[-1][:2] == (os.SCHED_OTHER, 0)
    assert ranks(daemon.pid) == [usual] * 3


def test_what_this_program_starts_is_as_urgent_as_itself():
    usual = ranks(os.getpid())[0]
    with urgent([os.getpid()]):
        program = "import os; print(os.sched_getscheduler(0))"
        said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert int(said.stdout) == os.SCHED_RR
    assert ranks(os.getpid())[0] == usual


def test_a_process_that_has_a_real_time_rank_keeps_it(daemon):
    os.sched_setscheduler(daemon.pid, os.SCHED_FIFO, os.sched_param(7))
    with urgent([daemon.pid]):
        assert ranks(daemon.pid)[0][:2] == (os.SCHED_FIFO, 7)
    assert ranks(daemon.pid)[0][:2] == (os.SCHED_FIFO, 7)


def test_where_real_time_is_not_allowed_the_nice_value_is_the_highest(daemon, monkeypatch):
    def refuse(*_arguments):
        raise PermissionError

    usual = ranks(daemon.pid)[0]
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with urgent([daemon.pid]):
        assert ranks(daemon.pid) == [(os.SCHED_OTHER, 0, -20)]
        one_more_thread(daemon)
    assert ranks(daemon.pid) == [usual] * 2


def test_one_that_ends_before_or_meanwhile_keeps_no_other_from_its_rank(daemon):
    ended = subprocess.Popen(["true"])
    ended.wait()
    usual = ranks(os.getpid())[0]
    with urgent([ended.pid, daemon.pid, os.getpid()]):
        assert ranks(os.getpid())[0][:2] == (os.SCHED_RR, 1)
        daemon.kill()
        daemon.wait()
    assert ranks(os.getpid())[0] == usual


def test_it_is_as_before_after_a_failure_too(daemon):
    usual = ranks(daemon.pid)
    with pytest.raises(KeyError), urgent([daemon.pid]):
        raise KeyError
    assert ranks(daemon.pid) == usual


def test_what_a_killed_program_left_urgent_is_as_before(daemon):
    usual = ranks(daemon.pid)
    program = (
        "import os, signal; from openstack_rollout.node.switch_handover.urgency import urgent\n"
        f"with urgent([{daemon.pid}]): os.kill(os.getpid(), signal.SIGKILL)"
    )
    place = Path(urgency.__file__).parents[3]
    killed = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": str(place)}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert ranks(daemon.pid) != usual
    calm(daemon.pid)
    assert ranks(daemon.pid) == usual


def test_what_others_made_real_time_is_not_calmed(daemon):
    os.sched_setscheduler(daemon.pid, os.SCHED_RR, os.sched_param(1))
    calm(daemon.pid)
    assert ranks(daemon.pid)[0][:2] == (os.SCHED_RR, 1)
