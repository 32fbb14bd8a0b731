"""When nodes may be touched: a window of days and times of day, or a calendar, without blackout dates."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from openstack_rollout.declared.base import Strict
from openstack_rollout.declared.problems import Wrong, shown, suggestion

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: Minutes of a day.
DAY = 24 * 60
_LEAST_READ_BY_YAML = 60  # 1:00, which YAML 1.1 reads as a number in base 60, as it does 22:00
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])|24:00")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TIME_HELP = 'give a time of day in quotes, such as "22:00"'
_DATE_HELP = "give a date such as 2026-12-24, or the first and the last one: 2026-12-20/2027-01-06"
_DAY_HELP = f"give days ({', '.join(one[:3] for one in DAYS)}) or ranges of them, such as [mon-fri, sun]"
_SOURCE = re.compile(r"(?:https?://[!-~]+|/[ -~]+)")
_MOST_DATES = 1000


def _minutes(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and _LEAST_READ_BY_YAML <= value <= DAY:
        return value
    if isinstance(value, str) and _TIME.fullmatch(value):
        hours, _, minutes = value.partition(":")
        return int(hours) * 60 + int(minutes)
    raise Wrong(f"{shown(value)} is not allowed: {_TIME_HELP}")


def _day(value: Any) -> int:
    name = value.lower() if isinstance(value, str) else ""
    for number, day in enumerate(DAYS):
        if name in (day, day[:3]):
            return number
    raise Wrong(f"{shown(value)} is no day{suggestion(name, DAYS)}; {_DAY_HELP}")


def _days(value: Any) -> tuple[int, ...]:
    said = [value] if isinstance(value, str) else value
    if not isinstance(said, list) or not said or len(said) > len(DAYS):
        raise Wrong(f"{shown(value)} is not allowed: {_DAY_HELP}")
    found: set[int] = set()
    for one in said:
        first, dash, last = one.partition("-") if isinstance(one, str) else (one, "", "")
        begin = _day(first)
        end = _day(last) if dash else begin
        # A range may pass the end of the week: fri-mon.
        found |= {number % len(DAYS) for number in range(begin, end + (len(DAYS) if end < begin else 0) + 1)}
    return tuple(sorted(found))


def _one_date(value: Any, whole: Any) -> date:
    if type(value) is date:
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise Wrong(f"{shown(whole)} is not allowed: {_DATE_HELP}")


def _dates(value: Any) -> tuple[tuple[date, date], ...]:
    said = value if isinstance(value, list) else [value]
    if len(said) > _MOST_DATES:
        raise Wrong(f"has {len(said)} dates, {_MOST_DATES} are allowed")
    found = []
    for one in said:
        first, slash, last = one.partition("/") if isinstance(one, str) else (one, "", "")
        begin = _one_date(first, one)
        end = _one_date(last, one) if slash else begin
        if end < begin:
            raise Wrong(f"{shown(one)} ends before it begins: {_DATE_HELP}")
        found.append((begin, end))
    return tuple(found)


def _timezone(value: Any) -> str:
    try:
        return zoneinfo.ZoneInfo(value).key if isinstance(value, str) and value else _no_timezone(value)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return _no_timezone(value)


def _no_timezone(value: Any) -> str:
    near = suggestion(value, sorted(zoneinfo.available_timezones())) if isinstance(value, str) else ""
    raise Wrong(f"{shown(value)} is no timezone that the master knows, such as Europe/Berlin{near}")


def _source(value: Any) -> str:
    if isinstance(value, str) and len(value) <= 2000 and _SOURCE.fullmatch(value):
        return value
    raise Wrong(f"{shown(value)} is not allowed: give the path of an iCalendar file, or its https:// address")


_TIME_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "string", "pattern": f"^(?:{_TIME.pattern})$"},
               {"type": "integer", "minimum": _LEAST_READ_BY_YAML, "maximum": DAY}]}
)  # fmt: skip
TimeOfDay = Annotated[int, PlainValidator(_minutes), _TIME_SCHEMA]
Days = Annotated[
    tuple[int, ...],
    PlainValidator(_days),
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}),
]
Dates = Annotated[
    tuple[tuple[date, date], ...],
    PlainValidator(_dates),
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}),
]
Timezone = Annotated[str, PlainValidator(_timezone), WithJsonSchema({"type": "string"})]
Source = Annotated[str, PlainValidator(_source), WithJsonSchema({"type": "string"})]


class Window(Strict):
    """When nodes may be touched; no node starts that is not expected to end by then."""

    days: Days = Field(default=tuple(range(len(DAYS))), json_schema_extra={"default": None})
    """The days on which it opens: mon, tue, ... or ranges such as mon-fri; every day by default."""
    from_: TimeOfDay = Field(default=0, alias="from", json_schema_extra={"default": "00:00"})
    """The time of day at which it opens, in quotes."""
    to: TimeOfDay = Field(default=DAY, json_schema_extra={"default": "24:00"})
    """The time of day at which it closes, in quotes; on the next day where it is not after from."""
    timezone: Timezone = "UTC"
    """The timezone of days, times and dates, such as Europe/Berlin."""
    calendar: Source | None = None
    """An iCalendar file, or its address: the window is open while one of its events lasts. In place of days,
    from and to."""
    blackout: Dates = Field(default=(), json_schema_extra={"default": []})
    """Dates on which it stays closed, whatever else is said: 2026-12-24, or 2026-12-20/2027-01-06."""
    prefetch: Literal["inside", "any_time"] = "inside"
    """Whether images and package files are fetched inside the window alone, or at any time: before it
    opens."""

    @model_validator(mode="before")
    @classmethod
    def _one_kind(cls, value: Any) -> Any:
        times = [key for key in ("days", "from", "to") if isinstance(value, Mapping) and key in value]
        if times and value.get("calendar") is not None:
            text = f"a calendar is in place of days, from and to: leave out {', '.join(times)}, or it"
            raise Wrong(text, lines=[(("calendar",), text)])
        return value

    @model_validator(mode="after")
    def _never_empty(self) -> Window:
        if self.from_ == self.to:
            text = "is the time at which it opens, too; leave both out for whole days"
            raise Wrong(text, lines=[(("to",), text)])
        if self.from_ == DAY:
            text = "24:00 is the end of a day: write 00:00"
            raise Wrong(text, lines=[(("from",), text)])
        return self
