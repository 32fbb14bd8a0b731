"""How late a page is, by what it showed and by the events."""

from tests.lab.acceptance.eyes.page.seconds import late

HEADS = ["Node", "Role", "Zone", "State", "ovn", "Why"]


def event(at, node, status, step="apply"):
    return {"at": float(at), "node": node, "stage": "ovn", "step": step, "status": status}


EVENTS = [
    event(100, "cmp1", "started"),
    event(101, "cmp2", "started"),
    event(110, "cmp1", "succeeded", "verify"),
    event(111, "cmp2", "succeeded", "verify"),
]


def look(at, **cells):
    return {"at": at, "heads": HEADS, "rows": [[node, "", "", "", cell, ""] for node, cell in cells.items()]}


def lateness(*looks):
    return list(late(looks, EVENTS))


def test_a_page_is_late_by_the_time_since_what_it_shows_was_over():
    assert lateness(look(99.0, cmp1="", cmp2="")) == []
    assert lateness(look(100.5, cmp1="▶ apply", cmp2="")) == [0.0]
    assert lateness(look(104.0, cmp1="", cmp2="▶ apply")) == [4.0]
    assert lateness(look(120.0, cmp1="✔ done", cmp2="▶ apply")) == [9.0]


def test_a_page_may_see_nodes_at_moments_of_their_own_but_nothing_that_never_was():
    assert lateness(look(112.0, cmp1="▶ apply", cmp2="✔ done")) == [2.0]
    assert lateness(look(112.0, cmp1="✖ failed", cmp2="✔ done")) == [None]
