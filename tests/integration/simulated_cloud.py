"""A real master with real minions on which only what a stage does is simulated."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import salt.payload
import salt.utils.event
import yaml

from tests.integration import daemons, salt_api
from tests.integration.salt_api import PATIENCE
from tests.unit import simulated_fleet

REPO = Path(__file__).resolve().parents[2]
ROOTS = (REPO / "tests/integration/roots", REPO / "etc/roots")
NODES = ("ctl1", "cmp1", "cmp2")
DIGEST = "sha256:" + "a" * 64


class SimulatedCloud:
    """Operate the cloud as an operator does: edit the pillar, call salt-run, stop and start minions."""

    def __init__(self, factories, pillar_root: Path, utils: Path = REPO / "_utils"):
        self.pillar = pillar_root
        self.utils = utils
        self.api = salt_api.configuration(pillar_root.with_name(f"{pillar_root.name}-api"))
        self.master = daemons.salt_master(factories, "rollout-master", **self._configuration())
        self.minions = {}

    def start(self):
        """Start the daemons; the minions have their modules."""
        self.openstack()
        for name in NODES:
            self.minions[name] = daemons.salt_minion(self.master, name)
            daemons.have_synced(self.minions[name], ROOTS)
        daemons.start(self.master, self.minions.values())

    def stop(self):
        """Stop every daemon."""
        daemons.stop(*self.minions.values(), self.master)

    def declared(self):
        """The operator's page as it is."""
        return yaml.safe_load((self.pillar / "openstack.sls").read_text())["openstack"]

    def openstack(self, **keys):
        """Write the operator's page, with what a test changes."""
        openstack = {
            **simulated_fleet.pillar("1.0.1", ()),
            "roles": {"controller": "ctl*", "compute": "cmp*"},
            "policies": {role: {"silence": 8} for role in ("controller", "compute")},
            **keys,
        }
        (self.pillar / "top.sls").write_text(yaml.safe_dump({"base": {"*_master": ["openstack"]}}))
        (self.pillar / "openstack.sls").write_text(yaml.safe_dump({"openstack": openstack}))

    def node(self, name, **keys):
        """Set a simulated node: at {stage: version}, seconds {stage: how long}, fail {stage: comment}."""
        path = Path(self.minions[name].config["cachedir"]) / "simulated_node.json"
        path.write_text(json.dumps({"at": {}, **keys}))

    def at(self, name):
        """Stage -> version of a simulated node."""
        path = Path(self.minions[name].config["cachedir"]) / "simulated_node.json"
        return json.loads(path.read_text())["at"]

    def hold_up(self, name, seconds):
        """Stop a minion's own processes for a while; those of its jobs go on."""
        minion = psutil.Process(self.minions[name].pid)
        jobs = {
            salt.payload.load(path.open("rb"))["pid"]
            for path in (Path(self.minions[name].config["cachedir"]) / "proc").iterdir()
        }
        held = [one for one in (minion, *minion.children(recursive=True)) if one.pid not in jobs]
        for one in held:
            one.suspend()
        time.sleep(seconds)
        for one in held:
            one.resume()

    def until_begun(self, name, stage):
        """Wait until a simulated node works on a stage, in mid-apply."""
        path = Path(self.minions[name].config["cachedir"]) / "simulated_node.json"
        end = time.monotonic() + PATIENCE
        while stage not in json.loads(path.read_text() or "{}").get("begun", ()):
            assert time.monotonic() < end, f"{name} did not begin {stage}"
            time.sleep(0.2)

    def fresh(self, **keys):
        """All nodes at 1.0.0, an empty journal, the pillar as given; keys that are nodes set those."""
        for name in NODES:
            self.node(name, **keys.pop(name, {}))
        self.openstack(**keys)
        shutil.rmtree(Path(self.master.config["cachedir"]) / "openstack", ignore_errors=True)

    def run(self, *arguments, timeout=PATIENCE):
        """salt-run to its end."""
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=timeout, check=False
        )

    def popen(self, *arguments):
        """salt-run as a process of its own."""
        return subprocess.Popen(
            self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def json(self, *arguments):
        """What a runner function returns."""
        answer = self.run(*arguments, "--out=json")
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return json.loads(answer.stdout)

    def events(self):
        """A listener that began to listen before it is returned."""
        return Events(self.master.config)

    def bus(self):
        """What fires events, as the master's own processes do. A context manager."""
        return salt.utils.event.get_master_event(
            self.master.config, self.master.config["sock_dir"], listen=False
        )

    def command(self, *arguments):
        """The command line of a call of salt-run."""
        salt_run = Path(sys.executable).with_name("salt-run")
        return [str(salt_run), "-c", str(self.master.config_dir), "--log-level=quiet", *arguments]

    def _configuration(self):
        return {
            **self.api,
            "osenv": {"driver": "env"},  # a profile of sdb
            "file_roots": {"base": [str(root) for root in ROOTS]},
            "pillar_roots": {"base": [str(self.pillar)]},
            "pillar_dirs": [str(REPO / "_pillar")],
            "ext_pillar": [{"openstack_rollout": {}}],
            "runner_dirs": [str(REPO / "_runners")],
            "utils_dirs": [str(self.utils)],
            "outputter_dirs": [str(REPO / "_output")],
            "user": os.environ.get("USER", "root"),
        }


class Events:
    """The rollout's events, in their order. A context manager."""

    def __init__(self, config):
        self._bus = salt.utils.event.get_master_event(config, config["sock_dir"], listen=True)
        assert self._bus.connect_pub(), "the master's bus of events is not there"
        self.seen = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._bus.destroy()

    def until(self, run, **wanted):
        """Wait for an event of a run with that data; every event up to it is kept in `seen`.

        A run that ended before it came tells what it said: its event will not come any more.
        """
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            ended = run.poll() is not None
            event = self._next()
            if event:
                self.seen.append(event["data"])
                if wanted.items() <= event["data"].items():
                    return event["data"]
            elif ended:
                raise AssertionError(f"the run ended without an event {wanted}: {run.communicate()[0]}")
        raise AssertionError(f"no event {wanted} within {PATIENCE} s; the last were {self.seen[-5:]}")

    def drain(self):
        """Take in what is there."""
        while event := self._next():
            self.seen.append(event["data"])
        return self.seen

    def _next(self):
        return self._bus.get_event(wait=1, tag="openstack/rollout/", full=True, auto_reconnect=True)
