"""A Galera member that is fed the whole database takes longer than its limit: real servers, real copies.

The copy is slowed down by rsync's own limit, and stopped by stopping that process.
"""

from __future__ import annotations

import subprocess
import time

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import container_change, guarding
from openstack_rollout.node.container_change import Container
from openstack_rollout.node.errors import NodeError
from tests.functional.members import members
from tests.lab import galera
from tests.lab.enclosure import wait_for
from tests.lab.galera import ADDRESSES
from tests.lab.openstack import material
from tests.unit.loading import load

LIMIT = 30  # seconds; a copy takes longer, and then the server starts
SPEED = 800  # KiB a second
_SERVER = """\
user = mysql
innodb_log_file_size = 8M
port = 3306
datadir = /{name}
socket = /run/members/{name}.sock
pid-file = /run/members/{name}.pid
[client]
user = root
socket = /run/members/{name}.sock
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two members in step."""
    with members(material.heavy().root, tmp_path_factory.mktemp("galera")) as found:
        slow = f'#!/bin/sh\n[ ! -e /slow ] || set -- --bwlimit={SPEED} "$@"\nexec /usr/bin/rsync.real "$@"\n'
        found.add("any")
        found.exec("any", ["mv", "/usr/bin/rsync", "/usr/bin/rsync.real"])
        (found.root / "usr/bin/rsync").write_text(slow)
        found.exec("any", ["chmod", "755", "/usr/bin/rsync"])
        found.exec(
            "any", ["install", "-d", "-o", "mysql", "/run/members", *(f"/{name}" for name in ADDRESSES)]
        )
        for name in ADDRESSES:
            home = found.root / f"home-{name}"
            home.mkdir()
            found.add(name, HOME=f"/home-{name}", MYSQL_HOME=f"/home-{name}", LC_ALL="C.UTF-8")
            (home / ".my.cnf").write_text(galera.options(name) + _SERVER.format(name=name))
        found.exec(
            "one",
            [
                "mariadb-install-db",
                "--no-defaults",
                "--datadir=/one",
                "--user=mysql",
                "--auth-root-authentication-method=normal",
            ],
        )
        start(found, "one", "--wsrep-new-cluster")
        assert wait_for(lambda: state(found, "one") == "Synced", 60, 0.5), log(found, "one")
        ask(found, "one", "CREATE USER root@'127.0.0.%'; GRANT ALL ON *.* TO root@'127.0.0.%'")
        start(found, "two")
        assert wait_for(lambda: state(found, "two") == "Synced", 180, 0.5), log(found, "two")
        (found.root / "slow").touch()
        yield found


@pytest.fixture
def guard(cluster, tmp_path):
    module = load("modules", "galera", salt=cluster.functions(), grains={"id": "ctl2"})
    module._STEPS = guarding.Steps(tmp_path)
    return module


def start(cluster, name, *options):
    cluster.start(name, ["mariadbd", f"--defaults-file=/home-{name}/.my.cnf", *options])


def ask(cluster, name, question):
    return cluster.exec(name, ["mariadb", "-BNe", question], check=False).stdout.strip()


def state(cluster, name):
    return ask(cluster, name, "show status like 'wsrep_local_state_comment'").partition("\t")[2]


def log(cluster, name):
    return (cluster.root / f"{name}.log").read_text()[-3000:]


def start_empty(cluster):
    """Start the second member without its files: it has to be fed the whole database."""
    cluster.stop("two")
    cluster.exec("two", ["sh", "-c", "rm -rf /two/*"])
    start(cluster, "two")


def copies(cluster):
    return wait_for(lambda: "wsrep_sst_rsync --role joiner" in cluster.command_lines("two"), 60, 0.2)


def feeding(cluster, signal):
    """Send a signal to what feeds the second member."""
    found = [pid for pid in cluster.pids("one") if "rsync.real" in cmdline(pid)]
    assert found, cluster.command_lines("one")
    subprocess.run(["kill", f"-{signal}", *map(str, found)], check=True)


