"""The journal in Salt's own cache: on a disk that a power cut, or somebody, has spoiled; in a real Redis."""

from __future__ import annotations

import errno
import os
import signal
import sys
from functools import partial

import pytest
import redis
import salt.cache
import salt.config
import salt.payload
from redis.backoff import NoBackoff
from redis.retry import Retry

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt.cache_store import CacheStore
from openstack_rollout.records.drain_record import DrainRecord
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import NodeRecord, NodeState


@pytest.fixture
def master(tmp_path):
    opts = {**salt.config.DEFAULT_MASTER_OPTS, "cachedir": str(tmp_path)}
    return Journal(CacheStore(salt.cache.factory(opts))), tmp_path / "openstack" / "rollout"


def opened(journal):
    return journal.create("1.0.1", "orch.update", ["ovn"], {"pid": 1, "host": "master"})


@pytest.mark.parametrize("left", [b"", b"\xc1\xff\x00garbage", b"\x81"])
@pytest.mark.parametrize("what", ["run", "current"])
def test_what_cannot_be_read_is_one_line_and_is_repaired(master, left, what, monkeypatch):
    monkeypatch.setattr(salt.payload.log, "disabled", True)  # it is kept until the process ends
    journal, place = master
    run = opened(journal)
    file = place / "runs" / f"{run.id}.p" if what == "run" else place / "current.p"
    file.write_bytes(left)
    with pytest.raises(RolloutError) as damaged:
        journal.unfinished()
    assert damaged.value.reason == "JOURNAL_DAMAGED" and "\n" not in damaged.value.message
    assert (run.id if what == "run" else "current") in damaged.value.message
    assert journal.repair() and journal.unfinished() is None and journal.repair() == []
    assert journal.run(opened(journal).id)


def test_what_cannot_be_written_is_named(master):
    journal, place = master
    place.parent.parent.mkdir(parents=True, exist_ok=True)
    place.parent.write_text("a file where the folder should be")
    with pytest.raises(RolloutError) as failed:
        opened(journal)
    assert failed.value.reason == "JOURNAL_FAILED" and "openstack/rollout" in failed.value.message


def test_a_run_and_what_it_drained_are_on_the_disk_before_anything_follows(master, monkeypatch):
    journal, place = master
    forced = []
    monkeypatch.setattr(os, "fsync", lambda file: forced.append(os.readlink(f"/proc/self/fd/{file}")))
    run = opened(journal)
    journal.save_drained(DrainRecord("cmp1", "compute", "live_migrate", run.id, stage="ovn"))
    for file in (place / "runs" / f"{run.id}.p", place / "current.p", place / "drains" / "cmp1.p"):
        assert forced.index(str(file)) < forced.index(str(file.parent))  # then the name that it has got


def test_a_disk_that_does_not_take_them_is_named(master, monkeypatch):
    journal, _ = master
    run = opened(journal)

    def broken(file):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(RolloutError) as failed:
        journal.save_drained(DrainRecord("cmp1", "compute", "live_migrate", run.id, stage="ovn"))
    assert failed.value.reason == "JOURNAL_FAILED" and "drains/cmp1" in failed.value.message


def shared(redis_server, folder, **more):
    opts = {**salt.config.DEFAULT_MASTER_OPTS, "cachedir": str(folder), **redis_server.options}
    return CacheStore(salt.cache.factory(opts), **more)


def test_what_one_master_writes_the_other_reads_from_redis(redis_server, tmp_path):
    ours, theirs = (Journal(shared(redis_server, tmp_path / name)) for name in ("a", "b"))
    run = opened(ours)
    record = NodeRecord(role="compute", stage="ovn", state=NodeState.IN_FLIGHT, jid="20261128000000000000")
    ours.save_node(run.id, "cmp1", record)
    ours.save_drained(DrainRecord("cmp1", "compute", "live_migrate", run.id, stage="ovn"))
    assert theirs.unfinished() == run and theirs.nodes(run.id) == {"cmp1": record}
    theirs.ask(run.id, "pause")
    assert ours.requested(run.id) == "pause" and theirs.drained("cmp1") == ours.drained("cmp1")
    redis_server.stop()
    redis_server.start()  # it had all of it on the disk
    assert theirs.unfinished() == run and theirs.nodes(run.id) == {"cmp1": record}
    ours.forget(run.id)
    assert theirs.run_ids() == [] and theirs.nodes(run.id) == {}


