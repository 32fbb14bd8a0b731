"""No node starts that is not expected to end inside its window, whatever the calendar and the clock do."""

from __future__ import annotations

import json
import random
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from openstack_rollout.declared.model import Model
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.run_record import RunState
from openstack_rollout.rollout import control, reopening
from openstack_rollout.rollout.dry_run import dry_run
from openstack_rollout.rollout.openings import Openings, first_at
from openstack_rollout.rollout.window import Node
from tests.unit.simulated_fleet import DRAIN, Cloud, Killed, refusal

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600.0
NODE = Node("cmp1", "compute")


def at(text, zone=BERLIN, fold=0):
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def openings(window, now=0.0, **more):
    model = Model.model_validate({"window": {"timezone": "Europe/Berlin", **window}, **more})
    return Openings(model, clock=lambda: now)


def when(window, now, seconds=0.0, **more):
    found = openings(window, **more).opening("compute", "ovn", seconds, at(now))
    return found and f"{datetime.fromtimestamp(found, BERLIN):%Y-%m-%dT%H:%M%z}"


NIGHT = {"from": "22:00", "to": "05:00"}


@pytest.mark.parametrize(
    ("now", "seconds", "then"),
    [
        ("2026-06-03T12:00", 0, "2026-06-03T22:00+0200"),
        ("2026-06-03T23:00", 0, "2026-06-03T23:00+0200"),
        ("2026-06-04T01:00", 4 * HOUR, "2026-06-04T01:00+0200"),
        ("2026-06-04T01:01", 4 * HOUR, "2026-06-04T22:00+0200"),
        ("2026-06-04T05:00", 0, "2026-06-04T22:00+0200"),
        ("2026-06-03T21:00", 7 * HOUR, "2026-06-03T22:00+0200"),
        ("2026-06-03T21:00", 7 * HOUR + 1, "2026-10-24T22:00+0200"),
        # Clocks go forward in the night to March 29th, which is an hour shorter, and back to October 25th.
        ("2026-03-28T12:00", 6 * HOUR, "2026-03-28T22:00+0100"),
        ("2026-03-28T12:00", 7 * HOUR, "2026-03-29T22:00+0200"),
        ("2026-10-24T12:00", 8 * HOUR, "2026-10-24T22:00+0200"),
        ("2026-10-23T12:00", 8 * HOUR, "2026-10-24T22:00+0200"),
    ],
)
def test_a_window_over_midnight_and_over_changes_of_summer_time(now, seconds, then):
    assert when(NIGHT, now, seconds) == then


def test_the_day_of_a_window_is_the_one_on_which_it_opens():
    friday = {**NIGHT, "days": ["fri"]}
    assert when(friday, "2026-06-06T04:00") == "2026-06-06T04:00+0200"  # a Saturday
    assert when(friday, "2026-06-05T04:00") == "2026-06-05T22:00+0200"
    whole = {"days": "sat-sun"}
    assert when(whole, "2026-06-05T12:00", 48 * HOUR) == "2026-06-06T00:00+0200"
    assert when(whole, "2026-06-05T12:00", 48 * HOUR + 1) == "2026-10-24T00:00+0200"  # with an hour more


@pytest.mark.parametrize(
    ("day", "minutes", "found"),
    [
        (date(2026, 3, 29), 120, at("2026-03-29T03:00")),  # 2:00 to 3:00 are skipped
        (date(2026, 3, 29), 150, at("2026-03-29T03:00")),
        (date(2026, 3, 29), 180, at("2026-03-29T03:00")),
        (date(2026, 3, 29), 119, at("2026-03-29T01:59")),
        (date(2026, 10, 25), 150, at("2026-10-25T02:30", fold=0)),  # twice: the first time
        (date(2026, 10, 25), 1440, at("2026-10-26T00:00")),
    ],
)
def test_times_that_are_skipped_or_come_twice(day, minutes, found):
    assert first_at(BERLIN, day, minutes) == found


def test_a_window_that_lies_in_the_skipped_hour_does_not_open_that_day():
    assert when({"from": "02:15", "to": "02:45"}, "2026-03-29T00:00", 60) == "2026-03-30T02:15+0200"


