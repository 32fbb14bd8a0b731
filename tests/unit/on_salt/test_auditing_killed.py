"""A process that has guests probed is killed, and another one goes on: with Salt's own cache on a disk."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest
import salt.config

from openstack_rollout.on_salt import wiring
from openstack_rollout.rollout import felt

#: What a process of a run does: a line for each thing that it is told to do, until it is told nothing more.
DRIVES = """
import json, sys
from functools import partial
import salt.config
from openstack_rollout.declared.audit import Audit
from openstack_rollout.on_salt import auditing, wiring
opts = dict(salt.config.master_config(sys.argv[1]))
one = auditing.SaltAuditing(opts, partial(wiring.journal, opts), lambda: "cloud")
one.begin(wiring.journal(opts).run(sys.argv[2]), Audit(**json.loads(sys.argv[3])))
print("begun", flush=True)
sys.stdin.readline()
one.end()
"""


class Guest:
    def __init__(self):
        self.port = 0
        self.open()

    def open(self):
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", self.port))
        self._socket.listen(500)
        self.port = self._socket.getsockname()[1]

    def close(self):
        self._socket.close()

    def gone(self, seconds):
        began = time.time()
        self.close()
        time.sleep(seconds)
        self.open()
        return began, time.time()


@pytest.fixture
def guest():
    made = Guest()
    yield made
    made.close()


def until(holds):
    end = time.monotonic() + 90
    while not (found := holds()):
        assert time.monotonic() < end
        time.sleep(0.2)
    return found


def test_what_it_saw_is_kept_and_the_time_without_it_is_unknown(tmp_path, guest):
    config = tmp_path / "master"
    config.write_text(f"root_dir: {tmp_path}\n")
    journal = wiring.journal(dict(salt.config.master_config(str(config))))
    run = journal.create("1.0.1", "orch.update", ["ovn"], {})
    audit = json.dumps({"addresses": ["127.0.0.1"], "tcp_port": guest.port, "interval": 0.2})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    started = []

    def begin():
        command = [sys.executable, "-c", DRIVES, str(config), run.id, audit]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, env=environment, **pipes))
        assert started[-1].stdout.readline() == "begun\n"
        before = journal.audits.guests(run.id)
        sent = before["g0001"].answered if before else 0
        until(lambda: (now := journal.audits.guests(run.id)) and now["g0001"].answered > sent)
        return started[-1]

    def gaps():
        return journal.audits.guests(run.id)["g0001"].gaps

    try:
        first = begin()
        seen = guest.gone(2)
        until(lambda: gaps() and gaps()[0].ended)
        (prober,) = psutil.Process(first.pid).children()
        first.send_signal(signal.SIGKILL)
        first.wait()
        killed = time.time()
        prober.wait(20)  # nobody reads it any more
        missed = guest.gone(1)
        second = begin()
        also = guest.gone(2)
        until(lambda: len(gaps()) == 2 and gaps()[1].ended)
        second.communicate("\n", timeout=60)
        assert second.returncode == 0
    finally:
        for one in started:
            one.kill()
            one.wait()
    told = felt.of(journal.audits, run.id, {}, run.created, time.time())
    for gap, (begun, ended) in zip(told["guests"][0]["gaps"], (seen, also), strict=True):
        assert abs(gap["from"] - begun) < 1.5 and abs(gap["to"] - ended) < 1.5 and not gap["cut"]
    ((since, over),) = [
        (one["from"], one["to"]) for one in told["unknown"] if one["from"] < missed[0] < one["to"]
    ]
    assert seen[1] - 1 < since <= killed and over > missed[1]