def test_what_cannot_be_read_in_redis_is_repaired(redis_server, tmp_path, monkeypatch):
    monkeypatch.setattr(salt.payload.log, "disabled", True)
    journal = Journal(shared(redis_server, tmp_path))
    run = opened(journal)
    with redis_server.client() as client:
        client.hset("$KEYS_openstack/rollout/runs/", run.id, b"\xc1\xff")
    with pytest.raises(RolloutError) as damaged:
        journal.unfinished()
    assert damaged.value.reason == "JOURNAL_DAMAGED"
    assert journal.repair() == [f"run {run.id}"] and journal.unfinished() is None


@pytest.mark.parametrize("how", ["away", "held up"])
def test_a_redis_that_does_not_answer_has_damaged_nothing(redis_server, tmp_path, monkeypatch, how):
    journal = Journal(shared(redis_server, tmp_path))
    run = opened(journal)
    # Not ten times, 5 s each, as is redis' own.
    soon = partial(redis.Redis, socket_timeout=0.5, retry=Retry(NoBackoff(), 0))
    monkeypatch.setattr(redis, "Redis", soon)
    waiting = Journal(shared(redis_server, tmp_path))
    redis_server.stop() if how == "away" else redis_server.signal(signal.SIGSTOP)
    try:
        uses = (waiting.unfinished, waiting.repair, partial(waiting.nodes, run.id), partial(opened, waiting))
        for use in uses:
            with pytest.raises(RolloutError) as failed:
                use()
            assert failed.value.reason == "JOURNAL_FAILED" and "\n" not in str(failed.value)
    finally:
        redis_server.start() if how == "away" else redis_server.signal(signal.SIGCONT)
    assert journal.unfinished() == run


def test_who_lost_the_lock_writes_nothing_to_redis(redis_server, tmp_path):
    def lost():
        raise RolloutError("LOCK_LOST", "process 1 has it")

    journal, late = Journal(shared(redis_server, tmp_path)), shared(redis_server, tmp_path, refuse_lost=lost)
    run = opened(journal)
    for write in (partial(late.store, "openstack/rollout", "current", "x"), partial(late.flush, "openstack")):
        with pytest.raises(RolloutError) as refused:
            write()
        assert refused.value.reason == "LOCK_LOST"
    assert Journal(late).unfinished() == run


def test_a_driver_that_salt_does_not_load_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "salt.loaded.int.cache.redis_cache", raising=False)
    cache = salt.cache.factory(
        {**salt.config.DEFAULT_MASTER_OPTS, "cachedir": str(tmp_path), "cache": "redis"}
    )
    for use in (partial(CacheStore(cache).fetch, "a", "b"), partial(CacheStore(cache).store, "a", "b", 1)):
        with pytest.raises(RolloutError) as refused:
            use()
        assert refused.value.reason == "LIBRARY_MISSING" and "redis" in refused.value.message


def test_etcd_is_refused_by_name(tmp_path):
    """Tried with etcd 3.4 and python-etcd 0.4.5: a run's key stands where the bank of its nodes has to be."""
    cache = salt.cache.factory(
        {**salt.config.DEFAULT_MASTER_OPTS, "cachedir": str(tmp_path), "cache": "etcd"}
    )
    with pytest.raises(RolloutError) as refused:
        CacheStore(cache)
    assert refused.value.reason == "CACHE_UNFIT" and "cache: etcd" in refused.value.message