def cmdline(pid):
    return subprocess.run(
        ["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout


def one(cluster):
    """The second member as a container that is being changed, and the functions that its proof calls."""
    found = Container(name="two", unit="", guard="galera", timeout=LIMIT, checked=True, running=True)
    salt = {
        "podman.healthy": lambda name: state(cluster, "two") == "Synced",
        "podman.container": lambda name: {
            "running": bool(cluster.pids(name)),
            "restarts": 0,
            "exit_code": 0,
            "image_id": "id",
        },
        "podman.image_ids": lambda references: dict.fromkeys(references, "id"),
    }
    return found, salt


def test_a_copy_that_takes_longer_than_the_limit_is_waited_for(cluster, guard):
    container, salt = one(cluster)
    salt["galera.progress"] = guard.progress
    token = guard.before_stop("two")
    start_empty(cluster)
    began = time.monotonic()
    container_change.prove(salt, container, "image", time.time())
    said = guard.after_start("two", token, LIMIT)
    assert time.monotonic() - began > 1.5 * LIMIT and said.startswith("two is synced again, one of 2")
    assert cluster.pids("two") and state(cluster, "two") == "Synced" and guard.pending("two") is None


def test_a_copy_that_stands_still_is_named_and_left_alone(cluster, guard):
    container, salt = one(cluster)
    salt["galera.progress"] = guard.progress
    token = guard.before_stop("two")
    start_empty(cluster)
    assert copies(cluster)
    assert wait_for(lambda: "rsync.real" in "".join(map(cmdline, cluster.pids("one"))), 30, 0.2)
    before = cluster.pids("two")[0]
    feeding(cluster, "STOP")
    try:
        with pytest.raises(NodeError) as stalled:
            container_change.prove(salt, container, "image", time.time())
        with pytest.raises(NodeError) as refused:
            guard.may_stop("two", 1)
        other = load("modules", "galera", salt=cluster.functions(), grains={"id": "ctl1"})
        with pytest.raises(NodeError) as others:
            other.may_stop("one", 1)
        guard.undo("two", token)
        assert guard.pending("two") == token
    finally:
        feeding(cluster, "CONT")
    reasons = [error.value.reason for error in (stalled, refused, others)]
    assert reasons == ["COPY_STALLED", "COPY_UNDER_WAY", "COPY_UNDER_WAY"]
    guard.after_start("two", token, LIMIT)
    assert cluster.pids("two")[0] == before and state(cluster, "two") == "Synced"


@pytest.mark.parametrize(
    ("name", "setting", "back"),
    [
        ("wsrep_desync", "wsrep_desync = ON", "wsrep_desync = OFF"),
        ("pc.ignore_quorum", "wsrep_provider_pc_ignore_quorum = ON", "wsrep_provider_pc_ignore_quorum = OFF"),
        ("pc.ignore_sb", "wsrep_provider_pc_ignore_sb = ON", "wsrep_provider_pc_ignore_sb = OFF"),
        ("wsrep_reject_queries", "wsrep_reject_queries = ALL", "wsrep_reject_queries = NONE"),
    ],
)
def test_a_setting_of_the_operator_is_named(cluster, guard, name, setting, back):
    ask(cluster, "one", f"SET GLOBAL {setting}")
    try:
        with pytest.raises(NodeError) as refused:
            guard.may_stop("two", 1)
    finally:
        ask(cluster, "one", f"SET GLOBAL {back}")
    assert refused.value.reason == "SET_BY_OPERATOR" and name in refused.value.text, refused.value.text
    assert guard.may_stop("two", 10)["wsrep_node_name"] == "two"


@pytest.mark.parametrize(
    "options",
    ["ssl-verify-server-cert\nssl-ca=/nowhere", "password=wrong", "socket=/run/members/another.sock"],
)
def test_a_client_that_cannot_ask_is_not_a_broken_cluster(cluster, guard, options):
    settings = cluster.root / "home-two/.my.cnf"
    text = settings.read_text()
    settings.write_text(f"{text}{options}\n")
    try:
        with pytest.raises(CommandExecutionError) as refused:
            guard.may_stop("two", 1)
    finally:
        settings.write_text(text)
    assert refused.value.reason == "CLIENT_FAILED", refused.value
