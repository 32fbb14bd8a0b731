"""When nodes of a role may start: while their window is open, and long enough for them to end by then.

Days and times are those that the clocks of a timezone show, so that a window over a change of summer time is
an hour longer or shorter. What is asked is always the time of day at that moment: a clock that was set is
believed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from openstack_rollout.declared.model import Model
from openstack_rollout.declared.windows import Window
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.run_record import Closed
from openstack_rollout.rollout.window import Node
from openstack_rollout.vocabulary import PREFETCH

#: A time from when on, and one until when, in seconds since the epoch.
Interval = tuple[float, float]
#: The source of a calendar, its timezone, the first and the last time of interest → its events.
Events = Callable[[str, str, float, float], Sequence[Interval]]
#: A node, a stage, seconds that it takes → why it may not start now.
Closes = Callable[[Node, str, Callable[[], float]], RolloutError | None]
#: Steps that are taken at any time: they look, or bring workloads back.
ANY_TIME = frozenset(("verify", "heartbeat", "restore"))
#: Days that are looked at for an opening, more and more of them.
_AHEAD = (9, 60, 400)
_DAY = 86400.0
_KNOWN_FOR = 300.0  # seconds: a calendar may be edited under way


def no_calendar(source: str, *_: object) -> list[Interval]:
    """Nobody reads calendars. Raises RolloutError CALENDAR_UNREADABLE."""
    raise RolloutError("CALENDAR_UNREADABLE", f"{source}: nothing reads calendars here")


class WindowClosed(RolloutError):
    """A window is closed, or closes too soon. closed: what is waited for."""

    def __init__(self, message: str, node: str, closed: Closed):
        super().__init__("WINDOW_CLOSED", message, [node])
        self.closed = closed


class _Known(NamedTuple):
    made: float
    intervals: list[Interval]


class Openings:
    """The windows of a cloud.

    model (Model): what is declared. events: reads calendars. clock: seconds since the epoch.
    """

    def __init__(
        self,
        model: Model,
        events: Events = no_calendar,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        self._model = model
        self._events = events
        self._clock = clock
        self._monotonic = monotonic
        self._known: dict[tuple[str, str, int, int], _Known] = {}

    def refusal(self, node: Node, stage: str, seconds: float, group: str = "") -> RolloutError | None:
        """Why a node may not start now, None when it may.

        stage (str): of a run, or prefetch. seconds (float): in which it is expected to end. group (str): of
        its role, in which it is. The reason is
        WINDOW_CLOSED, WINDOW_TOO_SHORT when no window to come is long enough, or CALENDAR_UNREADABLE.
        """
        window = self._window(node.role, stage, group)
        if window is None:
            return None
        now = self._clock()
        try:
            opens = self.opening(node.role, stage, seconds, now, group)
            if opens == now:
                return None
            key, within = self._key(node.role, group), f"{node.id} is expected to end within {seconds:.0f} s"
            if opens is None and self.opening(node.role, stage, 0.0, now, group) is not None:
                text = f"{within}, and no window is as long in the {_AHEAD[-1]} days to come ({key})"
                return RolloutError("WINDOW_TOO_SHORT", text, [node.id])
            closes = self._closing(node.role, now, group)
        except RolloutError as error:
            return error
        zone = ZoneInfo(window.timezone)
        state = "is closed" if closes is None else f"closes at {_shown(closes, zone)}"
        then = f"it may start at {_shown(opens, zone)}" if opens else "no opening is known"
        text = f"{within}, and the window {state}: {then} ({key})"
        return WindowClosed(text, node.id, Closed(node.id, node.role, stage, seconds, opens, group))

    def opening(self, role: str, stage: str, seconds: float, now: float, group: str = "") -> float | None:
        """When a node of a role may start that takes so many seconds: now, or later; None if never.

        stage (str): of a run, or prefetch. group (str): of the role. Raises RolloutError
        CALENDAR_UNREADABLE.
        """
        if self._window(role, stage, group) is None:
            return now
        for days in _AHEAD:
            for begin, end in self._intervals(role, group, now, days):
                start = max(begin, now)
                if end > now and start + seconds <= end:
                    return start
        return None

    def ahead(self, role: str, now: float) -> list[Interval]:
        """When the window of a role is open, now and in the days to come; nothing of a role that has none, or
        whose calendar cannot be read.
        """
        if (self._own(role, "") or self._model.window) is None:
            return []
        try:
            return [one for one in self._intervals(role, "", now, _AHEAD[0]) if one[1] > now]
        except RolloutError:
            return []  # whoever wants to start a node is told

    def _closing(self, role: str, now: float, group: str) -> float | None:
        """When the window closes that is open, None while it is not."""
        found = self._intervals(role, group, now, _AHEAD[0])
        return next((end for begin, end in found if begin <= now < end), None)

    def _window(self, role: str, stage: str, group: str) -> Window | None:
        window = self._own(role, group) or self._model.window
        return None if window and stage == PREFETCH and window.prefetch == "any_time" else window

    def _own(self, role: str, group: str) -> Window | None:
        policy = self._model.policies.of(role)
        found: Window | None = policy.group_windows.get(group, policy.window)
        return found

    def _key(self, role: str, group: str) -> str:
        if group in self._model.policies.of(role).group_windows:
            return f"openstack:policies:{role}:group_windows:{group}"
        return f"openstack:policies:{role}:window" if self._own(role, "") else "openstack:window"

    def _intervals(self, role: str, group: str, now: float, days: int) -> list[Interval]:
        """When the window of a role is open, from the day before now on, in order."""
        key = role, group, int(now // _DAY), days
        known = self._known.get(key)
        if known is None or self._monotonic() - known.made > _KNOWN_FOR:
            begin = (key[2] - 1) * _DAY
            known = _Known(self._monotonic(), self._declared(role, group, begin, begin + (days + 2) * _DAY))
            self._known[key] = known
        return known.intervals

    def _declared(self, role: str, group: str, begin: float, end: float) -> list[Interval]:
        window = self._own(role, group) or self._model.window or Window()
        closed = [one for each in {id(one): one for one in (window, self._model.window) if one}.values()
                  for one in _blackout(each)]  # fmt: skip
        if window.calendar:
            opened = self._events(window.calendar, window.timezone, begin, end)
        else:
            opened = list(_weekly(window, begin, end))
        return _without(_joined(opened), _joined(closed))


class Current:
    """The windows as they are declared at the moment, for a run that takes hours.

    model (Model): what is declared now. made: the windows of a model. read: what is declared, read anew.
    group_of: role, node id → the group of the role in which the node is, "" for none.
    """

    def __init__(
        self,
        model: Model,
        made: Callable[[Model], Openings],
        read: Callable[[], Model],
        monotonic: Callable[[], float],
        group_of: Callable[[str, str], str] = lambda *_: "",
    ):
        self._group_of = group_of
        self._openings = made(model)
        self._made = made
        self._read = read
        self._monotonic = monotonic
        self._since = monotonic()
        policies = [model.policies.of(role) for role in model.policies.roles]
        self._declared = any([model.window, *(one.window or one.group_windows for one in policies)])

    def refusal(self, node: Node, stage: str, seconds: Callable[[], float]) -> RolloutError | None:
        """As Openings.refusal; seconds are asked for where there is a window. Raises RolloutError for a
        pillar that is refused now.
        """
        if not self._declared:
            return None
        if self._monotonic() - self._since > _KNOWN_FOR:
            self._openings, self._since = self._made(self._read()), self._monotonic()
        return self._openings.refusal(node, stage, seconds(), self._group_of(node.role, node.id))


def first_at(zone: ZoneInfo, day: date, minutes: int) -> float:
    """When the clocks of a timezone show a time of a day for the first time, or pass it where they skip it.

    minutes (int): since midnight, up to 24 hours. Returns seconds since the epoch.
    """
    wanted = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)
    found = wanted.replace(tzinfo=zone).timestamp()
    if datetime.fromtimestamp(found, zone).replace(tzinfo=None) == wanted:
        return found
    # Skipped: by the offset after the change it would be too early, by the one before it too late.
    early, late = int(wanted.replace(tzinfo=zone, fold=1).timestamp()), int(found)
    while late - early > 1:
        middle = (early + late) // 2
        if datetime.fromtimestamp(middle, zone).replace(tzinfo=None) >= wanted:
            late = middle
        else:
            early = middle
    return float(late)


def _weekly(window: Window, begin: float, end: float) -> Iterator[Interval]:
    zone = ZoneInfo(window.timezone)
    day = datetime.fromtimestamp(begin, zone).date() - timedelta(days=1)
    last = datetime.fromtimestamp(end, zone).date()
    while day <= last:
        if day.weekday() in window.days:
            closing = day + timedelta(days=1) if window.to <= window.from_ else day
            yield first_at(zone, day, window.from_), first_at(zone, closing, window.to)
        day += timedelta(days=1)


def _blackout(window: Window) -> Iterator[Interval]:
    zone = ZoneInfo(window.timezone)
    for first, last in window.blackout:
        yield first_at(zone, first, 0), first_at(zone, last + timedelta(days=1), 0)


def _joined(intervals: Sequence[Interval]) -> list[Interval]:
    """In order, those that touch as one."""
    found: list[Interval] = []
    for begin, end in sorted(intervals):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        elif end > begin:
            found.append((begin, end))
    return found


def _without(opened: Sequence[Interval], closed: Sequence[Interval]) -> list[Interval]:
    """What is left of some intervals without others, both in order."""
    found = []
    for begin, end in opened:
        start = begin
        for shut, opens in closed:
            if opens > start and shut < end:
                if shut > start:
                    found.append((start, shut))
                start = max(start, opens)
        if end > start:
            found.append((start, end))
    return found


def _shown(at: float, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M %Z}"
