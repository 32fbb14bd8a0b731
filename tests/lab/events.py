"""The master's event stream, recorded from outside the engine: the tests' witness of who did what when."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable

from .cloud import Lab
from .probe import moment

ROLLOUT = "openstack/rollout/"


class EventLog:
    """Records `salt-run state.event` in the background; use as a context manager."""

    def __init__(self, lab: Lab):
        self.events: list[tuple[str, dict]] = []
        self._changed = threading.Condition()
        self._process = lab.popen_master(
            ["salt-run", "state.event", "pretty=False"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> EventLog:
        self._reader.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            tag, separator, data = line.partition("\t")
            if not separator:
                continue
            with self._changed:
                self.events.append((tag, json.loads(data)))
                self._changed.notify_all()

    def wait_for(self, wanted: Callable[[str, dict], bool], timeout: float = 300) -> dict:
        """The data of the first event that `wanted` accepts; AssertionError after timeout seconds."""
        deadline = time.monotonic() + timeout
        seen = 0
        with self._changed:
            while True:
                for tag, data in self.events[seen:]:
                    if wanted(tag, data):
                        return data
                seen = len(self.events)
                assert self._changed.wait(max(0.0, deadline - time.monotonic())), "the event never came"

    def steps(self, **wanted: str) -> list[dict]:
        """The engine's node events whose data hold the wanted values, in order."""
        return [
            data
            for tag, data in self.events
            if tag.startswith(ROLLOUT) and all(data.get(key) == value for key, value in wanted.items())
        ]


def step(**wanted: str) -> Callable[[str, dict], bool]:
    """A condition for EventLog.wait_for: an engine event with these values (node, stage, step, status, …)."""
    return lambda tag, data: tag.startswith(ROLLOUT) and all(data.get(k) == v for k, v in wanted.items())


def published(node: str, sls: str) -> Callable[[str, dict], bool]:
    """A condition for EventLog.wait_for: the master sent the job that applies this SLS to the node."""
    return lambda tag, data: (
        tag.startswith("salt/job/")
        and tag.endswith("/new")
        and data["minions"] == [node]
        and sls in data["arg"]
    )


def flights(events: Iterable[dict]) -> dict[str, list[tuple[float, float]]]:
    """Node → from when to when it was in flight, stage by stage and round by round, but for its prefetch.

    events: of EventLog.steps.
    """
    found: dict[str, dict[tuple[str, str], tuple[float, float]]] = {}
    for event in events:
        if event["node"] != "-" and event["stage"] not in ("-", "prefetch") and event["status"] != "skipped":
            places, place = found.setdefault(event["node"], {}), (event["stage"], event["round"])
            places[place] = (places.get(place, (moment(event),))[0], moment(event))
    return {node: list(places.values()) for node, places in found.items()}


def most_in_flight(events: Iterable[dict], nodes: set[str]) -> set[frozenset[str]]:
    """The distinct sets of these nodes that were between the start and the end of a stage at the same time.

    Computed from the start of `apply` and the end of `verify` of each node, not from the engine's own count.
    """
    flying: set[str] = set()
    seen = set()
    for event in events:
        if event.get("node") not in nodes:
            continue
        if event["step"] == "apply" and event["status"] == "started":
            flying.add(event["node"])
        elif event["status"] == "failed" or (event["step"] == "verify" and event["status"] == "succeeded"):
            flying.discard(event["node"])
        seen.add(frozenset(flying))
    return seen
