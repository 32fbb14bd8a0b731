"""The lock that masters share, in a real redis-server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from openstack_rollout.errors import RolloutError
from openstack_rollout.records import lease as leases
from openstack_rollout.records.lease import Lease
from openstack_rollout.records.lock import me

NAME = "openstack/rollout:lock"
HOLDS = """
import sys, time, redis
from openstack_rollout.records.lease import Lease
lease = Lease(redis.Redis(unix_socket_path=sys.argv[1]), sys.argv[2])
lease.acquire()
lease.assign("run1")
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def client(redis_server):
    with redis_server.client() as client:
        yield client


@pytest.fixture
def lease(redis_server):
    made = make(redis_server)
    yield made
    made.release()


def make(redis_server):
    once = Retry(NoBackoff(), 1)
    return Lease(redis.Redis(unix_socket_path=str(redis_server.socket), socket_timeout=0.5, retry=once), NAME)


@pytest.fixture
def other_process(redis_server):
    """A process that holds it for run1."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(redis_server.socket), NAME],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def elsewhere(client, seconds=60.0, **other):
    """Have a process of another host hold it for some seconds."""
    owner = {**me(), "table": "pid:[1]", "host": "standby", "boot": "another", "since": 0.0, **other}
    client.set(NAME, json.dumps(owner), px=int(seconds * 1000))
    return owner


def refused(use):
    with pytest.raises(RolloutError) as found:
        use()
    return found.value


def test_taken_it_is_lent_for_a_while_and_named_with_its_run(lease, client):
    before = time.time()
    lease.acquire()
    lease.assign("run1")
    assert 0 < client.pttl(NAME) <= leases.LASTS * 1000
    holder = lease.holder()
    assert holder == lease.mine() and me().items() <= holder.items() and holder["run"] == "run1"
    assert before <= holder["since"] <= time.time()


def test_the_same_process_enters_again_and_keeps_its_run(lease):
    lease.acquire()
    lease.assign("run1")
    since = lease.mine()["since"]
    lease.acquire()
    assert (lease.mine()["run"], lease.mine()["since"]) == ("run1", since)


def test_released_is_free_and_nothing_is_left(lease, client):
    lease.acquire()
    lease.assign("run1")
    lease.release()
    assert lease.holder() is None and lease.mine() is None and client.keys() == []
    lease.refuse_lost()


def test_a_live_process_of_this_host_is_named_with_its_run_and_since_when(lease, other_process):
    error = refused(lease.acquire)
    assert error.reason == "RUN_IN_PROGRESS"
    for told in ("run1", f"process {other_process.pid} on {me()['host']} since 20"):
        assert told in error.message
    assert refused(lease.refuse_others).message == error.message
    assert lease.holder()["pid"] == other_process.pid and lease.mine() is None
    lease.release()
    assert lease.holder()["pid"] == other_process.pid


def test_a_dead_process_of_this_host_is_followed_at_once(lease, other_process):
    other_process.kill()
    other_process.wait()
    assert lease.holder() is None
    lease.refuse_others()
    lease.acquire()
    assert lease.mine()["run"] == ""


@pytest.mark.parametrize("other", [{}, {"host": me()["host"]}, {"boot": me()["boot"]}])
def test_one_of_another_host_is_waited_for_until_its_time_ran_out(lease, client, other):
    """Nobody here can tell whether it lives: also of a host that is called the same, or of a container."""
    elsewhere(client, 1.0, pid=2**22 + 1, started=5, **other)
    error = refused(lease.acquire)
    assert error.reason == "RUN_IN_PROGRESS" and lease.holder()["pid"] == 2**22 + 1
    until = time.monotonic() + 10
    while lease.holder() and time.monotonic() < until:
        time.sleep(0.05)
    lease.acquire()
    assert lease.mine()


@pytest.mark.wording
def test_it_says_when_the_lease_of_another_host_runs_out(lease, client):
    elsewhere(client, 42.0)
    message = refused(lease.acquire).message
    assert message.startswith("run (starting) holds the lock: process ")
    assert " on standby since 1970-01-01 00:00:00 UTC; unless it is renewed, it is free in 4" in message


def test_one_alone_of_many_takes_it(redis_server):
    many = [make(redis_server) for _ in range(8)]
    start, taken = threading.Barrier(len(many)), []

    def take(one):
        start.wait()
        try:
            one.acquire()
            taken.append(one)
        except RolloutError as error:
            assert error.reason == "RUN_IN_PROGRESS"

    threads = [threading.Thread(target=take, args=(one,)) for one in many]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1
    taken[0].release()


def test_it_is_renewed_while_it_is_held(lease, client, monkeypatch):
    monkeypatch.setattr(leases, "LASTS", 1.0)
    monkeypatch.setattr(leases, "RENEW_EVERY", 0.2)
    lease.acquire()
    until = time.monotonic() + 3
    while time.monotonic() < until:
        assert client.exists(NAME)
        time.sleep(0.1)
    lease.refuse_lost()


def test_a_holder_that_another_followed_has_lost_it(lease, client):
    lease.acquire()
    lease.assign("run1")
    elsewhere(client, pid=77)
    error = refused(lease.refuse_lost)
    assert error.reason == "LOCK_LOST" and "process 77 on standby" in error.message
    assert lease.mine() is None
    lease.release()
    assert lease.holder()["pid"] == 77
    assert client.pttl(NAME) > 0


def test_what_was_lost_stays_lost_when_it_is_free_again(lease, client):
    lease.acquire()
    client.delete(NAME)
    assert refused(lease.refuse_lost).reason == "LOCK_LOST"
    lease.release()
    assert refused(lease.refuse_lost).reason == "LOCK_LOST"  # a thread of that run may write still
    lease.acquire()
    lease.refuse_lost()


def test_the_thread_that_renews_it_does_not_take_it_anew(lease, client, monkeypatch):
    monkeypatch.setattr(leases, "RENEW_EVERY", 0.05)
    lease.acquire()
    client.delete(NAME)
    time.sleep(0.5)
    assert not client.exists(NAME)
    assert refused(lease.refuse_lost).reason == "LOCK_LOST"


def test_who_has_not_taken_it_cannot_lose_it(lease, client):
    elsewhere(client)
    lease.refuse_lost()


def test_a_held_up_server_is_one_line_and_a_lost_lock_only_when_the_time_ran_out(
    lease, redis_server, monkeypatch
):
    monkeypatch.setattr(leases, "LASTS", 20.0)
    monkeypatch.setattr(leases, "MARGIN", 12.0)
    lease.acquire()
    redis_server.signal(signal.SIGSTOP)
    try:
        error = refused(lease.refuse_lost)
        assert error.reason == "JOURNAL_FAILED" and "\n" not in str(error)
        until = time.monotonic() + 40
        while refused(lease.refuse_lost).reason != "LOCK_LOST":
            assert time.monotonic() < until
    finally:
        redis_server.signal(signal.SIGCONT)
    assert refused(lease.refuse_lost).reason == "LOCK_LOST"


def test_a_server_that_is_away_is_one_line(lease, redis_server):
    redis_server.stop()
    for use in (lease.acquire, lease.holder, lease.mine, lease.refuse_others):
        error = refused(use)
        assert error.reason == "JOURNAL_FAILED" and "\n" not in str(error)
    lease.release()


def test_one_of_another_form_is_not_touched(lease, client):
    client.set(NAME, '{"form": 7}')
    for use in (lease.acquire, lease.holder, lease.refuse_others):
        assert refused(use).reason == "JOURNAL_VERSION"
    lease.release()
    assert client.get(NAME) == '{"form": 7}'