def test_every_night_of_two_years_is_as_long_as_the_clocks_say():
    found = openings(NIGHT)
    for day in range(730):
        noon = at("2026-01-01T12:00") + day * 86400
        begin = found.opening("compute", "ovn", 0.0, noon)
        clock = datetime.fromtimestamp(begin, BERLIN)
        assert (clock.hour, clock.minute) == (22, 0)
        longest = max(
            hours for hours in (6, 7, 8) if found.opening("compute", "ovn", hours * HOUR, noon) == begin
        )
        closes = datetime.fromtimestamp(begin + longest * HOUR, BERLIN)
        assert (closes.hour, closes.minute) == (5, 0)


def test_blackout_dates_cut_a_window_also_in_its_middle():
    black = {**NIGHT, "blackout": ["2026-12-24/2026-12-26"]}
    assert when(black, "2026-12-23T12:00", 2 * HOUR) == "2026-12-23T22:00+0100"
    assert when(black, "2026-12-23T12:00", 2 * HOUR + 1) == "2026-12-27T00:00+0100"
    assert when(black, "2026-12-25T23:00", 60) == "2026-12-27T00:00+0100"
    assert when({"blackout": ["2026-12-24"]}, "2026-12-24T10:00") == "2026-12-25T00:00+0100"


def test_a_role_has_its_own_window_and_the_blackout_dates_of_the_cloud():
    own = {"policies": {"compute": {"window": {"from": "10:00", "to": "11:00", "timezone": "Europe/Berlin"}}}}
    cloud = {**NIGHT, "blackout": ["2026-06-03"]}
    assert when(cloud, "2026-06-02T22:30", **own) == "2026-06-04T10:00+0200"
    assert openings(cloud, **own).opening("gateway", "ovn", 0, at("2026-06-02T23:00")) == at(
        "2026-06-02T23:00"
    )


def test_without_a_window_anything_may_start_at_any_time():
    found = Openings(Model.model_validate({}))
    assert found.refusal(NODE, "ovn", 1e9) is None


def test_a_refusal_names_the_node_the_key_and_when_it_may_start():
    error = openings(NIGHT, at("2026-06-04T04:00")).refusal(NODE, "ovn", 2 * HOUR)
    assert error.reason == "WINDOW_CLOSED" and error.nodes == ("cmp1",)
    assert error.closed.opens == at("2026-06-04T22:00")
    for said in ("cmp1", "7200 s", "2026-06-04 05:00 CEST", "2026-06-04 22:00 CEST", "openstack:window"):
        assert said in error.message
    assert openings(NIGHT, at("2026-06-04T03:00")).refusal(NODE, "ovn", 2 * HOUR) is None


def test_a_node_that_fits_into_no_window_is_told_apart_from_one_that_waits():
    error = openings(NIGHT, at("2026-06-04T23:00")).refusal(NODE, "ovn", 9 * HOUR)
    assert error.reason == "WINDOW_TOO_SHORT" and "openstack:window" in error.message


def test_a_calendar_that_cannot_be_read_refuses():
    model = Model.model_validate({"window": {"calendar": "/srv/x.ics"}})
    assert Openings(model).refusal(NODE, "ovn", 60).reason == "CALENDAR_UNREADABLE"


def test_a_calendar_says_when_it_is_open_and_is_read_anew_after_a_while():
    asked, clock = [], [0.0]

    def events(source, timezone, begin, end):
        asked.append((source, timezone))
        return [
            (at("2026-06-04T10:00"), at("2026-06-04T11:00")),
            (at("2026-06-04T11:00"), at("2026-06-04T12:00")),
        ]

    window = {"calendar": "/srv/x.ics", "timezone": "Europe/Berlin", "blackout": ["2026-06-05"]}
    found = Openings(Model.model_validate({"window": window}), events, monotonic=lambda: clock[0])
    for _ in range(3):
        assert found.opening("compute", "ovn", 2 * HOUR, at("2026-06-03T00:00")) == at("2026-06-04T10:00")
    assert asked == [("/srv/x.ics", "Europe/Berlin")]
    clock[0] = 600.0
    found.opening("compute", "ovn", 0, at("2026-06-03T00:00"))
    assert len(asked) == 2


# The window in a run. The simulated time begins on 1970-01-12 at 13:46 UTC.


@pytest.fixture
def cloud():
    found = Cloud(controller=1, gateway=1, compute=6)
    found.policy("compute", batch=2, drain=DRAIN)
    return found


def goes_on(cloud, master, most=400):
    """Begin, and go on whenever the window opens; returns how often it was closed."""
    for closed in range(most):
        try:
            assert master.update()["state"] == "completed"
            return closed
        except RolloutError as error:
            assert error.reason == "WINDOW_CLOSED", error
            assert master.run.state is RunState.PAUSED and master.lock.holder() is None
            cloud.now = max(cloud.now, master.run.closed.opens - cloud.stepped)
    raise AssertionError("it never ends")


