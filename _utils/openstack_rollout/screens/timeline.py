"""The timeline of a run as geometry: where each bar, tick and pause is. No words but those of the data.

Lengths are units of the drawing. Long pauses are cut short: what happened is worth the room.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

WIDTH = 1000.0  # of what shows time
LABELS = 150.0  # beside it, for the names of nodes
_HEAD = 42.0
_GROUP = 20.0
#: Most nodes of a drawing → the height of a row, from which on names and letters are written.
_ROWS = ((40, 22.0), (150, 14.0))
_SMALL = 4.0
_NAMED_EVERY = 10  # rows, where they are small
_PAUSE_FROM, _PAUSE = 0.06, 36.0  # part of the time from which on a pause is cut short, and its width then
_TICKS, _EDGE = 9, 18.0  # ticks at most, and how far the last is from the edge: its words have a width
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800)
#: Parts of the time that steps of a stage may be apart to be one bar: of a node, of all nodes.
_JOINED, _OF_ALL = 0.004, 0.03
#: What is drawn over the bar of a stage, by step.
OVER = {"drain": "drain", "restore": "restore", "reboot": "reboot"}
LETTERS = {
    **{"prefetch": "P", "ovn": "O", "control_plane": "C", "services": "S", "ovs": "V", "system": "Y"},
    **{"finish": "F", "drain": "D", "restore": "U", "reboot": "R", "failed": "×", "rests": "B"},
}


class Bar(NamedTuple):
    """A bar: what it is (a stage, or a word of LETTERS), where it is, its letter where there is room."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    letter: str


