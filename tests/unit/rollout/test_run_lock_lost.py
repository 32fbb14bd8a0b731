"""An engine that was held up until another one followed it, over a real Redis."""

from __future__ import annotations

import collections

import pytest
import salt.cache
import salt.config

from openstack_rollout.on_salt import run_lock
from openstack_rollout.on_salt.cache_store import CacheStore
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import RunState
from tests.unit.simulated_fleet import Master, refusal


@pytest.fixture
def masters(cloud, redis_server, tmp_path, monkeypatch):
    """Two masters that share a Redis, each as a process of its own."""
    made = []
    for _ in range(2):
        monkeypatch.setattr(run_lock, "_leases", {})
        options = {**salt.config.DEFAULT_MASTER_OPTS, "cachedir": str(tmp_path), **redis_server.options}
        master = Master(cloud, tmp_path)
        master.lock = run_lock.of(options)
        store = CacheStore(salt.cache.factory(options), master.lock.refuse_lost)
        master.journal = cloud.journal = Journal(store, cloud.clock)
        made.append(master)
    yield made
    for master in made:
        master.lock.release()


def everything(client):
    """What Redis has, but for the lock, and for the times at which it was written."""
    return {key: client.hgetall(key) for key in client.keys("$KEYS_*/")}


def test_another_engine_goes_on_and_the_first_touches_and_writes_nothing(cloud, masters, redis_server):
    first, standby = masters
    with redis_server.client() as client:
        client.connection_pool.connection_kwargs["decode_responses"] = False
        after = {}

        def held_up():
            if "compute2" in cloud.statuses("apply", stage="services"):
                first.before_poll = lambda: None
                for key in client.scan_iter("*:lock"):
                    client.delete(key)  # its time ran out
                assert standby.update()["state"] == "completed"
                after.update(everything(client), events=len(cloud.events), applied=len(cloud.applied))

        first.before_poll = held_up
        error = refusal(first.update)
        assert error.reason == "LOCK_LOST"
        assert after == {
            **everything(client),
            "events": len(cloud.events),
            "applied": len(cloud.applied),
        }
    assert len(standby.journal.run_ids()) == 1 and standby.run.state is RunState.COMPLETED
    counted = collections.Counter(cloud.applied)
    assert set(counted.values()) == {1}
    assert all(set(node.at.values()) == {"1.0.1"} for node in cloud.nodes.values())


def test_one_that_lost_it_between_two_stages_does_not_go_on(cloud, masters, redis_server):
    first, standby = masters
    first.rollout().begin()
    first.rollout().stage("ovn")
    with redis_server.client() as client:
        for key in client.scan_iter("*:lock"):
            client.delete(key)
    standby.rollout().begin()
    applied = list(cloud.applied)
    for ended in (False, True):
        if ended:
            standby.journal.ask(standby.run.id, "abort")
            assert refusal(lambda: standby.rollout().stage("control_plane")).reason == "ABORTED"
        assert refusal(lambda: first.rollout().stage("control_plane")).reason == "LOCK_LOST"
        assert refusal(lambda: first.rollout().finish()).reason == "LOCK_LOST"
        assert cloud.applied == applied and len(standby.journal.run_ids()) == 1


def test_without_an_answer_of_redis_nothing_more_is_started(cloud, masters, redis_server):
    first, standby = masters

    def away():
        if "compute2" in cloud.statuses("apply", stage="services"):
            first.before_poll = lambda: None
            redis_server.stop()

    first.before_poll = away
    assert refusal(first.update).reason == "JOURNAL_FAILED"
    applied = list(cloud.applied)
    assert ("services", "compute3") not in applied
    redis_server.start()
    assert standby.run.state is RunState.RUNNING