def steps_outside(cloud, master, window):
    """The steps of the last run that were not inside a window of UTC, in seconds of a day."""
    opens, closes = window
    return [
        (node, step)
        for node, record in master.journal.nodes(master.run.id).items()
        for step in record.history
        if step.step in ("prefetch", "drain", "apply", "restore", "reboot")
        and not (opens <= step.started % 86400 and step.finished - (step.started // 86400) * 86400 <= closes)
    ]


@pytest.mark.parametrize("seed", range(20))
def test_with_random_durations_no_node_starts_that_does_not_end_in_time(cloud, master, seed):
    rng = random.Random(seed)
    cloud.policy("compute", batch=2, **({"drain": DRAIN} if seed % 4 == 0 else {}))
    length = 3600 if seed % 4 == 0 else 1200

    def shake():
        for node in cloud.nodes.values():
            node.seconds = rng.uniform(5, 100)

    master.before_poll = shake
    shake()
    cloud.openstack["window"] = {"from": "02:00", "to": "03:00" if length == 3600 else "02:20"}
    closed = 0
    for version in ("1.0.1", "1.0.2"):
        cloud.openstack["target_version"] = version
        closed += goes_on(cloud, master)
        assert steps_outside(cloud, master, (2 * HOUR, 2 * HOUR + length)) == []
        assert all(set(node.at.values()) == {version} for node in cloud.nodes.values())
    assert closed >= 2


def test_a_closed_window_starts_nothing_and_says_when_it_goes_on(cloud, master):
    cloud.openstack["window"] = {"from": "02:00", "to": "04:00"}
    error = refusal(master.update)
    assert error.reason == "WINDOW_CLOSED" and cloud.statuses("prefetch") == []
    assert master.run.reason == "WINDOW_CLOSED" and master.run.closed.opens % 86400 == 2 * HOUR
    assert master.run.closed.stage == "prefetch"
    assert control.report(master.journal)["run"]["reason"] == "WINDOW_CLOSED"


def test_images_may_be_fetched_before_the_window_where_the_operator_says_so(cloud, master):
    cloud.openstack["window"] = {"from": "02:00", "to": "04:00", "prefetch": "any_time"}
    assert refusal(master.update).reason == "WINDOW_CLOSED"
    assert len(cloud.statuses("prefetch", "succeeded")) == len(cloud.nodes)
    assert cloud.statuses("apply") == [] and master.run.closed.stage == "ovn"


def test_those_in_flight_finish_when_the_window_closes(cloud, master):
    cloud.openstack["window"] = {"from": "13:00", "to": "14:30"}
    cloud.nodes["compute1"].seconds = cloud.nodes["compute2"].seconds = 4000.0
    assert refusal(master.update).reason == "WINDOW_CLOSED"
    records = master.journal.nodes(master.run.id)
    assert not [node for node, record in records.items() if record.state == "in_flight"]
    assert cloud.ended == []


def test_a_role_that_is_closed_holds_up_those_after_it_and_not_those_before(cloud, master):
    cloud.policy("gateway", window={"from": "02:00", "to": "04:00"})
    assert refusal(master.update).reason == "WINDOW_CLOSED"
    # Each role prefetches in its own window; the gateway is the first that waits.
    assert master.run.closed.role == "gateway" and "gateway1" not in cloud.statuses("prefetch")


def test_a_group_has_its_own_window_and_holds_up_those_after_it(cloud, master):
    groups = {"a": "compute1", "b": "compute2", "c": "compute3"}
    cloud.policy("compute", batch=3, groups=groups, group_windows={"b": {"from": "02:00", "to": "04:00"}})
    cloud.openstack["window"] = {"from": "12:00", "to": "20:00", "prefetch": "any_time"}
    cloud.openstack["policies"]["compute"]["group_windows"]["b"]["prefetch"] = "any_time"
    cloud.now = 13 * HOUR
    error = refusal(master.update)
    assert error.reason == "WINDOW_CLOSED" and error.nodes == ("compute2",)
    assert "openstack:policies:compute:group_windows:b" in error.message
    assert master.run.closed.group == "b" and master.run.closed.opens % 86400 == 2 * HOUR
    assert cloud.applied[-1] == ("ovn", "compute1") and ("ovn", "compute3") not in cloud.applied
    openings = Openings(cloud.model, clock=cloud.clock)
    assert not reopening.may_go_on(master.run, openings, cloud.now)
    assert reopening.may_go_on(master.run, openings, master.run.closed.opens)
    assert goes_on(cloud, master) > 2
    hours = {step.started % 86400 // HOUR for step in master.journal.node(master.run.id, "compute2").history
             if step.step == "apply"}  # fmt: skip
    assert hours <= {2, 3}


def test_killed_in_a_closed_window_it_comes_to_the_same_decision(cloud, master):
    cloud.openstack["window"] = {"from": "13:00", "to": "15:00"}

    def kill():
        if "compute1" in cloud.statuses("apply", stage="ovn"):
            master.before_poll = lambda: None
            raise Killed

    master.before_poll = kill
    with pytest.raises(Killed):
        master.update()
    run, applied = master.run.id, list(cloud.applied)
    cloud.now += 6 * HOUR
    for _ in range(2):
        error = refusal(master.update)
        assert error.reason == "WINDOW_CLOSED" and cloud.applied == applied
        assert master.run.id == run and master.run.closed.opens % 86400 == 13 * HOUR
    assert goes_on(cloud, master) < 10 and master.run.id == run
    assert master.run.closed is None or master.run.reason == ""


def test_workloads_come_back_in_a_closed_window(cloud, master):
    cloud.openstack["window"] = {"from": "13:00", "to": "23:00"}
    cloud.nodes["compute1"].faults["ovs/apply"] = "OVS_FAILED"
    refusal(master.update)
    assert master.drain.lives["compute1"] == []
    cloud.nodes["compute1"].faults.clear()
    cloud.nodes["compute1"].at["ovs"] = cloud.nodes["compute1"].at["system"] = "1.0.1"
    cloud.now += 12 * HOUR
    assert refusal(master.update).reason == "WINDOW_CLOSED"
    assert master.drain.lives["compute1"] != []


@pytest.mark.parametrize(
    ("jump", "reason"), [(10 * HOUR, "WINDOW_CLOSED"), (-2 * HOUR, "WINDOW_CLOSED"), (60.0, "")]
)
def test_a_clock_that_jumps_is_believed_as_soon_as_it_did(cloud, master, jump, reason):
    cloud.openstack["window"] = {"from": "13:00", "to": "23:00"}

    def step():
        if "compute1" in cloud.statuses("apply", stage="ovn"):
            cloud.stepped = jump

    master.before_poll = step
    if not reason:
        assert master.update()["state"] == "completed"
        return
    error = refusal(master.update)
    assert error.reason == reason
    started = cloud.statuses("apply", stage="ovn")
    assert set(started) <= {"controller1", "gateway1", "compute1", "compute2"}


def test_the_plan_knows_how_long_the_window_is_closed(cloud, master):
    master.update()
    cloud.openstack["target_version"] = "1.0.2"
    before = dry_run(cloud.model, master.ports(), lambda nodes, stage: {})["estimate"]
    cloud.openstack["window"] = {"from": "02:00", "to": "04:00"}
    estimate = dry_run(cloud.model, master.ports(), lambda nodes, stage: {})["estimate"]
    assert estimate["seconds"] > before["seconds"] + 6 * HOUR
    assert 2 * HOUR <= estimate["end"] % 86400 <= 4 * HOUR and estimate["begins"] % 86400 == 2 * HOUR
    goes_on(cloud, master)
    assert cloud.clock() == pytest.approx(estimate["end"], abs=1500)


def test_a_window_that_is_edited_counts_in_the_run_under_way(cloud, master):
    cloud.openstack["window"] = {"from": "13:00", "to": "23:00"}

    def shut():
        if "compute2" in cloud.statuses("apply", stage="ovn"):
            cloud.openstack["window"] = {"from": "02:00", "to": "04:00"}

    cloud.seconds = 200.0
    master.before_poll = shut
    assert refusal(master.update).reason == "WINDOW_CLOSED"
    assert cloud.statuses("apply", stage="control_plane") == []


def test_an_older_journal_without_what_is_waited_for_is_read(cloud, master):
    cloud.openstack["window"] = {"from": "02:00", "to": "04:00"}
    refusal(master.update)
    bank = master.store.banks["openstack/rollout/runs"]
    old = json.loads(bank[master.run.id])
    del old["closed"], old["planned"]
    bank[master.run.id] = json.dumps(old)
    assert master.run.closed is None and refusal(master.update).reason == "WINDOW_CLOSED"
