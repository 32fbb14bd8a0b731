"""What guests felt, in words: in each kind of report, and nowhere where nobody probed."""

from __future__ import annotations

import pytest

from openstack_rollout.screens import felt, html, live, markdown, tables
from tests.unit.screens.accounts import EVIL, updated
from tests.unit.screens.test_html import Page

APPLY = {"node": "cmp1", "stage": "ovs", "round": "", "step": "apply"}
OTHER = {"node": "cmp2", "stage": "services", "round": "second", "step": "drain"}


def gap(begun, seconds, *causes, cut=False, lasts=False):
    of = {"from": begun, "to": begun + seconds, "seconds": seconds, "lost": 2}
    return {**of, "cut": cut, "lasts": lasts, "causes": list(causes)}


def guest(server="", address="203.0.113.7", *gaps, **more):
    seconds = [one["seconds"] for one in gaps]
    of = {"server": server, "id": "", "address": address, "problem": "", "sent": 100, "answered": 98}
    told = {"seconds": sum(seconds), "longest": max(seconds, default=0.0), "forgotten": 0, "gaps": list(gaps)}
    return {**of, **told, **more}


def audit(*guests, **more):
    of = {"by": "", "how": "ping", "apart": 1.0, "problem": "", "unknown": [], "guests": list(guests)}
    return {**of, **more}


def test_rows_of_guests():
    rows = felt.rows(
        audit(
            guest("web", "203.0.113.7", gap(0, 2.5, APPLY), gap(10, 90, OTHER)),
            guest("", "203.0.113.8", answered=100),
            guest("", "203.0.113.9", answered=0),
            guest("db", "", problem="no server is called db", sent=0, answered=0),
            guest("many", "203.0.113.10", gap(0, 1), forgotten=7),
        )
    )
    assert rows == [
        ("web", "203.0.113.7", "2", "1 min 30 s", "1 min 32 s", "100", "2"),
        ("203.0.113.8", "", "0", "", "", "100", "0"),
        ("203.0.113.9", "", "never answered", "", "", "100", "100"),
        ("db", "", "not probed: no server is called db", "", "", "", ""),
        ("many", "203.0.113.10", "8 (the longest 1 are told)", "1.0 s", "1.0 s", "100", "2"),
    ]


@pytest.mark.parametrize(
    ("one", "took", "cause"),
    [
        (gap(0, 2.5, APPLY), "2.5 s", "cmp1 ovs/apply"),
        (gap(0, 2.5, APPLY, OTHER), "2.5 s", "one of: cmp1 ovs/apply, cmp2 services/second/drain"),
        (gap(0, 2.5, cut=True), "2.5 s or longer", "no step of the run"),
        (gap(0, 2.5, APPLY, lasts=True), "2.5 s, it lasts", "cmp1 ovs/apply"),
    ],
)
def test_a_gap_and_what_it_is_put_down_to(one, took, cause):
    assert felt.gaps(audit(guest("web", "203.0.113.7", one))) == [
        ("web 203.0.113.7", "1970-01-01 00:00:00 UTC", took, "2", cause)
    ]


def test_how_it_was_probed_and_when_nobody_did():
    told = felt.lines(
        audit(by="ctl1", apart=2.5, unknown=[{"from": 0.0, "to": 75.0}], problem="ctl1: no answer")
    )
    assert told == [
        "Probed by ctl1, ping, each address every 2.5 s, by the run's own clock.",
        "Nobody probed from 1970-01-01 00:00:00 UTC to 1970-01-01 00:01:15 UTC (1 min 15 s): what guests felt"
        " then is not known.",
        "Nobody probes any more: ctl1: no answer",
    ]


def test_each_report_tells_it_and_what_comes_from_elsewhere_is_text(tmp_path):
    data = updated(tmp_path, controller=1, compute=3)
    without = [html.render(data, 0.0), markdown.render(data, 0.0), tables.report(data)]
    assert all("guest" not in one.lower() for one in without)
    data["audit"] = audit(guest(EVIL, "203.0.113.7", gap(0, 2.5, APPLY), problem=EVIL), by=EVIL, problem=EVIL)
    page = html.render(data, 0.0)
    read = Page(page)
    assert (
        "script" not in read.tags and 'id="guests"' in page and "cmp1 ovs/apply" in page and "(1 gap)" in page
    )
    text = markdown.render(data, 0.0)
    assert "\n## What the guests felt\n" in text and "\n## Gaps of guests\n" in text and "<script" not in text
    said = tables.report(data)
    assert "PUT DOWN TO" in said and "cmp1 ovs/apply" in said


def test_the_live_page_is_told_the_rows(tmp_path):
    here = {"asked": "", "questions": [], "planned": {}, "newest": 0.0, "counts": {}}
    data = updated(tmp_path, controller=1, compute=3) | here
    assert live.state(data, 0.0, [])["felt"] == []
    data["audit"] = audit(guest("web", "203.0.113.7", gap(0, 2.5, APPLY)))
    assert live.state(data, 0.0, [])["felt"] == [["web", "203.0.113.7", "1", "2.5 s", "2.5 s", "100", "2"]]
