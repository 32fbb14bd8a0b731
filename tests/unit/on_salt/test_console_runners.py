"""The runner functions as operators call them: arguments, exit status, what a failed orchestration says."""

from __future__ import annotations

import contextlib
import copy
import inspect
import os
import sys
from pathlib import Path

import pytest
from salt.utils.state import check_result

from openstack_rollout.on_salt.refusal import Refusal
from tests.unit.loading import load

RUNNERS = sorted(path.stem for path in (Path(__file__).resolve().parents[3] / "_runners").glob("*.py"))


@pytest.mark.parametrize("name", RUNNERS)
def test_every_runner_function_answers_wrong_use_itself(name):
    runner = load("runners", name)
    public = [
        function
        for word, function in inspect.getmembers(runner, inspect.isfunction)
        if not word.startswith("_") and function.__module__ == runner.__name__
    ]
    assert public
    for function in public:
        assert "unknown" in inspect.signature(function).parameters, function.__name__
        assert function(no_such_argument=1)["retcode"] == 2


@pytest.fixture
def rollout(monkeypatch, tmp_path):
    runner = load("runners", "rollout")
    monkeypatch.setattr(runner, "_opts", lambda: {"cachedir": str(tmp_path), "cache": "localfs"})
    return runner


@pytest.fixture
def shown(monkeypatch):
    runner = load("runners", "rollout_status")
    monkeypatch.setattr(runner, "_opts", dict)
    return runner


@pytest.mark.parametrize(
    ("state", "reason", "line"),
    [
        ("paused", "NODE_SILENT", "paused. Bring the node or its salt-minion back, then run again."),
        ("interrupted", "", "interrupted."),
        ("aborted", "ABORTED", "aborted. Ended on request; run again to start anew."),
    ],
)
def test_watching_a_run_that_does_not_complete_is_exit_status_1(shown, monkeypatch, state, reason, line):
    monkeypatch.setattr(shown, "_watch", lambda *_: {"state": state, "reason": reason})
    with pytest.raises(Refusal) as refused:
        shown.watch()
    assert str(refused.value) == line


def test_who_reads_the_stream_may_leave(shown, monkeypatch):
    """As `rollout.watch --out=json | head -1` does: nothing failed."""
    read, write = os.pipe()
    os.close(read)
    with open(write, "w", encoding="utf-8") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        monkeypatch.setattr(shown, "_watch", lambda *_: print("{}", flush=True))
        assert "goes on" in shown.watch()
        print("what Salt says at its end", flush=True)


@pytest.mark.parametrize("state", ["completed", "running"])
def test_watching_a_run_that_is_well_is_exit_status_0(shown, monkeypatch, state):
    monkeypatch.setattr(shown, "_watch", lambda *_: {"state": state, "reason": ""})
    assert shown.watch() == state


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ("NODE_SILENT: cmp1: no sign of life.", "NODE_SILENT: cmp1: no sign of life."),
        ({"Error": "WRONG_ARGUMENT: x", "retcode": 2}, "WRONG_ARGUMENT: x"),
        (None, "the comment"),
    ],
)
def test_a_failed_orchestration_says_what_its_failed_step_said(rollout, answer, line):
    states = {
        "begin": {"result": True, "changes": {"return": {"run": "r1"}}, "comment": ""},
        "ovn": {"result": False, "changes": {"return": answer} if answer else {}, "comment": "the comment"},
    }
    rollout.__salt__ = {"state.orchestrate": lambda name, pillar: {"retcode": 1, "data": {"master": states}}}
    with pytest.raises(Refusal) as refused:
        rollout.run()
    assert str(refused.value) == line


def test_what_is_accepted_goes_to_the_orchestration_by_its_pillar(rollout, monkeypatch):
    asked = {}

    def orchestrate(name, **more):
        asked.update(more, name=name)
        return {"retcode": 1, "data": {"master": ["it ends here"]}}

    rollout.__salt__ = {"state.orchestrate": orchestrate}
    with pytest.raises(Refusal):
        rollout.run(accept="failed_units, clocks")
    assert asked == {"name": "orch.update", "pillar": {"accept": ["failed_units", "clocks"]}}
    asked.clear()
    with pytest.raises(Refusal):
        rollout.run()
    assert asked == {"name": "orch.update", "pillar": {}}


def test_a_preflight_that_refuses_is_exit_status_1_and_one_that_does_not_is_no_failed_step(
    shown, monkeypatch
):
    verdict = "refuse"
    data = {"preflight": {"verdict": verdict, "name": "lab"}, "conditions": {"nodes": {"seen": ["x"]}}}
    monkeypatch.setattr(shown, "SaltFleet", lambda opts: contextlib.nullcontext())
    monkeypatch.setattr(shown.wiring, "ports", lambda *_: None)
    monkeypatch.setattr(shown.preflight_command, "report", lambda *_: copy.deepcopy(data))
    refused = shown.preflight()["data"]
    assert refused["retcode"] == 1 and not check_result(refused)
    data["preflight"]["verdict"] = "warn"
    warned = shown.preflight()["data"]
    assert "retcode" not in warned and check_result(warned)


def test_watching_as_json_needs_no_rich_and_streams(shown, monkeypatch):
    used = []
    monkeypatch.setattr(shown, "_watch", lambda _opts, *screens, **_: used.append(screens[:2]))
    monkeypatch.setattr(shown, "__opts__", {"output": "json"})
    monkeypatch.setitem(sys.modules, "rich", None)
    shown.watch()
    assert used == [(shown.feed.Feed, shown.feed.Stream)]
