"""The events of an iCalendar file, or of one that a server has: read by a library, recurrences and all.

Nothing is read before it is asked for. The libraries are imported then, too: a master without calendars does
without them.
"""

from __future__ import annotations

import http.client
import time
import urllib.request
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from openstack_rollout.errors import RolloutError, one_line

TIMEOUT = 20  # seconds
MOST = 10_000_000  # bytes
_AT_ONCE = 65_536
READ_AGAIN = 300.0  # seconds
_read: dict[str, tuple[float, bytes]] = {}


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
    content = _content(source)
    zone = ZoneInfo(timezone)
    between = datetime.fromtimestamp(begin, zone), datetime.fromtimestamp(end, zone)
    found: list[tuple[float, float]] = []
    try:
        calendars: Sequence[Any] = icalendar.Calendar.from_ical(content, multiple=True)
        if not calendars:
            raise ValueError("there is no calendar in it")
        for calendar in calendars:
            for one in recurring_ical_events.of(calendar).between(*between):
                if str(one.get("STATUS", "")).upper() != "CANCELLED":
                    found.append(_interval(one, zone))
    except Exception as error:  # whatever the libraries make of what they are given
        text = f"{source} is no calendar: {one_line(f'{type(error).__name__}: {error}')}"
        raise RolloutError("CALENDAR_UNREADABLE", text) from error
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


def _content(source: str) -> bytes:
    read, content = _read.get(source, (0.0, b""))
    if not content or time.monotonic() - read > READ_AGAIN:
        try:
            content = _fetched(source) if "://" in source else Path(source).read_bytes()
        except (OSError, ValueError, http.client.HTTPException) as error:
            text = f"{source}: {one_line(str(error))}"
            raise RolloutError("CALENDAR_UNREADABLE", text) from error
        _read[source] = time.monotonic(), content
    return content


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