class Scale:
    """Where a time is. begin, end: of the run. pauses: (from, to), in order."""

    def __init__(self, begin: float, end: float, pauses: Sequence[tuple[float, float]]):
        self._pieces: list[tuple[float, float, float, float]] = []
        long = [(since, until) for since, until in pauses if until > since]
        active = max(end - begin - sum(until - since for since, until in long), 1.0)
        cut = [one for one in long if one[1] - one[0] > _PAUSE_FROM * active]
        rest = max(end - begin - sum(until - since for since, until in cut), 1.0)
        per_second = max(WIDTH - _PAUSE * len(cut), WIDTH / 4) / rest
        narrow = (WIDTH - per_second * rest) / len(cut) if cut else 0.0
        x, at = 0.0, begin
        for since, until in [*cut, (end, end)]:
            self._add(at, max(since, at), x, per_second * max(since - at, 0.0))
            x = self._pieces[-1][3]
            if until > since:
                self._add(since, until, x, narrow)
                x = self._pieces[-1][3]
            at = max(until, at)
        self.begin, self.end, self.cut, self.active = begin, max(end, begin + 1.0), cut, rest

    def _add(self, since: float, until: float, x: float, width: float) -> None:
        self._pieces.append((since, until, x, x + width))

    def x(self, at: float) -> float:
        """Where a time (seconds since the epoch) is."""
        for since, until, left, right in self._pieces:
            if at <= until:
                part = (max(at, since) - since) / (until - since) if until > since else 0.0
                return round(left + part * (right - left), 1)
        return round(self._pieces[-1][3], 1)

    def ticks(self) -> Iterator[tuple[float, float]]:
        """Where round times of day are: (x, seconds since the epoch)."""
        step = next((one for one in _STEPS if self.active / one <= _TICKS), _STEPS[-1])
        at, last = (self.begin // step + 1) * step, -WIDTH
        while at <= self.end:
            hidden = any(since < at < until for since, until in self.cut)
            room = self.x(at) - last >= WIDTH / _TICKS / 2 and self.x(at) <= WIDTH - _EDGE
            if room and not hidden:
                last = self.x(at)
                yield last, at
            at += step


def drawing(data: Mapping[str, Any]) -> dict[str, Any]:
    """The timeline of an account.

    Returns {"width", "height", "labels", "ticks": [(x, words)], "pauses", "windows": [(x, width)], "stages":
    [Bar], "groups": [{"role", "count", "y", "rows"}], "small", "kinds": what is drawn}. A row is {"node",
    "y", "height", "named", "bars", "state"}.
    """
    run, nodes = data["run"], data["nodes"]
    starts = [step["started"] for node in nodes.values() for step in node["steps"]]
    begin, end = min([run["created"], *starts]), run["latest"]
    pauses = [(one["from"], one["to"] or end) for one in run["pauses"]]
    end = max([end, *(until for _, until in pauses)])
    scale = Scale(begin, end, pauses)
    height = next((one for most, one in _ROWS if len(nodes) <= most), _SMALL)
    groups: list[dict[str, Any]] = []
    y = _HEAD
    for role, names in _by_role(nodes).items():
        rows: list[dict[str, Any]] = []
        top = y
        y += _GROUP
        for number, name in enumerate(names):
            bars = list(_bars(nodes[name], y, height, scale))
            named = height > _SMALL or number % _NAMED_EVERY == 0
            rows.append({"node": name, "y": y, "height": height, "named": named, "bars": bars,
                         "state": nodes[name]["state"]})  # fmt: skip
            y += height
        groups.append({"role": role, "count": len(names), "y": top, "rows": rows})
    kinds = {bar.kind for one in groups for row in one["rows"] for bar in row["bars"]}
    return {
        **{"width": WIDTH + LABELS, "height": y + 8.0, "labels": LABELS, "head": _HEAD},
        "small": height == _SMALL,
        "ticks": [(x, _clock(at)) for x, at in scale.ticks()],
        "pauses": [
            (scale.x(since), round(max(scale.x(until) - scale.x(since), 2.0), 1)) for since, until in pauses
        ],
        "windows": [
            (scale.x(since), round(scale.x(until) - scale.x(since), 1))
            for since, until in (
                (max(one["from"], begin), min(one["to"], scale.end)) for one in run["windows"]
            )
            if until > since
        ],
        "stages": list(_stages(nodes, scale)),
        "groups": groups,
        "kinds": [kind for kind in LETTERS if kind in kinds],
    }


def _by_role(nodes: Mapping[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, node in nodes.items():
        found.setdefault(node["role"] or "no role", []).append(name)
    return found


def _stages(nodes: Mapping[str, Any], scale: Scale) -> Iterator[Bar]:
    """When any node was in a stage: with pauses, several times."""
    steps = [step for node in nodes.values() for step in node["steps"]]
    for name, letter in LETTERS.items():
        of_it = [one for one in steps if one["stage"] == name]
        for _, since, until in _joined(of_it, _OF_ALL * scale.active):
            x = scale.x(since)
            width = round(max(scale.x(until) - x, 2.0), 1)
            yield Bar(name, x, 20.0, width, _HEAD - 24.0, letter)


def _bars(node: Mapping[str, Any], y: float, height: float, scale: Scale) -> Iterator[Bar]:
    gap = 1.0 if height > _SMALL else 0.0
    inner = height - 2 * gap
    over: list[Bar] = []
    for kind, since, until in _joined(node["steps"], _JOINED * scale.active):
        yield _bar(kind, since, until, y + gap, inner, scale)
    for step in node["steps"]:
        kind = _over(step)
        if kind == "failed":
            until = max(step["finished"], step["started"])
            over.append(_bar(kind, step["started"], until, y + gap, inner, scale, least=4.0))
        elif kind:
            half = inner / 2 if height > _SMALL else inner
            over.append(_bar(kind, step["started"], step["finished"], y + gap + inner - half, half, scale))
    yield from over


def _bar(  # noqa: PLR0917
    kind: str, since: float, until: float, y: float, height: float, scale: Scale, least: float = 1.0
) -> Bar:
    x = scale.x(since)
    width = round(max(scale.x(until) - x, least), 1)
    fits = width >= 11.0 and height >= 9.0
    return Bar(kind, x, round(y, 1), width, round(height, 1), LETTERS.get(kind, "") if fits else "")


def _over(step: Mapping[str, Any]) -> str:
    if step["failed"]:
        return "failed"
    return "rests" if step["step"].startswith("break_") else OVER.get(step["step"], "")


def _joined(steps: Sequence[Mapping[str, Any]], apart: float) -> Iterator[tuple[str, float, float]]:
    """Steps as bars of stages: those of one stage that are so many seconds apart at most are one."""
    found: list[list[Any]] = []
    for step in sorted(steps, key=lambda one: one["started"]):
        if step["finished"] <= step["started"]:
            continue
        last = found[-1] if found else None
        if last and last[0] == step["stage"] and step["started"] - last[2] <= apart:
            last[2] = max(last[2], step["finished"])
        else:
            found.append([step["stage"], step["started"], step["finished"]])
    for one, after in pairwise(found):
        one[2] = min(one[2], max(after[1], one[1]))
    return ((kind, since, until) for kind, since, until in found)


def _clock(at: float) -> str:
    form = "%H:%M:%S" if at % 60 else "%H:%M"
    return time.strftime(f"%m-%d {form}" if at % 86400 == 0 else form, time.gmtime(at))
