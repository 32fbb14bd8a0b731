"""Live progress of a run: a table of nodes and stages in a terminal, plain lines anywhere else.

The board is fed by events and does not know where they come from. The journal fills it for a watcher that
comes late. This file alone needs rich, and rollout.watch alone imports it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from openstack_rollout.errors import REASONS
from openstack_rollout.screens import times
from openstack_rollout.screens.tables import title_of
from openstack_rollout.vocabulary import PREFETCH, by_role

ENDED = ("completed", "completed_with_open_ends", "incomplete", "paused", "aborted")
_MARKS = {
    "done": ("done", "green"),
    "skipped": ("skipped", "dim"),
    "failed": ("failed", "bold red"),
    "waiting": ("waiting", "dim"),
}
#: Events that end no step, and what stands before their reason.
_TOLD = {"slow": "", "retrying": "{} retrying: ", "quarantined": "quarantined: "}
_QUIET = {"done", "skipped", "waiting"}
_FRAME = 7  # lines of a terminal that are not nodes: title, head, borders, "and n more", the cursor's
_TROUBLE = 5  # messages shown while the run goes on


class Board:
    """What a watcher knows of one run.

    run (dict): the run's record as plain data. records (dict): the records of its nodes, by minion id.
    """

    def __init__(self, run: Mapping[str, Any], records: Mapping[str, Mapping[str, Any]]):
        self.run = {**run, "limit": run.get("asked", {}).get("limit", "")}
        self.columns = [PREFETCH, *run["stages"]]
        self.cells: dict[str, dict[str, str]] = {}
        self.reasons: dict[str, str] = {}
        self.roles: dict[str, str] = {}
        for node, record in records.items():
            self.roles[node] = record["role"]
            for entry in record["history"]:
                outcome = entry["outcome"] if entry["outcome"] in _MARKS else "failed"
                self._set(node, entry["stage"], outcome)
            if record["state"] == "in_flight":
                self._set(node, record["stage"], record["step"])
            if record["reason"]:
                self.reasons[node] = f"{record['reason']}: {record['message']}"

    def take(self, data: Mapping[str, Any]) -> str | None:
        """Take in an event. Returns the line that tells of it, None when it is of another run.

        data (dict): what the event carries, as of events openstack/rollout/….
        """
        if data.get("run") != self.run["id"]:
            return None
        if data["node"] == "-":
            return self._take_run(data)
        node, stage, step, status = data["node"], data["stage"], data["step"], data["status"]
        where = f"{stage} ({data['round']})" if data.get("round") else stage
        self.roles[node] = data["role"]
        self.reasons.pop(node, None)
        if status == "failed":
            self._set(node, stage, "failed")
            self.reasons[node] = f"{data['reason']}: {data['message']}"
            return f"{where}: {node}: {step} failed: {self.reasons[node]}"
        if status in _TOLD:
            if status == "quarantined":
                self._set(node, stage, "failed")
            self.reasons[node] = f"{data['reason']}: {data['message']}"
            return f"{where}: {node}: {_TOLD[status].format(step)}{self.reasons[node]}"
        if status == "skipped":
            self._set(node, stage, "skipped")
            return f"{stage}: {node}: done already"
        last = step in (PREFETCH, "verify", "restore")
        self._set(node, stage, "done" if status == "succeeded" and last else step)
        said = f" ({data['message']})" if data.get("message") else ""
        return f"{where}: {node}: {step} {status}{said}"

    @property
    def ended(self) -> bool:
        """Whether the run stopped."""
        return self.run["state"] in ENDED

    def render(self, height: int | None = None) -> Group:
        """The board for rich: a table of nodes and stages, and below it what is wrong.

        height (int): the terminal's lines. Where more nodes are than fit, those in flight or failed are shown
        first. Once the run has ended, everything is shown.
        """
        stopped = self.run["state"] != "running"
        left = "" if stopped else times.ends(self.run)
        title = f"{title_of(self.run)}: {', '.join(filter(None, (self.run['state'], left)))}"
        trouble = [f"{node}: {self.reasons[node]}" for node in by_role(self.roles) if node in self.reasons]
        lines_free = (
            None if stopped or height is None else max(1, height - _FRAME - min(len(trouble), _TROUBLE))
        )
        table = Table(title=title, title_justify="left")
        for column in ("node", *self.columns):
            table.add_column(column)
        shown = self._shown(lines_free)
        for node in shown:
            marks = [self.cells[node].get(column, "") for column in self.columns]
            table.add_row(node, *(Text(*_MARKS.get(mark, (mark, "yellow"))) for mark in marks))
        lines = [f"and {len(self.cells) - len(shown)} more"] if len(shown) < len(self.cells) else []
        lines += trouble if stopped else trouble[-_TROUBLE:]
        if stopped and self.run["reason"]:
            lines += [] if trouble else [f"{self.run['reason']}: {self.run['message']}"]
            lines.append(REASONS.get(self.run["reason"], ""))
        elif stopped:
            lines.append(self.run["message"])
        texts = [
            Text(line, no_wrap=not stopped, overflow="fold" if stopped else "ellipsis") for line in lines
        ]
        return Group(table, *filter(None, texts))

    def _shown(self, lines: int | None) -> list[str]:
        """The nodes that fit into so many lines, in their order."""
        nodes = by_role({node: self.roles[node] for node in self.cells})
        if lines is None or len(nodes) <= lines:
            return nodes
        first = sorted(nodes, key=lambda node: set(self.cells[node].values()) <= _QUIET)[:lines]
        return [node for node in nodes if node in first]

    def _take_run(self, data: Mapping[str, Any]) -> str:
        if data["step"] == "gate":
            return f"{data['stage']}: waits: {data['reason']}: {data['message']}"
        self.run.update({key: data[key] for key in ("state", "reason", "message") if key in data})
        if data["step"] == "plan":
            return f"{data['stage']}: the plan changed: {'; '.join(data['changes'])}"
        if data["step"] == "stage":
            self.run["estimate"] = data.get("estimate")
            left = times.ends(self.run)
            return f"{data['stage']}: {data['status']}{left and f' ({left})'}"
        why = f": {self.run['reason']}: {self.run['message']}" if self.run["reason"] else ""
        return f"run {self.run['id']}: {self.run['state']}{why}"

    def _set(self, node: str, column: str, mark: str) -> None:
        if column in self.columns:
            self.cells.setdefault(node, {})[column] = mark


class Screen:
    """Shows a board: a live table on a terminal, else each line as it comes. A context manager.

    console: rich's; by default one on standard output.
    """

    def __init__(self, board: Board, console: Console | None = None):
        self._board = board
        self._console = console or Console(highlight=False)
        self._live = Live(console=self._console) if self._console.is_terminal else None

    def __enter__(self) -> Screen:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, line: str | None) -> None:
        """Show what the board knows now. line (str): tells of the last event; None shows no line."""
        if self._live:
            self._live.update(self._board.render(self._console.height))
        elif line:
            self._console.print(f"{time.strftime('%H:%M:%S')} {line}", soft_wrap=True, markup=False)
