"""Where the lock of a run is, by the master's configuration, and what it shares with Salt's driver."""

from __future__ import annotations

import sys

import pytest
import salt.cache
import salt.config

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import run_lock
from openstack_rollout.records.lock import FileLock


def options(folder, **more):
    return {**salt.config.DEFAULT_MASTER_OPTS, "cachedir": str(folder), **more}


def test_a_master_with_files_has_it_in_a_file(tmp_path):
    lock = run_lock.of(options(tmp_path))
    lock.acquire()
    assert isinstance(lock, FileLock) and (tmp_path / "openstack_rollout.lock").exists()


def test_masters_that_share_redis_share_it(redis_server, tmp_path):
    one = run_lock.of(options(tmp_path / "a", **redis_server.options))
    assert run_lock.of(options(tmp_path / "b", **redis_server.options)) is one  # of this process
    one.acquire()
    assert one.mine()
    one.release()


def test_it_stands_beside_what_salt_keeps_there_and_is_none_of_its_keys(redis_server, tmp_path):
    opts = options(tmp_path, **redis_server.options, **{"cache.redis.keys_prefix": "$CLOUD"})
    lock, cache = run_lock.of(opts), salt.cache.factory(opts)
    lock.acquire()
    try:
        cache.store("openstack/rollout", "current", "run1")
        assert cache.list("openstack/rollout") == ["current"]
        cache.flush("openstack")
        assert cache.list("openstack/rollout") == [] and lock.mine()
        with redis_server.client() as client:
            assert client.keys("$CLOUD_*lock") == ["$CLOUD_openstack/rollout:lock"]
    finally:
        lock.release()


def test_another_database_of_one_redis_is_another_cloud(redis_server, tmp_path):
    locks = [
        run_lock.of(options(tmp_path, **redis_server.options, **{"cache.redis.db": db})) for db in ("0", "1")
    ]
    for lock in locks:
        lock.acquire()
    assert all(lock.mine() for lock in locks)
    for lock in locks:
        lock.release()


def test_without_the_library_it_is_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(RolloutError) as refused:
        run_lock.of(options(tmp_path, **{"cache": "redis", "cache.redis.port": 1}))
    assert refused.value.reason == "LIBRARY_MISSING" and "\n" not in str(refused.value)
