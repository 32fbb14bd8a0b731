"""The database server is renewed with the switch; until the old switch ends everything can be put back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from openstack_rollout.node.switch_handover.process import Process

from .host import Host, wait_for

pytestmark = pytest.mark.parametrize("host", ["served"], indirect=True)


def left_behind(host: Host) -> list[str]:
    found = [*host.run.rglob("*.before-*"), *host.run.rglob("*.after-*"), *host.run.rglob(".handover-*")]
    return sorted(path.name for path in found if not path.is_symlink())


def assert_the_old_ones_go_on(host: Host) -> None:
    assert host.pid() == host.old and wait_for(lambda: host.switches() == [host.old])
    assert host.server() == host.old_server
    assert wait_for(lambda: host.servers() == {host.old_server: "S"}), host.servers()
    assert (host.run / "db.sock").read_text() == str(host.old_server)
    assert host.database.read_text() == "1" and not host.given("bundle")
    assert not left_behind(host) and not (host.run / "waiting").exists()


def test_both_are_new_and_the_database_is_converted(host):
    status, report = host.hand_over(str(host.schema))
    assert (status, report["outcome"], report["error"]) == (0, "done", "")
    assert host.pid() != host.old and wait_for(lambda: host.switches() == [host.pid()])
    assert host.server() != host.old_server and wait_for(lambda: list(host.servers()) == [host.server()])
    assert (host.run / "db.sock").read_text() == str(host.server())
    assert host.database.read_text() == "2"
    assert host.database.with_name("conf.db.backup1-123").read_text() == "1"
    told = (host.run / "introduced").read_text()
    assert told == "set Open_vSwitch . db-version=2 ovs-version=3.5.0"
    assert host.given("bundle") and not left_behind(host)


MISSES = """
from openstack_rollout.node.switch_handover import headstart
given = headstart.given
def missed(new, unlock, early):
    if early:
        raise headstart.Missed("the new switch may have woken up too early")
    return given(new, unlock, early)
headstart.given = missed
"""


def test_a_head_start_that_was_missed_is_done_without(host):
    status, report = host.hand_over(str(host.schema), change=MISSES)
    assert (status, report["outcome"], report["error"]) == (0, "done", "")
    assert host.pid() != host.old and wait_for(lambda: host.switches() == [host.pid()])
    assert host.server() != host.old_server and wait_for(lambda: list(host.servers()) == [host.server()])
    assert host.given("bundle") and not left_behind(host)


def test_a_database_that_has_the_schema_is_copied_as_it_is(host):
    host.schema.write_text("1")
    assert host.hand_over(str(host.schema))[0] == 0
    assert host.database.read_text() == "1" and host.server() != host.old_server
    assert [path.name for path in host.database.parent.iterdir() if "backup" in path.name] == []


def test_a_second_handover_finds_what_the_first_one_left(host):
    assert host.hand_over(str(host.schema))[0] == 0
    first = host.pid(), host.server()
    assert host.hand_over(str(host.schema))[0] == 0
    assert host.pid() not in (host.old, first[0]) and host.server() not in (host.old_server, first[1])
    assert wait_for(lambda: list(host.servers()) == [host.server()]) and not left_behind(host)


def test_where_the_server_listens_besides_is_told_to_the_new_one(host):
    with (host.run / f"remotes.{host.old_server}").open("a") as output:
        output.write("ptcp:6640\n")
    host.hand_over(str(host.schema))
    assert (host.run / f"remotes.{host.server()}").read_text().split()[-1] == "ptcp:6640"


def test_a_place_to_listen_that_is_refused_is_named_and_the_new_ones_go_on(host):
    (host.run / f"remotes.{host.old_server}").write_text("ptcp:6640\n")
    host.fails("refuses remotes")
    status, report = host.hand_over(str(host.schema))
    assert (status, report["outcome"], report["error"]) == (0, "done", "ptcp:6640: address in use")
    assert host.pid() != host.old and host.server() != host.old_server


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("server dies", "cannot serve"),
        ("inconvertible", "cannot be converted: syntax error"),
        ("no answer", "does not answer"),
        ("no lock", "gives no lock"),
        ("dies", "cannot start"),
        ("changes", "flows change all the time"),
    ],
)
def test_what_fails_beforehand_leaves_the_old_ones(host, mode, error):
    host.fails(mode)
    status, report = host.hand_over(str(host.schema))
    assert status == 1 and report["outcome"] == "nothing touched" and error in report["error"]
    assert_the_old_ones_go_on(host)


def test_a_server_that_its_service_does_not_start_like_this_is_not_possible(host):
    other = ["ovsdb-server", str(host.database), "/vtep.db", f"--pidfile={host.server_pidfile}"]
    os.kill(host.old_server, signal.SIGKILL)
    host.database.rename(host.database.with_name("other"))
    subprocess.run([*other, "--remote=punix:db.sock"], env=host.environment, check=True)
    host.old_server = host.server()
    status, report = host.hand_over(str(host.schema))
    assert status == 1 and report["outcome"] == "not possible" and "/vtep.db" in report["error"]
    assert host.pid() == host.old and list(host.servers().values()) == ["S"]


def test_a_switch_that_dies_when_it_takes_over_has_the_new_database_when_it_is_started(host):
    host.fails("dies late")
    status, report = host.hand_over(str(host.schema))
    assert (status, report["outcome"]) == (1, "broken off")
    assert host.server() != host.old_server and wait_for(lambda: list(host.servers()) == [host.server()])
    assert host.database.read_text() == "2" and not left_behind(host)


def holds_the_lock(pid: int) -> bool:
    try:
        return Process(pid).alive and Process(pid).name == "ovsdb-client"
    except OSError:
        return False


def recover(host: Host) -> None:
    code = "from openstack_rollout.node.switch_handover.database import recover; recover()"
    subprocess.run([sys.executable, "-c", code], env=host.environment, check=True)


@pytest.fixture
def killed(host):
    """A handover that was killed while the old server stands still and the new one listens."""
    host.fails("lock hangs")
    (host.run / "drop-in").write_text("")
    program = [sys.executable, "-P", "-m", "openstack_rollout.node.switch_handover"]
    words = [str(host.run / "report"), str(host.run / "drop-in"), str(host.schema)]
    process = subprocess.Popen([*program, *words], env=host.environment)
    assert wait_for((host.run / "lock hangs").exists)
    holder = int((host.run / "lock hangs").read_text())
    process.kill()
    process.wait()
    assert holds_the_lock(holder)
    assert wait_for(lambda: host.servers().get(host.old_server) == "T")
    assert len(host.servers()) == 2 and left_behind(host)
    host.fails("")
    yield
    assert wait_for(lambda: not holds_the_lock(holder))


def test_what_a_killed_handover_left_is_put_back_where_the_old_switch_lives(host, killed):
    recover(host)
    assert_the_old_ones_go_on(host)


def test_the_next_handover_puts_it_back_first(host, killed):
    status, report = host.hand_over(str(host.schema))
    assert (status, report["outcome"]) == (0, "done"), json.dumps(report)
    assert not left_behind(host) and wait_for(lambda: list(host.servers()) == [host.server()])


def test_without_the_old_switch_the_new_server_stays(host, killed):
    os.kill(host.old, signal.SIGKILL)
    assert wait_for(lambda: not host.switches())
    recover(host)
    assert host.server() != host.old_server and wait_for(lambda: list(host.servers()) == [host.server()])
    assert host.database.read_text() == "2" and not left_behind(host)


def test_where_nothing_was_left_nothing_is_done(host):
    recover(host)
    assert_the_old_ones_go_on(host)
