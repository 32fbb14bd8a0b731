"""ovn_wait: what a setting should be by what a chassis takes, and what of somebody else's stays."""

from __future__ import annotations

import pytest

from openstack_rollout.node import ovn_wait

CHASSIS = {"have": "", "theirs": "", "longest": 500, "flows": 1000, "by_itself": False}
VERSION = "ovn-controller {}\nOpen vSwitch Library 3.5.0\nOpenFlow versions 0x6:0x6\n"


def asked(wait, back=None):
    return {"wait_before_clear": wait, "back": back}


def due(wait, back=None, **changes):
    found = {**CHASSIS, **changes}
    return ovn_wait.due(asked(wait, back), {**found, "theirs": changes.get("theirs", found["have"])})


@pytest.mark.parametrize(
    ("longest", "flows", "own", "wanted"),
    [
        (None, None, None, 20_000),
        (500, None, None, 22_000),
        (500, 100_000, None, 68_000),
        (10**6, None, None, 300_000),
        (500, None, "8000", 22_000),
        (500, None, "60000", 60_000),
        (500, None, "400000", 400_000),
    ],
)
def test_a_change_has_what_a_computation_takes_within_bounds_and_never_less_than_what_is_set(
    longest, flows, own, wanted
):
    assert ovn_wait.of_a_change(longest, flows, own) == wanted


@pytest.mark.parametrize(
    ("text", "value"), [(None, 0), ("", 0), ("8000", 8000), ("-1", 0), ("8 s", 0), ("٣", 0)]
)
def test_a_setting_is_read_as_ovn_reads_it(text, value):
    assert ovn_wait.milliseconds(text) == value


@pytest.mark.parametrize(
    ("text", "ignores"),
    [("25.03.2", False), ("24.09.1", False), ("25.09.0", True), ("26.03.0", True)],
)
def test_newer_controllers_ignore_the_setting(text, ignores):
    assert ovn_wait.waits_by_itself(VERSION.format(text)) is ignores
    assert not ovn_wait.waits_by_itself("")


@pytest.mark.parametrize(
    ("longest", "flows", "wanted"),
    [
        (500, 1000, "8000"),
        (None, None, "8000"),
        (3000, 1000, "12000"),
        (2600, 1000, "11000"),
        (100, 100_000, "48000"),
        (20_000, 100_000, "80000"),
        (10**6, 100_000, "300000"),
    ],
)
def test_it_is_sized_by_the_longest_computation_or_by_the_flows(longest, flows, wanted):
    assert due("auto", longest=longest, flows=flows) == wanted
    assert due("auto", longest=longest, flows=flows, have=wanted) is None


@pytest.mark.parametrize(
    ("have", "wanted"),
    [("", "48000"), ("8000", "48000"), ("23000", "48000"), ("24000", None), ("90000", None)],
)
def test_what_is_twice_a_computation_is_enough_and_what_is_longer_stays(have, wanted):
    assert due("auto", have=have, flows=100_000) == wanted


def test_a_chassis_that_is_empty_now_keeps_what_ours_was_sized_for():
    assert due("auto", have="48000", theirs="", flows=50) is None


def test_a_controller_that_waits_by_itself_needs_nothing():
    assert due("auto", flows=100_000, by_itself=True) is None
    assert due(9000, by_itself=True) == "9000"


@pytest.mark.parametrize(
    ("have", "theirs", "wanted"),
    [
        ("", "", "5000"),
        ("5000", "", None),
        ("9000", "", "5000"),
        ("8000", "8000", None),
        ("48000", "8000", "8000"),
        ("3000", "3000", "5000"),
    ],
)
def test_a_number_is_set_and_shortens_what_is_ours_alone(have, theirs, wanted):
    assert due(5000, have=have, theirs=theirs) == wanted


def test_zero_is_a_number():
    assert due(0, have="9000", theirs="") == "0" and due(0) is None


@pytest.mark.parametrize("wait", ["keep", "auto", 5000])
@pytest.mark.parametrize(("have", "theirs"), [("48000", "8000"), ("", ""), ("8000", "8000")])
def test_a_rollback_brings_back_what_was_there_whatever_is_declared(wait, have, theirs):
    for back in ("", "8000", "48000"):
        assert due(wait, back, have=have, theirs=theirs) == (None if have == back else back)


def test_nothing_is_due_where_nobody_asks_or_there_is_no_chassis():
    assert due("keep", have="3000", flows=10**6) is None
    assert ovn_wait.due(None, CHASSIS) is None and ovn_wait.due(asked("auto"), None) is None
    assert not ovn_wait.is_asked(None) and not ovn_wait.is_asked(asked("keep"))
    assert ovn_wait.is_asked(asked("auto")) and ovn_wait.is_asked(asked("keep", ""))


@pytest.mark.parametrize(
    ("wait", "back", "theirs", "stays"),
    [(5000, None, "8000", True), (8000, None, "8000", False), ("auto", None, "8000", False),
     ("keep", None, "8000", False), (5000, "8000", "8000", False)],
)  # fmt: skip
def test_what_somebody_else_has_set_is_told_where_it_stays(wait, back, theirs, stays):
    assert ovn_wait.theirs_stays(asked(wait, back), {**CHASSIS, "theirs": theirs}) is stays
    assert not ovn_wait.theirs_stays(asked(wait, back), None)
