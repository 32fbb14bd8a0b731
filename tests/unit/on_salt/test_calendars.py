"""iCalendar files as calendars of an operator's have them, read by the library itself, also over HTTP."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import calendars

BERLIN = ZoneInfo("Europe/Berlin")
HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\n"
BODY = """BEGIN:VEVENT
UID:weekly@example
DTSTART;TZID=Europe/Berlin:20261001T220000
DTEND;TZID=Europe/Berlin:20261002T050000
RRULE:FREQ=WEEKLY;BYDAY=TH
EXDATE;TZID=Europe/Berlin:20261015T220000
END:VEVENT
BEGIN:VEVENT
UID:day@example
DTSTART;VALUE=DATE:20261031
END:VEVENT
BEGIN:VEVENT
UID:floating@example
DTSTART:20261030T100000
DURATION:PT2H
END:VEVENT
BEGIN:VEVENT
UID:utc@example
DTSTART:20261029T100000Z
DTEND:20261029T110000Z
END:VEVENT
BEGIN:VEVENT
UID:cancelled@example
STATUS:CANCELLED
DTSTART:20261028T100000Z
DTEND:20261028T110000Z
END:VEVENT
"""


def ics(body=BODY):
    return HEAD + body.replace("\n", "\r\n") + "END:VCALENDAR\r\n"


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    monkeypatch.setattr(calendars, "_read", {})


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def events(source):
    found = calendars.events(str(source), "Europe/Berlin", at("2026-10-05T00:00"), at("2026-11-03T00:00"))
    return [tuple(f"{datetime.fromtimestamp(one, BERLIN):%m-%dT%H:%M}" for one in pair) for pair in found]


FOUND = [
    ("10-08T22:00", "10-09T05:00"),
    ("10-22T22:00", "10-23T05:00"),
    ("10-29T11:00", "10-29T12:00"),  # 10:00 UTC, after the change of summer time
    ("10-29T22:00", "10-30T05:00"),
    ("10-30T10:00", "10-30T12:00"),
    ("10-31T00:00", "11-01T00:00"),
]


def test_recurring_whole_day_floating_and_cancelled_events(tmp_path):
    (tmp_path / "x.ics").write_text(ics())
    assert events(tmp_path / "x.ics") == FOUND


class Server(HTTPServer):
    status, content, trickles = 200, ics().encode(), ()


@pytest.fixture
def server():
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(self.server.status)
            self.end_headers()
            with suppress(OSError):  # who asks may leave
                for some in [self.server.content, *self.server.trickles]:
                    self.wfile.write(some)
                    self.wfile.flush()
                    time.sleep(0.2 if self.server.trickles else 0)

        def log_message(self, *_):
            pass

    found = Server(("127.0.0.1", 0), Answer)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.shutdown(), found.server_close()


def test_a_calendar_that_a_server_has(server):
    address = f"http://127.0.0.1:{server.server_port}/x.ics"
    assert events(address) == FOUND
    server.status = 503
    assert events(address) == FOUND  # it is not asked again for each node
    calendars._read.clear()
    with pytest.raises(RolloutError) as refused:
        events(address)
    assert refused.value.reason == "CALENDAR_UNREADABLE" and "503" in refused.value.message


def test_a_server_that_fails_for_a_while_pauses_no_run(server, monkeypatch):
    address, asked = f"http://127.0.0.1:{server.server_port}/y.ics", []
    fetched = calendars._fetched
    monkeypatch.setattr(calendars, "_fetched", lambda source: asked.append(source) or fetched(source))
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(calendars, "time", SimpleNamespace(monotonic=lambda: clock.now))
    assert events(address) == FOUND
    server.status = 503
    clock.now += calendars.READ_AGAIN + 1
    assert events(address) == events(address) == FOUND
    assert len(asked) == 2  # who hangs would hold up the engine each time
    clock.now += calendars.TRY_AGAIN + 1
    server.status, server.content = 200, b"<html>Sorry</html>"
    assert events(address) == FOUND and len(asked) == 3
    server.status = 503
    clock.now += calendars.STANDS_IN
    with pytest.raises(RolloutError) as refused:
        events(address)
    assert refused.value.reason == "CALENDAR_UNREADABLE" and "503" in refused.value.message
    server.status, server.content = 200, ics("").encode()
    assert events(address) == []


def test_a_server_that_trickles_holds_nobody_up(server, monkeypatch):
    monkeypatch.setattr(calendars, "TIMEOUT", 1)
    server.trickles = [b"X-NOTHING:\r\n"] * 50
    began = time.monotonic()
    with pytest.raises(RolloutError) as refused:
        calendars.events(f"http://127.0.0.1:{server.server_port}/slow.ics", "UTC", 0.0, 1.0)
    assert refused.value.reason == "CALENDAR_UNREADABLE" and "within 1 s" in refused.value.message
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "content",
    ["", "nonsense", "<html></html>", HEAD, ics("BEGIN:VEVENT\nDTSTART:x\nEND:VEVENT\n"),
     ics("BEGIN:VEVENT\nUID:1\nRRULE:FREQ=NEVER\nDTSTART:20261029T100000Z\nEND:VEVENT\n")],
)  # fmt: skip
def test_what_is_no_calendar_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "x.ics").write_text(content)
    with pytest.raises(RolloutError) as refused:
        events(tmp_path / "x.ics")
    assert refused.value.reason == "CALENDAR_UNREADABLE" and "\n" not in str(refused.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(RolloutError) as refused:
        events(tmp_path / "none.ics")
    assert refused.value.reason == "CALENDAR_UNREADABLE" and "none.ics" in refused.value.message


def test_without_the_library_a_calendar_is_refused_by_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "recurring_ical_events", None)
    with pytest.raises(RolloutError) as refused:
        events(tmp_path / "x.ics")
    assert refused.value.reason == "LIBRARY_MISSING" and "recurring-ical-events" in refused.value.message
