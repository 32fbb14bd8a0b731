"""Live progress of a run: a table of nodes and stages in a terminal, plain lines anywhere else.

The board is fed by events and does not know where they come from. The journal fills it for a watcher that
comes late. This file alone needs rich, and rollout.watch alone imports it.
"""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from rich.box import HEAVY_HEAD, SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from openstack_rollout.errors import REASONS
from openstack_rollout.screens import times
from openstack_rollout.screens.feed import ENDED
from openstack_rollout.screens.tables import title_of
from openstack_rollout.vocabulary import PREFETCH, by_role, place

_MARKS = {
    "done": ("done", "green"),
    "skipped": ("skipped", "dim"),
    "failed": ("failed", "bold red"),
    "waiting": ("waiting", "dim"),
}
#: Events that end no step, and what stands before their reason.
_TOLD = {"slow": "", "retrying": "{} retrying: ", "quarantined": "quarantined: ", "not_silenced": ""}
_QUIET = {"done", "skipped", "waiting"}
_FRAME = 7  # lines of a terminal that are not nodes: title, head, borders, "and n more", the cursor's
_TROUBLE = 5  # messages shown while the run goes on, and of what waits
#: Where a terminal is narrow: what stages are called, and the widest cell.
_SHORT = {"control_plane": "control"}
_CELL = 9
_NAME = 20  # what a name has at least, where there is as much


class _Why(NamedTuple):
    """Why a node, or a run, stopped."""

    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class Board:
    """What a watcher knows of one run.

    run (dict): the run's record as plain data. records (dict): the records of its nodes, by minion id.
    """

    def __init__(self, run: Mapping[str, Any], records: Mapping[str, Mapping[str, Any]]):
        self.run = {**run, "limit": run.get("asked", {}).get("limit", "")}
        self.columns = [PREFETCH, *run["stages"]]
        self.cells: dict[str, dict[str, str]] = {}
        self.reasons: dict[str, _Why] = {}
        self.roles: dict[str, str] = {}
        self._waits: list[dict[str, Any]] = []
        self._all, self._busy = (
            _Ranking(),
            _Ranking(),
        )  # in their order: all nodes, and those that do something
        for node, record in records.items():
            self.roles[node] = record["role"]
            for entry in record["history"]:
                outcome = entry["outcome"] if entry["outcome"] in _MARKS else "failed"
                self._set(node, entry["stage"], outcome)
            if record["state"] == "in_flight":
                self._set(node, record["stage"], record["step"])
            if record["reason"]:
                self.reasons[node] = _Why(record["reason"], record["message"])
        for node in self.cells:
            self._rank(node)

    def take(self, data: Mapping[str, Any]) -> str | None:
        """Take in an event. Returns the line that tells of it, None when it is of another run.

        data (dict): what the event carries, as of events openstack/rollout/….
        """
        if data.get("run") != self.run["id"]:
            return None
        if data["node"] == "-":
            return self._take_run(data)
        node = data["node"]
        self.roles[node] = data["role"]
        line = self._take_node(data)
        if node in self.cells:
            self._rank(node)
        return line

    def _take_node(self, data: Mapping[str, Any]) -> str:
        node, stage, step, status = data["node"], data["stage"], data["step"], data["status"]
        where = f"{stage} ({data['round']})" if data.get("round") else stage
        self.reasons.pop(node, None)
        if status == "started":
            self._waits = [one for one in self._waits if one["nodes"] and node not in one["nodes"]]
        if status == "failed":
            self._set(node, stage, "failed")
            self.reasons[node] = _Why(data["reason"], data["message"])
            return f"{where}: {node}: {step} failed: {self.reasons[node]}"
        if status in _TOLD:
            if status == "quarantined":
                self._set(node, stage, "failed")
            self.reasons[node] = _Why(data["reason"], data["message"])
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

    @property
    def waits(self) -> list[str]:
        """What waits, since when as far as that was seen, and why; nothing of a run that stopped."""
        if self.run["state"] != "running":
            return []
        told = {(one["reason"], one["message"]): one["at"] for one in self._waits}
        if questions := self.run.get("questions"):
            key = self.run["reason"], self.run["message"]
            told = {key: min(one["since"] for one in questions.values()), **told}
        return [
            f"waits{'' if at is None else f' since {_clock(at)}'}: {reason}: {message}"
            for (reason, message), at in told.items()
        ]

    def render(self, height: int | None = None, width: int | None = None) -> Group:
        """The board for rich: a table of nodes and stages, when the run is expected to end, what waits and
        why, and what is wrong.

        height, width (int): the terminal's lines and columns. Where more nodes are than fit, those in flight
        or failed are shown first. Once the run has ended, everything is shown.
        """
        stopped = self.run["state"] != "running"
        trouble = [
            f"{node}: {self.reasons[node]}"
            for node in by_role({node: self.roles[node] for node in self.reasons})
        ]
        left = [] if stopped else [times.ends(self.run)]
        waits = self.waits[-_TROUBLE:]
        above = [*filter(None, left), *waits]
        lines_free = (
            None
            if stopped or height is None
            else max(1, height - _FRAME - _lines(above, width) - min(len(trouble), _TROUBLE))
        )
        shown = self._shown(lines_free)
        table = self._table(shown, width)
        lines = [f"and {len(self.cells) - len(shown)} more"] if len(shown) < len(self.cells) else []
        lines += trouble if stopped else trouble[-_TROUBLE:]
        if stopped and self.run["reason"]:
            why = _Why(self.run["reason"], self.run["message"])
            if not any(one.reason == why.reason for one in self.reasons.values()):
                lines.append(str(why))
            lines.append(REASONS.get(self.run["reason"], ""))
        elif stopped:
            lines.append(self.run["message"])
        texts = [
            Text(line, no_wrap=not stopped, overflow="fold" if stopped else "ellipsis") for line in lines
        ]
        # What waits and why is never cut off.
        return Group(table, *map(Text, above), *filter(None, texts))

    def _table(self, shown: list[str], width: int | None) -> Table:
        """The table of some nodes; one that would be wider than the terminal has short words and no frame."""
        marks = {node: [self.cells[node].get(column, "") for column in self.columns] for node in shown}
        names, heads = {node: node for node in shown}, self.columns
        whole = sum(_widths(heads, marks)) + max(map(len, ("node", *shown))) + 3 * (len(heads) + 1) + 1
        narrow = width is not None and whole > width
        cells: list[int] = []
        if narrow and width is not None:
            heads = [_SHORT.get(column, column) for column in heads]
            room, cells = _shares(width, _widths(heads, marks))
            names = {node: _cut(name, room) for node, name in _short(shown).items()}
        title = Text(f"{title_of(self.run)}: {self.run['state']}", overflow="ellipsis", no_wrap=True)
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD if narrow else HEAVY_HEAD,
                      padding=(0, 1, 0, 0) if narrow else (0, 1))  # fmt: skip
        table.add_column("node", no_wrap=narrow)
        for number, head in enumerate(heads):
            table.add_column(
                head, no_wrap=narrow, overflow="ellipsis", width=cells[number] if narrow else None
            )
        for node in shown:
            told = (Text(*_MARKS.get(mark, (mark, "yellow"))) for mark in marks[node])
            table.add_row(Text(names[node]), *told)
        return table

    def _shown(self, lines: int | None) -> list[str]:
        """The nodes that fit into so many lines, in their order."""
        if lines is None or len(self.cells) <= lines:
            return list(self._all)
        shown = set(islice(self._busy, lines))
        quiet = (node for node in self._all if node not in self._busy)
        shown.update(islice(quiet, lines - len(shown)))
        return by_role({node: self.roles[node] for node in shown})

    def _take_run(self, data: Mapping[str, Any]) -> str:
        if data["step"] == "gate":
            self._waits.append({"nodes": (), "at": None, **data})
            return f"{data['stage']}: waits: {data['reason']}: {data['message']}"
        self.run.update({key: data[key] for key in ("state", "reason", "message") if key in data})
        if data["step"] == "plan":
            return f"{data['stage']}: the plan changed: {'; '.join(data['changes'])}"
        self._waits.clear()
        if data["step"] == "stage":
            self.run["estimate"] = data.get("estimate")
            left = times.ends(self.run)
            return f"{data['stage']}: {data['status']}{left and f' ({left})'}"
        why = f": {self.run['reason']}: {self.run['message']}" if self.run["reason"] else ""
        return f"run {self.run['id']}: {self.run['state']}{why}"

    def _rank(self, node: str) -> None:
        """Note where a node stands, and whether it does something, or failed."""
        role = self.roles[node]
        self._all.put(node, role)
        if set(self.cells[node].values()) <= _QUIET:
            self._busy.drop(node)
        else:
            self._busy.put(node, role)

    def _set(self, node: str, column: str, mark: str) -> None:
        if column in self.columns:
            self.cells.setdefault(node, {})[column] = mark


