"""A server counts as moved when Nova's record and its host agree, and a migration has an end in any case."""

from dataclasses import replace

import pytest

from openstack_rollout.cloud import migration, nova
from openstack_rollout.cloud.migration import BROKEN, FAILED, GONE, MOVED, Journey, Way
from openstack_rollout.cloud.migrations import Convoy, Slots
from openstack_rollout.cloud.nova import Guest, Migration
from tests.unit.clocks import no_sleep, time_with

VM = Guest("vm", "vm", "cmp1", "ACTIVE", "")


class Cloud:
    """What Nova would answer, as each test has it: the states that no lab can be brought into at will."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        self.guest = replace(VM, task="migrating")
        self.found = []
        self.asked = []
        monkeypatch.setattr(migration, "time", time_with(monotonic=lambda: self.now))
        monkeypatch.setattr(nova, "server", lambda cloud, server: self.guest)
        monkeypatch.setattr(nova, "migrations_of", lambda cloud, server: self.found)
        monkeypatch.setattr(nova, "migrations_from", lambda cloud, host: self.found)
        monkeypatch.setattr(nova, "live_migrate", lambda cloud, server, host: self.asked.append("live"))
        monkeypatch.setattr(nova, "abort", lambda cloud, one: self.asked.append("abort"))
        monkeypatch.setattr(nova, "force_complete", lambda cloud, one: self.asked.append("force"))

    def record(self, status, number=1):
        self.found = [Migration(number, "vm", "live-migration", status, "cmp1", "cmp2")]
        return self.found


@pytest.fixture
def cloud(monkeypatch):
    return Cloud(monkeypatch)


def journey(cloud, entry=None, **way):
    saved = []
    entry = {} if entry is None else entry
    made = Journey(cloud, VM, entry, lambda: saved.append((dict(entry), list(cloud.asked))), Way(**way))
    made.saved = saved
    return made


def test_the_record_is_written_before_nova_is_asked(cloud):
    one = journey(cloud)
    assert one.begin(0) is None
    entry, asked = one.saved[0]
    assert (entry["moving"], entry["source"], asked) == (True, "cmp1", [])
    assert cloud.asked == ["live"]


def test_a_server_has_moved_when_record_and_host_agree(cloud):
    one = journey(cloud)
    one.begin(0)
    assert one.look(cloud.record("running")) is None
    cloud.guest = replace(VM, host="cmp2")
    outcome = one.look(cloud.record("completed"))
    assert (outcome.state, outcome.to) == (MOVED, "cmp2")
    assert one.entry["moving"] is False
    assert one.entry["to"] == "cmp2"


@pytest.mark.parametrize(("host", "said"), [("cmp1", "it is still on cmp1"), ("cmp3", "it is on cmp3")])
def test_a_completed_migration_that_the_host_denies_is_a_failure(cloud, host, said):
    one = journey(cloud)
    one.begin(0)
    cloud.guest = replace(VM, host=host)
    outcome = one.look(cloud.record("completed"))
    assert outcome.state == BROKEN
    assert said in outcome.text


def test_the_record_may_end_before_the_task_does(cloud):
    one = journey(cloud)
    one.begin(0)
    assert one.look(cloud.record("completed")) is None
    cloud.now = 1000
    assert one.look(cloud.record("completed")).state == BROKEN


def test_an_older_migration_is_not_taken_for_ours(cloud):
    cloud.record("completed", number=7)
    one = journey(cloud)
    one.begin(7)
    assert one.ours(cloud.found) is None
    assert one.ours(cloud.record("queued", number=8)).number == 8


def test_a_request_that_nova_forgot_has_failed(cloud):
    one = journey(cloud)
    one.begin(0)
    cloud.guest = VM
    assert one.look([]) is None
    cloud.now = 31
    assert one.look([]).state == FAILED


def test_at_its_limit_a_migration_is_aborted_and_the_server_stays(cloud):
    one = journey(cloud, limit=100)
    one.begin(0)
    cloud.now = 50
    assert one.look(cloud.record("preparing")) is None
    assert one.look(cloud.record("running")) is None  # from here on it counts
    cloud.now = 149
    assert one.look(cloud.record("running")) is None
    assert cloud.asked == ["live"]
    cloud.now = 151
    assert one.look(cloud.record("running")) is None
    assert cloud.asked == ["live", "abort"]
    cloud.guest = VM
    outcome = one.look(cloud.record("cancelled"))
    assert (outcome.state, outcome.timed_out) == (FAILED, True)


def test_what_can_be_neither_finished_nor_aborted_is_broken(cloud):
    one = journey(cloud, limit=100)
    one.begin(0)
    for now in (0, 101, 162):
        cloud.now = now
        outcome = one.look(cloud.record("running"))
    assert outcome.state == BROKEN
    one = journey(cloud, limit=100)
    one.begin(0)
    for now in (300, 500):
        cloud.now = now
        outcome = one.look(cloud.record("post-migrating", 2))
    assert outcome.state == BROKEN


def test_force_complete_comes_before_the_abort(cloud):
    one = journey(cloud, limit=100, on_timeout="force_complete")
    one.begin(0)
    for now in (0, 101, 150, 202):
        cloud.now = now
        assert one.look(cloud.record("running")) is None
    assert cloud.asked == ["live", "force", "abort"]


def test_a_killed_drain_takes_its_migration_up_again(cloud):
    cloud.record("running", number=5)
    one = journey(cloud, {"moving": True, "source": "cmp1", "after": 4})
    assert one.begin(0) is None
    assert cloud.asked == []
    cloud.guest = replace(VM, host="cmp2")
    assert one.look(cloud.record("completed", number=5)).state == MOVED


def test_a_server_in_error_stops_the_convoy_and_a_deleted_one_does_not(cloud):
    cloud.guest = None
    one = journey(cloud)
    one.begin(0)
    assert one.look(cloud.record("running")) is None
    assert one.look(cloud.record("error")).state == GONE
    cloud.guest = replace(VM, status="ERROR")
    assert one.look(cloud.record("error")).state == BROKEN


def test_what_nova_has_in_its_queue_behind_another_has_no_limit_yet(cloud):
    one = journey(cloud, limit=100)
    one.begin(0)
    queued = cloud.record("queued", number=2)
    ahead = Migration(1, "other", "live-migration", "running", "cmp1", "cmp2")
    for cloud.now in (90, 180, 270):
        assert one.look([*queued, ahead]) is None
    assert cloud.asked == ["live"]
    cloud.now = 380
    assert one.look([*queued, replace(ahead, status="completed")]) is None
    assert cloud.asked == ["live", "abort"]


def test_a_convoy_tries_twice_and_then_tells(cloud, monkeypatch):
    monkeypatch.setattr("openstack_rollout.cloud.migrations.time", no_sleep())
    cloud.guest = VM
    made = []

    def make(server):
        cloud.found = []
        made.append(journey(cloud))
        return made[-1]

    original = nova.live_migrate

    def fails_at_once(cloud_, server, host):
        original(cloud_, server, host)
        cloud.record("failed", number=len(made))

    monkeypatch.setattr(nova, "live_migrate", fails_at_once)
    slots = Slots(1, 1)
    ended = Convoy(cloud, slots, make).run(["vm"])
    assert ended["vm"].state == FAILED
    assert len(made) == 2
    assert slots.take("cmp1")


def test_slots_bound_a_host_and_the_cloud():
    slots = Slots(per_host=2, per_cloud=3)
    assert [slots.take(host) for host in ("a", "a", "a", "b", "b")] == [True, True, False, True, False]
    slots.give("a")
    assert slots.take("b")
