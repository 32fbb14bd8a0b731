"""What is told of a run that goes on in another process, or in none any more."""

from __future__ import annotations

from openstack_rollout.on_salt import watching
from openstack_rollout.records.lock import FileLock
from openstack_rollout.records.run_record import Run, RunState


def run(**more):
    return Run("r1", "1.0.1", "orch.update", ["ovn"], 1.0, 2.0, {}, **more)


def test_a_run_whose_process_is_gone_has_a_reason_of_its_own(tmp_path):
    """Also where it waited for a yes: that alone would not have it go on."""
    lock = FileLock(tmp_path / "lock")
    asks = run(reason="CONFIRMATION", message="a yes is waited for")
    for one in (run(), asks):
        found = watching.as_found(one, lock)
        assert (found.state, found.reason) == (RunState.INTERRUPTED, "INTERRUPTED")
    lock.acquire()
    lock.assign("r1")
    try:
        assert watching.as_found(asks, lock) == asks
    finally:
        lock.release()


def test_what_stopped_is_as_it_was_written_down(tmp_path):
    paused = run(state=RunState.PAUSED, reason="GATED")
    assert watching.as_found(paused, FileLock(tmp_path / "lock")) is paused
    assert watching.as_found(None, FileLock(tmp_path / "lock")) is None
