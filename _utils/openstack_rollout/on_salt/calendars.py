"""The events of an iCalendar file, or of one that a server has: read by a library, recurrences and all.

Nothing is read before it is asked for. The libraries are imported then, too: a master without calendars does
without them.
"""

from __future__ import annotations

import http.client
import logging
import time
import urllib.request
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from openstack_rollout.errors import RolloutError, one_line

TIMEOUT = 20  # seconds
MOST = 10_000_000  # bytes
_AT_ONCE = 65_536
READ_AGAIN = 300.0  # seconds
#: Seconds for which what a server told stands in for one that fails, and until such a one is asked again.
STANDS_IN, TRY_AGAIN = 1800.0, 60.0
_LOG = logging.getLogger(__name__)


class _Read(NamedTuple):
    """What a calendar has; when that was read, and when it is read again (monotonic seconds)."""

    content: bytes
    at: float
    again: float


_read: dict[str, _Read] = {}


def events(source: str, timezone: str, begin: float, end: float) -> list[tuple[float, float]]:
    """The events of a calendar between two times, as (begin, end), in seconds since the epoch.

    source (str): the path of an iCalendar file, or its address. timezone (str): of whole days, and of times
    that name none. What was cancelled is left out.

    Raises RolloutError CALENDAR_UNREADABLE, or LIBRARY_MISSING.
    """
    try:
        import icalendar  # noqa: PLC0415 - where no calendar is declared, nobody needs it
        import recurring_ical_events  # noqa: PLC0415
    except ImportError as error:
        text = f"a calendar needs icalendar and recurring-ical-events in the master's Python: {error}"
        raise RolloutError("LIBRARY_MISSING", text) from error
    zone = ZoneInfo(timezone)
    between = datetime.fromtimestamp(begin, zone), datetime.fromtimestamp(end, zone)
    found: list[tuple[float, float]] = []
    calendars = _known(source, lambda content: icalendar.Calendar.from_ical(content, multiple=True))
    try:
        for calendar in calendars:
            for one in recurring_ical_events.of(calendar).between(*between):
                if str(one.get("STATUS", "")).upper() != "CANCELLED":
                    found.append(_interval(one, zone))
    except Exception as error:  # whatever the library makes of what it is given
        raise _no_calendar(source, error) from error
    return sorted(found)


def _interval(event: Any, zone: ZoneInfo) -> tuple[float, float]:
    begin = event["DTSTART"].dt
    if "DTEND" in event:
        end = event["DTEND"].dt
    elif "DURATION" in event:
        end = begin + event["DURATION"].dt
    else:  # RFC 5545: a date lasts that day, a time no time
        end = begin + timedelta(days=0 if isinstance(begin, datetime) else 1)
    return _seconds(begin, zone), _seconds(end, zone)


def _seconds(moment: date, zone: ZoneInfo) -> float:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()


def _known(source: str, parse: Callable[[bytes], Sequence[Any]]) -> Sequence[Any]:
    """What is there; what a server told last, for a while, where it fails: no run pauses for that."""
    known = _read.get(source)
    now = time.monotonic()
    if known and now < known.again:
        return parse(known.content)
    try:
        content = _content(source)
        found = _parsed(source, content, parse)
    except RolloutError as error:
        if not ("://" in source and known and now - known.at < STANDS_IN):
            raise
        _LOG.warning("%s; what it told %.0f s ago stands in", error.message, now - known.at)
        _read[source] = known._replace(again=now + TRY_AGAIN)
        return parse(known.content)
    _read[source] = _Read(content, now, now + READ_AGAIN)
    return found


def _parsed(source: str, content: bytes, parse: Callable[[bytes], Sequence[Any]]) -> Sequence[Any]:
    try:
        if not (found := parse(content)):
            raise ValueError("there is no calendar in it")
    except Exception as error:  # whatever the library makes of what it is given
        raise _no_calendar(source, error) from error
    return found


def _no_calendar(source: str, error: Exception) -> RolloutError:
    text = f"{source} is no calendar: {one_line(f'{type(error).__name__}: {error}')}"
    return RolloutError("CALENDAR_UNREADABLE", text)


def _content(source: str) -> bytes:
    try:
        return _fetched(source) if "://" in source else Path(source).read_bytes()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise RolloutError("CALENDAR_UNREADABLE", f"{source}: {one_line(str(error))}") from error


def _fetched(source: str) -> bytes:
    request = urllib.request.Request(source, headers={"Accept": "text/calendar"})  # noqa: S310 - by the model
    until, content = time.monotonic() + TIMEOUT, b""
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
        while some := answer.read1(_AT_ONCE):
            content += some
            if len(content) > MOST:
                raise ValueError(f"it has more than {MOST} bytes")
            if time.monotonic() > until:  # the engine waits for it: a server that trickles would hold it up
                raise TimeoutError(f"not all of it came within {TIMEOUT} s")
    return content
