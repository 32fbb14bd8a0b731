"""Going on with a run whose window was closed, by the runner functions that operators call."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest

from openstack_rollout.on_salt import interrupts, windows, wiring
from openstack_rollout.on_salt.refusal import Refusal
from openstack_rollout.records.run_record import Run, RunState
from openstack_rollout.rollout import reopening
from openstack_rollout.rollout.openings import Openings
from tests.unit.loading import load
from tests.unit.simulated_fleet import Cloud, Master, refusal


@pytest.fixture
def rollout(monkeypatch):
    runner = load("runners", "rollout")
    monkeypatch.setattr(runner, "_opts", dict)
    monkeypatch.setattr(wiring, "journal", lambda opts: None)
    return runner


def answers(rollout, monkeypatch, *retcodes, waits=True, writes=True):
    """Have orchestrations end so, one after the other; returns what was done.

    waits: whether the run is paused for its window then. writes: whether they went on with that run.
    """
    done, left = [], list(retcodes)
    failed = {"ovn": {"result": False, "changes": {"return": "WINDOW_CLOSED: x"}, "comment": ""}}

    def orchestrate(name, pillar):
        done.append(name)
        run.updated += writes
        return {"retcode": left.pop(0), "data": {"master": failed}}

    rollout.__salt__ = {"state.orchestrate": orchestrate}
    run = Run("r1", "1.0.1", "orch.update", [], 0.0, 0.0, {}, state=RunState.COMPLETED)
    latest = SimpleNamespace(latest=lambda: run)
    monkeypatch.setattr(wiring, "journal", lambda opts: latest)
    monkeypatch.setattr(reopening, "waiting", lambda journal: run if waits else None)
    monkeypatch.setattr(reopening, "wait", lambda *_: done.append("wait"))
    return done


def test_a_run_that_waits_goes_on_each_time_its_window_opens(rollout, monkeypatch):
    done = answers(rollout, monkeypatch, 1, 1, 0)
    assert rollout.run(wait=True) == {"run": "r1", "state": "completed"}
    assert done == ["orch.update", "wait", "orch.update", "wait", "orch.update"]


@pytest.mark.parametrize(("wait", "waits"), [(False, True), (True, False)])
def test_without_wait_and_for_any_other_reason_it_pauses(rollout, monkeypatch, wait, waits):
    done = answers(rollout, monkeypatch, 1, waits=waits)
    with pytest.raises(Refusal, match=r"^WINDOW_CLOSED: x$"):
        rollout.run(wait=wait)
    assert done == ["orch.update"]


def test_an_orchestration_that_is_refused_beside_a_run_that_waits_is_not_tried_for_ever(rollout, monkeypatch):
    done = answers(rollout, monkeypatch, 1, 1, 1, writes=False)
    with pytest.raises(Refusal):
        rollout.run(wait=True)
    assert done == ["orch.update", "wait", "orch.update"]


@pytest.mark.parametrize("wrong", ["yes", 1, None])
def test_wait_is_true_or_false(rollout, wrong):
    assert rollout.run(wait=wrong)["retcode"] == 2


def test_a_scheduler_that_has_nothing_to_do_fails_nothing(rollout, monkeypatch):
    monkeypatch.setattr(reopening, "nothing_to_do", lambda *_: "nothing to do: no run is paused")
    assert rollout.resume(only="WINDOW_CLOSED") == "nothing to do: no run is paused"


def test_ctrl_c_while_it_waits_pauses_the_run_at_once(tmp_path, monkeypatch):
    cloud = Cloud(controller=1)
    cloud.openstack["window"] = {"blackout": ["1970-01-01/1970-01-31", "2020-01-01/2199-12-31"]}
    master = Master(cloud, tmp_path)
    monkeypatch.setattr(wiring, "journal", lambda opts: master.journal)
    monkeypatch.setattr(wiring, "lock", lambda opts: master.lock)
    monkeypatch.setattr(wiring, "openings", lambda opts: Openings(cloud.model, clock=cloud.clock))
    monkeypatch.setattr(interrupts, "_seen", 0)
    before = signal.getsignal(signal.SIGINT)
    interrupts.catch()
    try:
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        began = time.monotonic()
        error = refusal(lambda: windows.go_through(dict, True, master.update))
    finally:
        signal.signal(signal.SIGINT, before)
    assert error.reason == "PAUSED_BY_OPERATOR" and time.monotonic() - began < 20
    assert (master.run.state, master.run.reason) == (RunState.PAUSED, "PAUSED_BY_OPERATOR")
