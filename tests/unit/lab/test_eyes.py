"""What the suite of eyes makes of what was seen: the looks at a page, and who was in flight."""

from datetime import UTC, datetime
from types import SimpleNamespace

from tests.lab.acceptance.eyes.page import test_scale
from tests.lab.acceptance.eyes.page.seconds import late
from tests.lab.acceptance.eyes.test_monitoring import flights, inside

HEADS = ["Node", "Role", "Zone", "State", "ovn", "Why"]


def event(at, node, status, step="apply", stage="ovn", **more):
    stamp = datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat()
    told = {"at": float(at), "_stamp": stamp, "node": node, "stage": stage, "round": ""}
    return {**told, "step": step, "status": status, **more}


EVENTS = [
    event(100, "cmp1", "started"),
    event(101, "cmp2", "started"),
    event(110, "cmp1", "succeeded", "verify"),
    event(111, "cmp2", "succeeded", "verify"),
    event(900, "cmp1", "started", stage="ovs"),
    event(910, "cmp1", "failed", stage="ovs"),
]


def look(at, **cells):
    return {"at": at, "heads": HEADS, "rows": [[node, "", "", "", cell, ""] for node, cell in cells.items()]}


def lateness(*looks):
    return list(late(looks, EVENTS[:4]))


def test_a_page_is_late_by_the_time_since_what_it_shows_was_over():
    assert lateness(look(99.0, cmp1="", cmp2="")) == []
    assert lateness(look(100.5, cmp1="▶ apply", cmp2="")) == [0.0]
    assert lateness(look(104.0, cmp1="", cmp2="▶ apply")) == [4.0]
    assert lateness(look(120.0, cmp1="✔ done", cmp2="▶ apply")) == [9.0]


def test_a_page_may_see_nodes_at_moments_of_their_own_but_nothing_that_never_was():
    assert lateness(look(112.0, cmp1="▶ apply", cmp2="✔ done")) == [2.0]
    assert lateness(look(112.0, cmp1="✖ failed", cmp2="✔ done")) == [None]


def test_a_node_is_in_flight_stage_by_stage_and_not_between_them():
    near = flights(SimpleNamespace(steps=lambda: EVENTS))
    assert near["cmp1"] == [(100.0, 110.0), (900.0, 910.0)]
    assert inside((110.0, 110.0), near["cmp1"], 20) and not inside((500.0, 500.0), near["cmp1"], 20)


def test_the_events_of_a_thousand_nodes_are_events():
    assert test_scale.told("run", "cmp1", 0).plain()["in_flight"] == 1
