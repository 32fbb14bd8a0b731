"""ending: a process with all that it started, but for what must not be cut."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from openstack_rollout.node import ending


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def job(tmp_path):
    """Starts a process that starts others (shell commands); its process, and the ids of those."""
    begun = []

    def start(*commands: str):
        lines = [f"{command} & echo $! >> {tmp_path}/pids" for command in commands]
        process = subprocess.Popen(["sh", "-c", "\n".join([*lines, "wait"])], start_new_session=True)
        begun.append(process)
        pids = tmp_path / "pids"
        end = time.monotonic() + 30
        while len(pids.read_text().split() if pids.exists() else ()) < len(commands):
            assert time.monotonic() < end
            time.sleep(0.05)
        return process, [int(pid) for pid in pids.read_text().split()]

    yield start
    for process in begun:
        process.kill()
        process.wait()


def test_a_process_ends_with_all_that_it_started(job):
    process, (plain, nested) = job("sleep 100", "sh -c 'sleep 100 & wait'")
    time.sleep(0.2)
    grandchildren = [pid for pid, some in ending._children().items() if nested in some]
    assert ending.end(process.pid) == [] and grandchildren == [process.pid]
    assert not any(lives(pid) for pid in (process.pid, plain, nested))


def test_what_refuses_to_end_is_killed(job, monkeypatch):
    monkeypatch.setattr(ending, "_ENDS_IN", 1.0)
    process, (stubborn,) = job("sh -c \"trap '' TERM; while :; do sleep 0.1; done\"")
    ending.end(process.pid)
    assert not lives(stubborn)


def test_a_package_manager_at_work_is_left_alone_with_what_it_started(job, tmp_path):
    program = tmp_path / "rpm"
    shutil.copy("/bin/sh", program)
    process, (manager,) = job(f"{program} -c 'sleep 100 & wait'")
    time.sleep(0.2)
    try:
        assert ending.end(process.pid) == [f"rpm (process {manager})"]
        assert not lives(process.pid) and lives(manager)
        (child,) = ending._children()[manager]
        assert lives(child)
    finally:
        for pid in (*ending._children().get(manager, ()), manager):
            os.kill(pid, 9)


def test_a_process_that_is_gone_is_no_error():
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert ending.end(gone.pid) == []


def test_the_processes_that_one_comes_from():
    assert ending.ancestors(os.getpid())[:2] == [os.getpid(), os.getppid()]
