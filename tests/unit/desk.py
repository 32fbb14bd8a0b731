"""A desk at which commands are typed as on a master, over a cloud that exists in memory.

The runner functions are the real ones, and so is what they print; the fleet, the cache and the time are
simulated. An orchestration is gone through step by step, as its SLS has it.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from dataclasses import asdict, replace
from types import SimpleNamespace

from salt.utils.args import parse_input

from openstack_rollout.on_salt import interrupts, terminal, wiring
from openstack_rollout.on_salt.refusal import Refusal
from openstack_rollout.rollout.openings import Openings
from openstack_rollout.screens import history, questions, tables
from tests.unit.loading import load
from tests.unit.simulated_fleet import SimulatedFleet

RUNNERS = ("rollout", "rollout_status", "rollout_history", "rollout_rollback")
STAGES = ("ovn", "control_plane", "services", "ovs", "system")
BACK = tuple(reversed(STAGES))
_RANDOM = re.compile(r"(\b\d{8}-\d{6})-[0-9a-f]{4}\b")
_MOST_POLLS = 100_000


class Desk:
    """Types commands, answers what they ask, and keeps the transcript. master: of a simulated cloud."""

    def __init__(self, master, monkeypatch):
        self.master = master
        self.lines = []
        self._answers = []
        self._heard = []
        self._polls = 0
        self._known = {}
        cloud = master.cloud
        monkeypatch.setattr(interrupts, "catch", lambda: None)
        monkeypatch.setattr(wiring, "journal", lambda opts: master.journal)
        monkeypatch.setattr(wiring, "lock", lambda opts: master.lock)
        monkeypatch.setattr(wiring, "model", lambda opts: master.ports().pillar())
        monkeypatch.setattr(wiring, "openings", lambda opts, model=None: Openings(cloud.model))
        monkeypatch.setattr(wiring, "ports", lambda *_: replace(master.ports(), terminal=self))
        for name in RUNNERS:
            runner = load("runners", name, salt={"state.orchestrate": self._orchestrate})
            runner._opts = dict
            runner.SaltFleet = lambda *_, **__: contextlib.nullcontext(SimulatedFleet(master))
            runner.time = SimpleNamespace(time=cloud.clock)
            for word, function in vars(runner).items():
                if callable(function) and getattr(function, "__module__", "") == runner.__name__:
                    self._known.setdefault(f"rollout.{word}", function)

    def type(self, command, *answers):
        """Type a command line; answers: what is typed where it asks, one after the other."""
        self.lines.append(f"# {command}")
        self._answers = list(answers)
        try:
            self.lines += self._run(command).splitlines()
        except Refusal as refused:
            self.lines += str(refused).splitlines()
        assert not self._answers, f"{command} did not ask for {self._answers}"

    @property
    def transcript(self):
        """What was typed, and what was seen: lines."""
        return [_RANDOM.sub(r"\1-1f2e", line).rstrip() for line in self.lines]

    def show(self, question):
        """Of consent.Terminal."""
        self.lines += [*questions.text(asdict(question)).splitlines(), terminal.PROMPT]
        self._heard = [self._answers.pop(0)]

    def heard(self):
        """Of consent.Terminal."""
        self._polls += 1
        assert self._polls < _MOST_POLLS, "it waits for ever"
        typed, self._heard = self._heard, []
        for one in typed:
            self.lines[-1] += one
            verb, _, node = one.partition(" ")
            yield ("confirm" if verb == "yes" else verb), node

    def _run(self, command):
        words = shlex.split(command)
        assert words.pop(0) == "salt-run"
        function, (arguments, named) = words[0], parse_input(words[1:], condition=False)
        if function == "state.orchestrate":
            answer = self._orchestrate(*arguments, **named)
            if answer["retcode"]:
                raise Refusal(answer["data"]["master"]["step"]["changes"]["return"])
            return "completed"
        found = self._known[function](*arguments, **named)
        if isinstance(found, dict) and found.get("outputter") == "rollout":
            data = found.get("data", found)
            shown = history if "history" in data or "compared" in data else tables
            return data["Error"] if "Error" in data else data.get("text") or shown.text(data)
        return found if isinstance(found, str) else _nested(found)

    def _orchestrate(self, name, pillar=None):
        back = name == "orch.rollback"
        try:
            if name in ("orch.update", "orch.rollback"):
                self._step("begin_rollback" if back else "begin", **(pillar or {}))
                for stage in BACK if back else STAGES:
                    self._step("run", stage)
                self._step("finish")
            else:
                self._step("run", name.partition(".")[2], **(pillar or {}))
        except Refusal as refused:
            step = {"result": False, "changes": {"return": str(refused)}, "comment": ""}
            return {"retcode": 1, "data": {"master": {"step": step}}}
        return {"retcode": 0, "data": {"master": {}}}

    def _step(self, name, *arguments, **named):
        """A step of an orchestration: wrong use is an answer, and fails it as a refusal does."""
        found = self._known[f"rollout.{name}"](*arguments, **named)
        if isinstance(found, dict) and "Error" in found:
            raise Refusal(found["Error"])


def _nested(found, indent=0):
    """As Salt's outputter shows a mapping."""
    lines = []
    for key, value in sorted(found.items()):
        lines.append(f"{' ' * indent}{key}:")
        if isinstance(value, dict):
            lines.append(_nested(value, indent + 4))
        else:
            some = [f"- {one}" for one in value] if isinstance(value, list) else [str(value)]
            lines += [f"{' ' * indent}    {one}" for one in some]
    return "\n".join(lines)
