"""A run as programs watch it: a line of JSON for what it is, one for each event, and one for its end."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, TextIO

ENDED = ("completed", "completed_with_open_ends", "incomplete", "paused", "aborted")
_RUN = ("id", "orchestration", "target", "rollback", "stages", "state", "reason", "message", "estimate")
_NODE = ("role", "zone", "state", "stage", "round", "step", "reason", "message")


class Feed:
    """What a program has to know of a run to take in its events.

    run (dict): the run's record as plain data. records (dict): the records of its nodes, by minion id.
    """

    def __init__(self, run: Mapping[str, Any], records: Mapping[str, Mapping[str, Any]]):
        self.run = dict(run)
        self._records = records

    def begins(self) -> dict[str, Any]:
        """What the run is as watching begins."""
        nodes = {node: {key: record[key] for key in _NODE} for node, record in self._records.items()}
        return {"watched": {**self._now(), "nodes": nodes}}

    def take(self, data: Mapping[str, Any]) -> dict[str, Any] | None:
        """Take in an event; it is what is to be shown. None for one of another run."""
        if data.get("run") != self.run["id"]:
            return None
        if data["node"] == "-" and data["step"] != "gate":
            self.run.update({key: data[key] for key in ("state", "reason", "message") if key in data})
        return dict(data)

    def ends(self) -> dict[str, Any]:
        """What the run is as watching ends, be it ended or not."""
        return {"ended": self._now()}

    @property
    def ended(self) -> bool:
        """Whether the run stopped."""
        return self.run["state"] in ENDED

    def _now(self) -> dict[str, Any]:
        return {key: self.run.get(key) for key in _RUN}


class Stream:
    """Shows each line as it comes. A context manager. out: where; standard output by default."""

    def __init__(self, feed: Feed, out: TextIO | None = None):
        self._feed = feed
        self._out = out or sys.stdout

    def __enter__(self) -> Stream:
        self._print(self._feed.begins())
        return self

    def __exit__(self, *_: object) -> None:
        self._print(self._feed.ends())

    def show(self, line: Any) -> None:
        """Show an event. What is said in words is in the line of the end."""
        if isinstance(line, dict):
            self._print(line)

    def _print(self, line: Mapping[str, Any]) -> None:
        print(json.dumps(line, ensure_ascii=False), file=self._out, flush=True)
