"""Three storage nodes of a real Ceph are rebooted by the system stage, under a client that writes and reads.

The tests are one story: what is at risk is refused before anything moves, then all three nodes are rebooted
one after the other, and a run that is killed in between leaves no flag of ours behind.
"""

from __future__ import annotations

import contextlib

import pytest

from tests.lab import operator, settings
from tests.lab.ceph import cluster
from tests.lab.ceph.client import Client
from tests.lab.enclosure import wait_for
from tests.lab.events import EventLog, step

LAB_PROFILE = settings.CEPH
HOSTS = ("sto1", "sto2", "sto3")
MARKERS = "/run/openstack-rollout/reboot.d"
#: more nodes together than this Ceph can spare, and an operator's own flags
POLICIES = {"storage": {"drain": "ceph", "batch": 3}}
OPERATORS_FLAG = "nodeep-scrub"


def boots(cloud) -> dict[str, str]:
    source = ["cat", "/proc/sys/kernel/random/boot_id"]
    return {node: cloud.exec(node, source).stdout.strip() for node in cloud.nodes}


def want_reboot(cloud, *nodes: str) -> None:
    for node in nodes:
        cloud.exec(node, ["mkdir", "-p", MARKERS])
        cloud.exec(node, ["tee", f"{MARKERS}/firmware"], stdin="new firmware\n")


def health(cloud) -> list[str]:
    return sorted(cluster.status(cloud)["health"]["checks"])


@pytest.fixture(scope="module")
def ceph(cloud):
    """The cluster, with flags of an operator's own: one of the whole cluster, one of a single OSD."""
    cluster.build(cloud)
    cluster.ask(cloud, "osd", "set", OPERATORS_FLAG, form="plain")
    cluster.ask(cloud, "osd", "set-group", "noout", "osd.1", form="plain")
    cloud.set_pillar(policies=POLICIES, system={"reboot": "when_required", "reboot_timeout": 240})


def refused(cloud, reason: str, names: str) -> None:
    """orch.system has to end under a reason that names something, with nothing rebooted and no flag set."""
    before = boots(cloud), cluster.flags(cloud)
    done = operator.update(cloud, "orch.system", check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and f"{reason}: " in said and names in said, said[-3000:]
    assert (boots(cloud), cluster.flags(cloud)) == before


def test_with_an_osd_of_another_host_down_nothing_is_taken_down(cloud, ceph):
    want_reboot(cloud, "sto1", "sto2")
    cloud.exec("sto3", ["systemctl", "stop", "ceph-osd@2.service"])
    assert wait_for(lambda: not cluster.whole(cloud), 30, 0.5)
    try:
        refused(cloud, "CEPH_AT_RISK", "osd 2")
    finally:
        cloud.exec("sto3", ["systemctl", "start", "ceph-osd@2.service"])
    assert wait_for(lambda: cluster.whole(cloud), 60, 0.5)


def test_without_a_manager_nothing_is_known_and_nothing_is_taken_down(cloud, ceph):
    want_reboot(cloud, "sto1", "sto2")
    for host in HOSTS:
        cloud.exec(host, ["systemctl", "stop", f"ceph-mgr@{host}.service"])
    try:
        refused(cloud, "CEPH_UNREACHABLE", "ceph ")
    finally:
        for host in HOSTS:
            cloud.exec(host, ["systemctl", "start", f"ceph-mgr@{host}.service"])
    assert wait_for(lambda: cluster.whole(cloud), 60, 0.5)


@pytest.fixture(scope="module")
def rebooted(cloud, ceph):
    """orch.system with a reboot due on each of the three, under the client's load."""
    want_reboot(cloud, *HOSTS)
    before = boots(cloud), cluster.flags(cloud), health(cloud)
    with Client(cloud) as client, EventLog(cloud) as log:
        operator.update(cloud, "orch.system")
    print(cloud.master(["salt-run", "rollout.report"]).stdout)
    for one in client.told:
        print(one)
    return before, client, log.steps(stage="system")


def test_each_was_rebooted_once_and_no_two_were_away_together(cloud, rebooted):
    (before, _, _), _, events = rebooted
    after = boots(cloud)
    assert {node for node in cloud.nodes if before[node] != after[node]} == set(HOSTS)
    away: set[str] = set()
    most = set()
    for event in events:
        if event["node"] in HOSTS and event["step"] == "drain" and event["status"] == "succeeded":
            away.add(event["node"])
        if event["node"] in HOSTS and event["step"] == "restore" and event["status"] == "succeeded":
            away.discard(event["node"])
        most.add(len(away))
    assert max(most) == 1
    for node in HOSTS:
        done = [e["step"] for e in events if e["node"] == node and e["status"] == "succeeded"]
        assert done == ["drain", "apply", "reboot", "verify", "restore"]


def test_no_client_met_an_error_and_no_placement_group_was_without_its_data(cloud, rebooted):
    _, client, _ = rebooted
    (end,) = client.of("end")
    assert client.of("error") == [] and end["writes"] > 500 and end["reads"] == end["writes"]
    states = {state for one in client.of("state") for state in one["groups"]}
    # Peering takes a moment at each change of members, in which nothing may be asked of a group.
    inactive = {state for state in states if "active" not in state.split("+")}
    assert not {word for state in inactive for word in state.split("+")} & {
        *("down", "incomplete", "stale", "peered", "undersized"),
    }
    assert min(one["up"] for one in client.of("state")) == 2


def test_flags_and_health_are_as_before_and_nothing_is_left(cloud, rebooted):
    (_, flags, checks), _, _ = rebooted
    assert cluster.flags(cloud) == flags and OPERATORS_FLAG in flags["flags"]
    assert health(cloud) == checks and cluster.whole(cloud)
    assert cloud.master(["salt-run", "workload.drained", "--out=json"]).stdout.strip() == "{}"


def test_a_run_that_is_killed_after_a_drain_is_put_right_by_the_next(cloud, rebooted):
    want_reboot(cloud, "sto2")
    before = boots(cloud), cluster.flags(cloud)
    with EventLog(cloud) as log:
        process = operator.start_update(cloud, "orch.system")
        log.wait_for(step(stage="system", node="sto2", step="drain", status="succeeded"), timeout=300)
        process.kill()
        process.communicate()
    assert cluster.flags(cloud)["crush_node_flags"] == {"sto2": ["noout"]}
    operator.update(cloud, "orch.system")
    after = boots(cloud)
    assert {node for node in cloud.nodes if before[0][node] != after[node]} == {"sto2"}
    assert cluster.flags(cloud) == before[1] and cluster.whole(cloud)


@contextlib.contextmanager
def without_ceph(cloud):
    cloud.set_pillar(
        policies={"storage": {"batch": 3}}, system={"reboot": "when_required", "reboot_timeout": 240}
    )
    try:
        yield
    finally:
        cloud.set_pillar(policies=POLICIES, system={"reboot": "when_required", "reboot_timeout": 240})


def test_without_the_drain_what_serves_data_is_no_empty_node(cloud, rebooted):
    want_reboot(cloud, *HOSTS)
    with without_ceph(cloud):
        refused(cloud, "NODE_OCCUPIED", "ceph")