class _Ranking:
    """Nodes in the order in which people see them."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[Any, ...]] = {}
        self._sorted: list[tuple[tuple[Any, ...], str]] = []

    def __contains__(self, node: str) -> bool:
        return node in self._places

    def __iter__(self) -> Iterator[str]:
        return (node for _, node in self._sorted)

    def put(self, node: str, role: str) -> None:
        """Have a node among them."""
        here = place(node, role)
        if self._places.get(node) != here:
            self.drop(node)
            self._places[node] = here
            insort(self._sorted, (here, node))

    def drop(self, node: str) -> None:
        """Have a node not among them."""
        if here := self._places.pop(node, None):
            del self._sorted[bisect_left(self._sorted, (here, node))]


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
            self._live.update(self._board.render(self._console.height, self._console.width))
        elif line:
            self._console.print(f"{time.strftime('%H:%M:%S')} {line}", soft_wrap=True, markup=False)


def _widths(heads: Sequence[str], marks: Mapping[str, Sequence[str]]) -> list[int]:
    """How wide the columns of stages are. marks: node → what is said of each."""
    return [max([len(head), *(len(row[at]) for row in marks.values())]) for at, head in enumerate(heads)]


def _shares(width: int, widest: Sequence[int]) -> tuple[int, list[int]]:
    """How much of a terminal's width there is for names, and for what is said of each stage."""
    free = width - 2 * len(widest) - 3  # without what is between columns
    cells = [min(_CELL, one) for one in widest]
    if free - sum(cells) < _NAME:
        cells = [min(max(1, (free - _NAME) // len(cells)), one) for one in cells]
    return max(4, free - sum(cells)), cells


def _cut(name: str, room: int) -> str:
    """A name with both its ends, as long as there is room."""
    if len(name) <= room:
        return name
    end = (room - 1) // 2
    return f"{name[: room - 1 - end]}…{name[len(name) - end :]}"


def _short(nodes: list[str]) -> dict[str, str]:
    """What to call nodes where room is scarce: by as many parts of their names as tell them apart."""
    parts = {node: node.split(".") for node in nodes}
    for count in range(1, max(map(len, parts.values()), default=0)):
        called = {node: ".".join(some[:count]) for node, some in parts.items()}
        if len(set(called.values())) == len(nodes):
            return called
    return {node: node for node in nodes}


def _lines(texts: list[str], width: int | None) -> int:
    """How many lines of a terminal they take."""
    return sum(-(-len(text) // width) if width else 1 for text in texts)


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))
