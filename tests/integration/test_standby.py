"""Two real masters that share a Redis, and minions of both: the second goes on where the first is gone."""

from __future__ import annotations

import collections
import json
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest
import salt.payload

from tests.integration import daemons
from tests.integration.simulated_cloud import NODES, PATIENCE, ROOTS, SimulatedCloud
from tests.unit.simulated_fleet import STAGES_OF

FIRST, STANDBY = "127.0.0.1", "127.0.0.2"
#: As of another host: nobody there can tell whether a process of the first one lives.
ELSEWHERE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


class Masters(SimulatedCloud):
    """A first master, which `run` and the like speak to, and a standby with its keys and its pillar."""

    def __init__(self, factories, pillar_root, redis_server):
        self._shared = {**redis_server.options, "interface": FIRST}
        super().__init__(factories, pillar_root)
        ports = {name: self.master.config[name] for name in ("publish_port", "ret_port")}
        other = {**self._configuration(), **ports, "interface": STANDBY}
        self.standby = daemons.salt_master(factories, "rollout-standby", **other)
        self.redis = redis_server

    def start(self):
        """Start the daemons; every minion belongs to both masters."""
        self.openstack()
        both = [f"{host}:{self.master.config['ret_port']}" for host in (FIRST, STANDBY)]
        for name in NODES:
            self.minions[name] = daemons.salt_minion(self.master, name, master=both, cache_jobs=True)
            daemons.have_synced(self.minions[name], ROOTS)
        assert self.master.start()
        theirs = Path(self.standby.config["pki_dir"])
        theirs.mkdir(parents=True, exist_ok=True)
        for key in ("master.pem", "master.pub"):
            shutil.copy(Path(self.master.config["pki_dir"]) / key, theirs)
        daemons.start(self.standby, self.minions.values())
        end = time.monotonic() + PATIENCE
        for one in ((), ELSEWHERE):
            while set(json.loads(self.run("manage.up", "--out=json", at=one).stdout or "[]")) != set(NODES):
                assert time.monotonic() < end, "not all minions have both masters"

    def stop(self):
        """Stop every daemon."""
        daemons.stop(*self.minions.values(), self.standby, self.master)

    def fresh(self, **keys):
        """As before, with nothing in Redis, and no job remembered on nodes."""
        with self.redis.client() as client:
            client.flushall()
        for minion in self.minions.values():
            shutil.rmtree(Path(minion.config["cachedir"]) / "minion_jobs", ignore_errors=True)
        super().fresh(**keys)

    def _configuration(self):
        return {**super()._configuration(), **self._shared}

    def run(self, *arguments, at=(), **how):
        """salt-run to its end. at: () is the first master; ELSEWHERE the standby, on a host of its own."""
        self._at = at
        return super().run(*arguments, **how)

    def command(self, *arguments):
        """The command line of a call of salt-run, on the master of the moment."""
        found, self._at = getattr(self, "_at", ()), ()
        command = super().command(*arguments)
        if found:
            command[command.index("-c") + 1] = str(self.standby.config_dir)
        return [*found, *command]

    def kill(self, *others):
        """kill -9 of the whole first master, and of other processes (ids)."""
        master = psutil.Process(self.master.pid)
        victims = [*map(psutil.Process, others), master, *master.children(recursive=True)]
        for one in victims:
            one.kill()
        _, alive = psutil.wait_procs(victims, timeout=PATIENCE)
        assert not alive

    def applied(self):
        """How often each stage was applied on each node, as its own minion remembers its jobs."""
        counted = collections.Counter()
        for name, minion in self.minions.items():
            for path in (Path(minion.config["cachedir"]) / "minion_jobs").glob("*/return.p"):
                job = salt.payload.loads(path.read_bytes())
                if job["fun"] == "state.sls":
                    counted[name, job["fun_args"][0].removeprefix("openstack.")] += 1
        return counted


@pytest.fixture
def masters(salt_factories, tmp_path, redis_server):
    cloud = Masters(salt_factories, tmp_path, redis_server)
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()


def once_each():
    """One apply for each stage of each node, and one prefetch."""
    roles = {"ctl1": "controller", "cmp1": "compute", "cmp2": "compute"}
    return {(name, stage): 1 for name in NODES for stage in ("prefetch", *STAGES_OF[roles[name]])}


def resumed(masters, holder):
    """Have the standby go on with the run, once the lock is free; returns what it said until then."""
    refused = []
    end = time.monotonic() + PATIENCE
    while (answer := masters.run("rollout.resume", at=ELSEWHERE, timeout=2 * PATIENCE)).returncode:
        assert "RUN_IN_PROGRESS" in answer.stdout and f"process {holder} on " in answer.stdout, answer.stdout
        assert time.monotonic() < end, answer.stdout
        refused.append(answer.stdout)
    assert "completed" in answer.stdout, answer.stdout
    return refused


def test_the_standby_goes_on_when_the_whole_first_master_is_killed(masters):
    masters.fresh(cmp1={"seconds": {"services": 90}})
    update = masters.popen("state.orchestrate", "orch.update")
    masters.until_begun("cmp1", "services")
    seen = json.loads(masters.run("rollout.report", "--out=json", at=ELSEWHERE).stdout)["run"]
    assert seen["state"] == "running"
    masters.kill(update.pid)
    assert resumed(masters, update.pid), "the lock of another host was taken before its time ran out"
    assert masters.applied() == once_each()
    assert [set(masters.at(name).values()) for name in NODES] == [{"1.0.1"}] * 3
    history = json.loads(masters.run("rollout.report", "--out=json", at=ELSEWHERE).stdout)
    assert history["run"]["id"] == seen["id"] and history["run"]["state"] == "completed"
    assert set(history["nodes"]) == set(NODES)


def test_a_first_master_that_was_held_up_touches_nothing_when_it_comes_back(masters):
    masters.fresh(cmp1={"seconds": {"ovn": 5}})
    update = masters.popen("state.orchestrate", "orch.update")
    masters.until_begun("cmp1", "ovn")
    update.send_signal(signal.SIGSTOP)
    assert resumed(masters, update.pid)
    update.send_signal(signal.SIGCONT)
    output, _ = update.communicate(timeout=PATIENCE)
    assert update.returncode == 1 and "LOCK_LOST: " in output
    assert masters.applied() == once_each()
    report = json.loads(masters.run("rollout.report", "--out=json", at=ELSEWHERE).stdout)
    assert report["run"]["state"] == "completed"
