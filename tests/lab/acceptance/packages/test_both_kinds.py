"""One run moves a cloud of both kinds: real packages on the controllers, containers on the computes.

The computes' containers are the lab's stand-ins; the controllers run Debian's own OpenStack. Every fact is
asked of dpkg, systemd and podman on the machines.
"""

from __future__ import annotations

import json
import time
from datetime import datetime

import pytest

from tests.lab import operator, proof, settings
from tests.lab.agreement import assert_agreed
from tests.lab.clusters.probe import Probe
from tests.lab.events import EventLog
from tests.lab.packaged import cluster, units

LAB_PROFILE = settings.BOTH
pytestmark = pytest.mark.timeout(5400)
_UPDATE = 3600  # seconds


def of_packages(cloud) -> list[str]:
    """The machines whose services are packages."""
    return [node.name for node in cloud.nodes.values() if node.debian]


def of_containers(cloud) -> list[str]:
    """The machines whose services are containers."""
    return [node.name for node in cloud.nodes.values() if not node.debian]


def container_starts(cloud) -> dict[tuple[str, str], float]:
    """(node, container) → when it was started, in seconds since the epoch."""
    found = {}
    for node in of_containers(cloud):
        names = list(proof.running_digests(cloud, node))
        for entry in json.loads(cloud.exec(node, ["podman", "inspect", *names]).stdout):
            moment = datetime.fromisoformat(entry["State"]["StartedAt"])
            found[node, entry["Name"]] = moment.timestamp()
    return found


def state(cloud) -> dict:
    """What an update could change: packages, units that run, containers and when they started."""
    return {
        "packages": {node: proof.installed(cloud, node) for node in cloud.nodes},
        "units": units.invocations(cloud, of_packages(cloud)),
        "containers": container_starts(cloud),
    }


@pytest.fixture(scope="module")
def story(cloud) -> dict:
    """The edit, and the whole update beside clients."""
    cloud.set_pillar(target_version="1.0.1", policies={"controller": {"drain": "standby"}})
    plan, before, began = operator.plan(cloud), state(cloud), time.time()
    with Probe(cloud) as probe, EventLog(cloud) as log:
        done = operator.update(cloud, check=False, timeout=_UPDATE)
    assert done.returncode == 0, done.stdout + done.stderr
    return {
        "plan": plan,
        "before": before,
        "began": began,
        "log": log,
        "seen": probe.result,
        "starts": units.starts(cloud, began, of_packages(cloud)),
    }


def test_both_kinds_are_at_the_release(cloud, story):
    for line in proof.assert_cloud_at(cloud, "1.0.1"):
        print(line)
    found = state(cloud)
    assert set(found["containers"]) == set(story["before"]["containers"]), "none came, none went"
    assert all(moment > story["began"] for moment in found["containers"].values())


def test_the_controllers_packages_move_before_the_computes_containers(cloud, story):
    assert_agreed(story["plan"], story["log"].steps())
    started = [(one.node, one.unit) for one in story["starts"]]
    wanted = [(node, unit) for node in of_packages(cloud) for unit in cluster.UNITS["controller"]]
    assert {key: started.count(key) for key in wanted} == dict.fromkeys(wanted, 1)
    last = max(one.at for one in story["starts"] if (one.node, one.unit) in wanted)
    assert last < min(container_starts(cloud).values())


def test_nobody_noticed(story):
    seen = story["seen"]
    assert seen["api"]["count"] > 300 and seen["api"]["failed_after_retry"] == 0, seen["api"]
    assert set(seen["rows_lost"].values()) == {0} and seen["messages_lost"] == 0
    assert seen["fewest_serving"] >= 2 and seen["fewest_brokers"] >= 2


def test_a_second_run_changes_nothing(cloud, story):
    before = state(cloud)
    assert operator.predicted(cloud) == set()
    operator.update(cloud, timeout=_UPDATE)
    assert state(cloud) == before
