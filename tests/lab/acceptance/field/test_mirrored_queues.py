"""Classic mirrored queues of RabbitMQ 3 (Debian bookworm's), on two real brokers: the only copy stays up."""

from __future__ import annotations

import json
import subprocess

import pytest

from openstack_rollout.node import guarding
from openstack_rollout.node.errors import NodeError
from tests.functional.members import members
from tests.lab import base, cache
from tests.lab.enclosure import wait_for
from tests.unit.loading import load

NODES = {"one": 1, "two": 2}
QUEUE = "info"
SUITE = "bookworm"  # the last Debian whose RabbitMQ has such queues
_PACKAGES = ("rabbitmq-server", "procps")
_START = """\
#!/bin/sh
cd /home-$1 && exec /usr/lib/rabbitmq/bin/rabbitmq-server
"""


@pytest.fixture(scope="module")
def root():
    """A Debian with that RabbitMQ, kept for the next time."""

    def build(work):
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", SUITE]
        with cache.log("rabbitmq-3").open("w") as log:
            subprocess.run([*command, str(work / "root"), base.mirror()], check=True, stdout=log, stderr=log)

    return cache.ensure("rabbitmq-3", cache.digest_of(SUITE, _PACKAGES), build) / "root"


@pytest.fixture(scope="module")
def brokers(root, tmp_path_factory):
    """Two brokers, one cluster, a durable queue with messages."""
    with members(root, tmp_path_factory.mktemp("rabbitmq")) as found:
        (found.root / "etc/hosts").write_text("127.0.0.1 localhost lab\n")
        (found.root / "start").write_text(_START)
        for name, number in NODES.items():
            home = found.root / f"home-{name}"
            home.mkdir()
            (home / ".erlang.cookie").write_text("lab")
            (home / ".erlang.cookie").chmod(0o400)
            (home / "plugins").write_text("[].")
            places = {
                key: f"/home-{name}/{key.lower()}" for key in ("RABBITMQ_MNESIA_BASE", "RABBITMQ_LOG_BASE")
            }
            found.add(
                name,
                HOME=f"/home-{name}",
                LC_ALL="C.UTF-8",
                RABBITMQ_NODENAME=f"{name}@localhost",
                RABBITMQ_NODE_PORT=str(5671 + number),
                RABBITMQ_DIST_PORT=str(25671 + number),
                RABBITMQ_ENABLED_PLUGINS_FILE=f"/home-{name}/plugins",
                RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 1:1 +sbwt none",
                **places,
            )
            start(found, name)
            assert wait_for(lambda name=name: runs(found, name), 300, 1), log(found, name)
        for verb in (["stop_app"], ["reset"], ["join_cluster", "one@localhost"], ["start_app"]):
            found.exec("two", ["rabbitmqctl", "-q", *verb])
        found.exec("one", ["rabbitmqctl", "-q", "eval", _declare(QUEUE)])
        mirror(found, "manual")
        found.exec("one", ["rabbitmqctl", "-q", "eval", _publish(QUEUE, 500)])
        yield found


@pytest.fixture
def guard(brokers, tmp_path):
    module = load("modules", "rabbitmq_cluster", salt=brokers.functions(), grains={"id": "ctl"})
    module._STEPS = guarding.Steps(tmp_path)
    return module


def _declare(name):
    return (
        f'{{new, _}} = rabbit_amqqueue:declare(rabbit_misc:r(<<"/">>, queue, <<"{name}">>), true, false, [],'
        ' none, <<"lab">>), ok.'
    )


def _publish(name, number):
    return (
        f'[rabbit_basic:publish(rabbit_misc:r(<<"/">>, exchange, <<>>), <<"{name}">>, [{{delivery_mode, 2}}],'
        f" binary:copy(<<120>>, 2000)) || _ <- lists:seq(1, {number})], ok."
    )


def start(brokers, name):
    brokers.start(name, ["sh", "/start", name])


def runs(brokers, name):
    return brokers.exec(name, ["rabbitmq-diagnostics", "-q", "check_running"], check=False).returncode == 0


def log(brokers, name):
    return (brokers.root / f"{name}.log").read_text()[-2000:]


def mirror(brokers, mode):
    definition = json.dumps({"ha-mode": "all", "ha-sync-mode": mode})
    brokers.exec("one", ["rabbitmqctl", "-q", "set_policy", "ha", ".*", definition, "--apply-to", "queues"])


def synchronised(brokers):
    listed = brokers.exec(
        "one", ["rabbitmqctl", "-q", "--formatter", "json", "list_queues", "name", "synchronised_slave_pids"]
    )
    return [row["name"] for row in json.loads(listed.stdout) if row["synchronised_slave_pids"]] == [QUEUE]


def restart(brokers, name):
    """Start a broker anew: what it mirrored is not synchronised any more."""
    brokers.exec(name, ["rabbitmqctl", "-q", "stop"])
    brokers.stop(name)
    start(brokers, name)


def test_a_broker_with_a_synchronised_mirror_may_go_and_what_waits_for_an_operator_is_told(brokers, guard):
    assert wait_for(lambda: synchronised(brokers), 120, 1)
    token = guard.before_stop("two")
    restart(brokers, "two")
    said = guard.after_start("two", token, 60)
    assert f"sync_queue --vhost / {QUEUE}" in said and not synchronised(brokers)


def test_the_only_synchronised_copy_is_not_stopped(brokers, guard):
    with pytest.raises(NodeError) as refused:
        guard.before_stop("one")
    assert refused.value.reason == "SET_BY_OPERATOR" and QUEUE in refused.value.text, refused.value.text
    assert guard.pending("one") is None and runs(brokers, "one")
    brokers.exec("one", ["rabbitmqctl", "-q", "sync_queue", QUEUE])
    assert wait_for(lambda: synchronised(brokers), 120, 1)
    assert guard.may_stop("one", 10) == {"node": "one@localhost"}


def test_mirrors_that_are_synchronised_by_themselves_are_waited_for(brokers, guard):
    mirror(brokers, "automatic")
    brokers.exec("one", ["rabbitmqctl", "-q", "eval", _publish(QUEUE, 20000)])
    token = guard.before_stop("two")
    restart(brokers, "two")
    assert guard.after_start("two", token, 60) == "two@localhost runs again, one of 2"
    assert synchronised(brokers)


def test_a_broker_that_its_tools_do_not_reach_is_not_stopped_unguarded(brokers, guard):
    cookie = brokers.root / "home-two/.erlang.cookie"
    text = cookie.read_text()
    cookie.unlink()
    cookie.write_text("another")
    cookie.chmod(0o400)
    try:
        with pytest.raises(NodeError) as refused:
            guard.before_stop("two")
    finally:
        cookie.unlink()
        cookie.write_text(text)
        cookie.chmod(0o400)
    assert refused.value.reason == "CLIENT_FAILED", refused.value
