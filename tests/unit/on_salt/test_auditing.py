"""One auditor in a process: begun by whichever function begins a run, at no cost where nobody is probed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import psutil
import pytest
import salt.config

from openstack_rollout.declared.audit import Audit
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import auditing, probing
from openstack_rollout.on_salt.ask import SaltAsk
from openstack_rollout.on_salt.auditing import SaltAuditing
from openstack_rollout.records.journal import Journal
from openstack_rollout.rollout.auditing import Found
from tests.unit.simulated_fleet import MemoryStore


@pytest.fixture
def journal():
    return Journal(MemoryStore())


@pytest.fixture
def audits(tmp_path, journal, monkeypatch):
    config = tmp_path / "master"
    config.write_text("")
    monkeypatch.setattr(probing, "_BEAT", 0.2)
    made = SaltAuditing(dict(salt.config.master_config(str(config))), lambda: journal, lambda: "cloud1")
    yield made
    made.end()


@pytest.fixture
def audit():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Audit(addresses=["127.0.0.1"], tcp_port=server.getsockname()[1], interval=0.1)


def probers():
    return [one for one in psutil.Process().children() if "prober.py" in " ".join(one.cmdline())]


def until(holds):
    end = time.monotonic() + 20
    while not (found := holds()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def test_guests_are_probed_from_the_beginning_of_a_run_to_its_end(audits, audit, journal):
    run = journal.create("1.0.1", "orch.update", ["ovn"], {})
    audits.begin(run, audit)
    (first,) = until(probers)
    SaltAuditing({}, lambda: journal, lambda: "cloud1").begin(run, audit)  # as the next function does
    assert probers() == [first]
    until(lambda: journal.audits.guests(run.id) and journal.audits.guests(run.id)["g0001"].answered)
    audits.end()
    until(lambda: not probers())
    audits.end()
    ((since, until_),) = journal.audits.probed(run.id).stretches
    assert until_ >= since > time.time() - 60


def test_another_run_ends_the_one_before(audits, audit, journal):
    runs = [journal.create("1.0.1", "orch.update", ["ovn"], {}) for _ in range(2)]
    for run in runs:
        audits.begin(run, audit)
    until(lambda: journal.audits.guests(runs[1].id))
    assert len(probers()) == 1
    audits.begin(runs[1], None)
    assert len(probers()) == 1  # what is declared is read as a run begins
    audits.end()


def test_where_nobody_is_probed_nothing_is_imported_and_no_program_runs():
    script = (
        "import sys; from openstack_rollout.on_salt import wiring;"
        "from openstack_rollout.on_salt.auditing import SaltAuditing;"
        "one = SaltAuditing({}, None, None); one.begin(None, None); assert one.problems(None) == [];"
        "one.end(); names = ('node.prober', 'on_salt.probing', 'cloud.guests', 'rollout.auditing');"
        "print([one for one in names if f'openstack_rollout.{one}' in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0 and done.stdout == "[]\n", done.stdout + done.stderr


def test_what_fails_fails_no_run(audits, audit, journal, caplog):
    broken = SaltAuditing({}, lambda: 1 / 0, lambda: "cloud1")
    broken.begin(journal.create("1.0.1", "orch.update", ["ovn"], {}), audit)
    assert "no guest is probed" in caplog.text


def test_problems_name_the_key(audits, monkeypatch):
    monkeypatch.setattr(
        audits, "_find", lambda servers: {"a": Found(), "b": Found(problem="no server is called b")}
    )
    assert audits.problems(Audit(servers=["a", "b"], tcp_port=22)) == [
        "openstack:audit:servers:1: no server is called b"
    ]
    monkeypatch.setattr(SaltAsk, "members", lambda self, target: [])
    (line,) = audits.problems(Audit(addresses=["203.0.113.7"], node="ctl9"))
    assert line == "openstack:audit:node: ctl9 is no accepted minion: give the id of one"

    def down(servers):
        raise RolloutError("API_UNREACHABLE", "cloud cloud1: down")

    monkeypatch.setattr(audits, "_find", down)
    assert audits.problems(Audit(servers=["a"], tcp_port=22)) == [
        "openstack:audit:servers: cloud cloud1: down"
    ]


def test_a_master_that_cannot_ping_says_what_to_install(audits, monkeypatch):
    def refuse(*_):
        raise OSError("ICMP: no ping sockets, no ping")

    monkeypatch.setattr(probing.prober, "way", refuse)
    (line,) = audits.problems(Audit(addresses=["203.0.113.7"]))
    assert (
        line.startswith("openstack:audit: ICMP: ") and "install iputils-ping" in line and "tcp_port" in line
    )
    assert audits.problems(Audit(addresses=["203.0.113.7"], tcp_port=22)) == []
    assert auditing._ours == []
