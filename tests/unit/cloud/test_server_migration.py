"""A server counts as moved when Nova's record and its host agree, and every migration ends."""

from dataclasses import replace

import pytest

from openstack_rollout.cloud import faults, nova, server_migration
from openstack_rollout.cloud.migrations import MigrationLimit, Migrations
from openstack_rollout.cloud.nova import Migration, Server
from openstack_rollout.cloud.server_migration import MigrationRequest, MigrationState, ServerMigration
from tests.unit.clocks import no_sleep, time_with

VM = Server("vm", "vm", "cmp1", "ACTIVE", "")


class Cloud:
    """What Nova would answer, as each test has it: the states that no lab can be brought into at will."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        self.server = replace(VM, task="migrating")
        self.found = []
        self.asked = []
        monkeypatch.setattr(server_migration, "time", time_with(monotonic=lambda: self.now))
        self.fault = ""
        monkeypatch.setattr(faults, "why", lambda cloud, server: self.fault)
        monkeypatch.setattr(nova, "find_server", lambda cloud, server: self.server)
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


def migration(cloud, entry=None, **request):
    saved = []
    entry = {} if entry is None else entry

    def save():
        saved.append((dict(entry), list(cloud.asked)))

    made = ServerMigration(cloud, VM, entry, save, MigrationRequest(**request))
    made.saved = saved
    return made


def test_the_record_is_written_before_nova_is_asked(cloud):
    one = migration(cloud)
    assert one.start(0) is None
    entry, asked = one.saved[0]
    assert (entry["in_progress"], entry["source"], asked) == (True, "cmp1", [])
    assert cloud.asked == ["live"]


def test_a_server_has_moved_when_record_and_host_agree(cloud):
    one = migration(cloud)
    one.start(0)
    assert one.poll(cloud.record("running")) is None
    cloud.server = replace(VM, host="cmp2")
    result = one.poll(cloud.record("completed"))
    assert (result.state, result.host) == (MigrationState.MOVED, "cmp2")
    assert one.entry["in_progress"] is False
    assert one.entry["host"] == "cmp2"


@pytest.mark.parametrize(("host", "said"), [("cmp1", "it is still on cmp1"), ("cmp3", "it is on cmp3")])
def test_a_completed_migration_that_the_host_denies_is_a_failure(cloud, host, said):
    one = migration(cloud)
    one.start(0)
    cloud.server = replace(VM, host=host)
    result = one.poll(cloud.record("completed"))
    assert result.state == MigrationState.BROKEN
    assert said in result.text


def test_the_record_may_end_before_the_task_does(cloud):
    one = migration(cloud)
    one.start(0)
    assert one.poll(cloud.record("completed")) is None
    cloud.now = 1000
    assert one.poll(cloud.record("completed")).state == MigrationState.BROKEN


def test_an_older_migration_is_not_taken_for_ours(cloud):
    cloud.record("completed", number=7)
    one = migration(cloud)
    one.start(7)
    assert one.record_in(cloud.found) is None
    assert one.record_in(cloud.record("queued", number=8)).id == 8


def test_a_request_that_nova_forgot_has_failed(cloud):
    one = migration(cloud)
    one.start(0)
    cloud.server = VM
    assert one.poll([]) is None
    cloud.now = 31
    assert one.poll([]).state == MigrationState.FAILED


def test_at_its_limit_a_migration_is_aborted_and_the_server_stays(cloud):
    one = migration(cloud, timeout=100)
    one.start(0)
    cloud.now = 50
    assert one.poll(cloud.record("preparing")) is None
    assert one.poll(cloud.record("running")) is None  # the time limit begins here
    cloud.now = 149
    assert one.poll(cloud.record("running")) is None
    assert cloud.asked == ["live"]
    cloud.now = 151
    assert one.poll(cloud.record("running")) is None
    assert cloud.asked == ["live", "abort"]
    cloud.server = VM
    result = one.poll(cloud.record("cancelled"))
    assert (result.state, result.timed_out) == (MigrationState.FAILED, True)


def test_what_can_be_neither_finished_nor_aborted_is_broken(cloud):
    one = migration(cloud, timeout=100)
    one.start(0)
    for now in (0, 101, 162):
        cloud.now = now
        result = one.poll(cloud.record("running"))
    assert result.state == MigrationState.BROKEN
    one = migration(cloud, timeout=100)
    one.start(0)
    for now in (300, 500):
        cloud.now = now
        result = one.poll(cloud.record("post-migrating", 2))
    assert result.state == MigrationState.BROKEN


def test_force_complete_comes_before_the_abort(cloud):
    one = migration(cloud, timeout=100, on_timeout="force_complete")
    one.start(0)
    for now in (0, 101, 150, 202):
        cloud.now = now
        assert one.poll(cloud.record("running")) is None
    assert cloud.asked == ["live", "force", "abort"]


def test_a_killed_drain_takes_its_migration_up_again(cloud):
    cloud.record("running", number=5)
    one = migration(cloud, {"in_progress": True, "source": "cmp1", "after": 4})
    assert one.start(0) is None
    assert cloud.asked == []
    cloud.server = replace(VM, host="cmp2")
    assert one.poll(cloud.record("completed", number=5)).state == MigrationState.MOVED


def test_a_server_in_error_is_broken_and_a_deleted_one_is_not(cloud):
    cloud.server = None
    one = migration(cloud)
    one.start(0)
    assert one.poll(cloud.record("running")) is None
    assert one.poll(cloud.record("error")).state == MigrationState.DELETED
    cloud.server = replace(VM, status="ERROR")
    assert one.poll(cloud.record("error")).state == MigrationState.BROKEN


@pytest.mark.parametrize("status", ["ACTIVE", "ERROR"])
def test_what_nova_says_of_a_failure_is_told(cloud, status):
    one = migration(cloud)
    one.start(0)
    cloud.server, cloud.fault = replace(VM, status=status), "No valid host was found"
    assert one.poll(cloud.record("error")).text.endswith(": No valid host was found")


def test_a_migration_in_novas_queue_behind_another_has_no_time_limit_yet(cloud):
    one = migration(cloud, timeout=100)
    one.start(0)
    queued = cloud.record("queued", number=2)
    ahead = Migration(1, "other", "live-migration", "running", "cmp1", "cmp2")
    for cloud.now in (90, 180, 270):
        assert one.poll([*queued, ahead]) is None
    assert cloud.asked == ["live"]
    cloud.now = 380
    assert one.poll([*queued, replace(ahead, status="completed")]) is None
    assert cloud.asked == ["live", "abort"]


def test_a_migration_is_tried_twice(cloud, monkeypatch):
    monkeypatch.setattr("openstack_rollout.cloud.migrations.time", no_sleep())
    cloud.server = VM
    made = []

    def create(server_id):
        cloud.found = []
        made.append(migration(cloud))
        return made[-1]

    original = nova.live_migrate

    def fails_at_once(cloud_, server, host):
        original(cloud_, server, host)
        cloud.record("failed", number=len(made))

    monkeypatch.setattr(nova, "live_migrate", fails_at_once)
    limit = MigrationLimit(1, 1)
    results = Migrations(cloud, limit, create).run(["vm"])
    assert results["vm"].state == MigrationState.FAILED
    assert len(made) == 2
    assert limit.acquire("cmp1")


def test_migrations_are_limited_for_a_host_and_the_cloud():
    limit = MigrationLimit(per_host=2, per_cloud=3)
    assert [limit.acquire(host) for host in ("a", "a", "a", "b", "b")] == [True, True, False, True, False]
    limit.release("a")
    assert limit.acquire("b")
