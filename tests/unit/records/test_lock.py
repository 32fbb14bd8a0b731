import json
import os
import subprocess
import sys
import time

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.records import processes
from openstack_rollout.records.lock import FileLock, me


@pytest.fixture
def lock(tmp_path):
    return FileLock(tmp_path / "lock")


def owned_by(path, pid, **other):
    owner = {**me(), "pid": pid, "started": processes.started(pid), "run": "run1", "since": 0, **other}
    path.write_text(json.dumps(owner))


@pytest.fixture
def other_process():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_the_same_process_enters_again_and_keeps_its_run(lock):
    lock.acquire()
    lock.assign("run1")
    lock.acquire()
    assert lock.mine()["run"] == lock.holder()["run"] == "run1"


def test_a_live_process_is_named(lock, tmp_path, other_process):
    owned_by(tmp_path / "lock", other_process.pid)
    with pytest.raises(RolloutError) as refused:
        lock.acquire()
    assert refused.value.reason == "RUN_IN_PROGRESS"
    assert "run1" in refused.value.message and str(other_process.pid) in refused.value.message
    assert me()["host"] in refused.value.message and "1970-01-01" in refused.value.message


def test_a_release_by_another_process_changes_nothing(lock, tmp_path, other_process):
    owned_by(tmp_path / "lock", other_process.pid)
    lock.release()
    assert lock.holder()["pid"] == other_process.pid and lock.mine() is None


def test_a_dead_owner_is_stale(lock, tmp_path, other_process):
    owned_by(tmp_path / "lock", other_process.pid)
    other_process.kill()
    other_process.wait()
    assert lock.holder() is None
    lock.acquire()
    assert lock.mine()


def test_a_process_id_that_was_used_again_is_stale(lock, tmp_path, other_process):
    before = processes.started(other_process.pid) - 100
    owned_by(tmp_path / "lock", other_process.pid, started=before)
    lock.acquire()
    assert lock.mine()


def test_an_owner_of_an_earlier_boot_is_stale(lock, tmp_path, other_process):
    owned_by(tmp_path / "lock", other_process.pid, boot="another")
    lock.acquire()
    assert lock.mine()


def test_a_clock_that_is_stepped_changes_no_owner(lock, tmp_path, other_process, monkeypatch):
    owned_by(tmp_path / "lock", other_process.pid)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    with pytest.raises(RolloutError) as refused:
        lock.acquire()
    assert refused.value.reason == "RUN_IN_PROGRESS"


def test_a_process_that_ended_and_was_not_waited_for_is_stale(lock, tmp_path, other_process):
    owned_by(tmp_path / "lock", other_process.pid)
    other_process.kill()
    os.waitid(os.P_PID, other_process.pid, os.WEXITED | os.WNOWAIT)
    lock.acquire()
    assert lock.mine()


def test_an_owner_on_another_host_counts_as_alive(lock, tmp_path):
    owned_by(tmp_path / "lock", 1, host="elsewhere")
    with pytest.raises(RolloutError, match="elsewhere"):
        lock.acquire()


@pytest.mark.parametrize("left", ["", "{", "\0\0\0"])
def test_what_a_power_cut_left_is_nobodys(lock, tmp_path, left):
    (tmp_path / "lock").write_text(left)
    assert lock.holder() is None and lock.mine() is None
    lock.acquire()
    assert lock.mine()["pid"] == me()["pid"]


@pytest.mark.parametrize("left", ["5", '"x"', "[]", "{}", '{"pid": 5}', '{"host": "other", "pid": 1}'])
def test_what_has_another_form_is_nobodys(lock, tmp_path, left):
    (tmp_path / "lock").write_text(left)
    assert lock.holder() is None and lock.mine() is None
    lock.release()
    lock.acquire()
    assert lock.mine()["pid"] == me()["pid"]


@pytest.mark.parametrize(
    "other",
    [
        {"started": None},
        {"started": "5"},
        {"boot": None},
        {"host": ["elsewhere"]},
        {"since": "x"},
        {"run": 1},
    ],
)
def test_an_owner_of_whom_something_is_not_known_is_nobody(lock, tmp_path, other_process, other):
    owned_by(tmp_path / "lock", other_process.pid, **other)
    assert lock.holder() is None
    lock.acquire()
    assert lock.mine()


def test_no_process_that_is_gone_has_it_without_its_start(lock, tmp_path):
    owned_by(tmp_path / "lock", 2**22 + 1)  # more than any process id: its start is null
    assert lock.holder() is None
    lock.acquire()
    assert lock.mine()


def test_one_that_cannot_be_read_is_named_in_one_line(lock, tmp_path):
    (tmp_path / "lock").mkdir()
    for use in (lock.holder, lock.mine, lock.refuse_others, lock.acquire, lock.release):
        with pytest.raises(RolloutError) as failed:
            use()
        assert str(failed.value) == f"JOURNAL_FAILED: the lock {tmp_path / 'lock'}: Is a directory"


def test_released_is_free(lock):
    lock.acquire()
    lock.release()
    assert lock.holder() is None
