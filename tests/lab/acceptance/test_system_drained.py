"""The system stage on a real Nova and Neutron: a new kernel on every node, each drained before it is
rebooted.
"""

from __future__ import annotations

import json

import pytest

from .. import operator, proof
from ..events import EventLog, most_in_flight, step
from ..openstack.api import Api

LAB_PROFILE = "openstack"
#: the cloud is made, and six nodes are rebooted, before the first test is one
pytestmark = pytest.mark.timeout(5400)
COMPUTES = ("cmp1", "cmp2", "cmp3")
SERVERS = {"a1": "cmp1", "a2": "cmp1", "b1": "cmp2", "c1": "cmp3"}
ROUTERS = {"r1": "gtw1", "r2": "gtw2"}
POLICIES = {
    "compute": {"drain": "live_migrate", "migrate_back": True, "return_timeout": 300},
    "gateway": {"drain": "move_routers", "return_timeout": 300, "router_timeout": 300},
    "controller": {"reboot_occupied": True},
}


def boots(cloud) -> dict[str, str]:
    source = ["cat", "/proc/sys/kernel/random/boot_id"]
    return {node: cloud.exec(node, source).stdout.strip() for node in cloud.nodes}


@pytest.fixture(scope="module")
def update(cloud):
    """orch.system to 1.0.1, which has a new kernel; what was on a node when its reboot began was asked
    then.
    """
    api = Api(cloud)
    api.wait_until_ready()
    api.add_routers(ROUTERS)
    api.boot(SERVERS)
    cloud.set_pillar(target_version="1.0.1", system={"reboot": "when_required"}, policies=POLICIES)
    before = boots(cloud)
    found = {}
    with EventLog(cloud) as log:
        process = operator.start_update(cloud, "orch.system")
        for node in COMPUTES:
            log.wait_for(
                step(stage="system", node=node, step="reboot", status="started"), timeout=operator.PATIENCE
            )
            found[node] = [name for name, (_, host) in api.servers().items() if host == node]
        printed, _ = process.communicate(timeout=operator.PATIENCE)
    assert process.returncode == 0, printed[-4000:]
    print(cloud.master(["salt-run", "rollout.report"]).stdout)
    return api, before, found, log.steps(stage="system")


def test_every_node_was_rebooted_one_compute_at_a_time(cloud, update):
    _, before, _, events = update
    after = boots(cloud)
    assert all(before[node] != after[node] for node in cloud.nodes)
    assert max(len(nodes) for nodes in most_in_flight(events, set(COMPUTES))) == 1


@pytest.mark.parametrize("node", ["gtw1", "gtw2", *COMPUTES])
def test_it_was_drained_first_and_proven_after(update, node):
    _, _, found, events = update
    done = [e["step"] for e in events if e["node"] == node and e["status"] == "succeeded"]
    assert done == ["drain", "apply", "reboot", "verify", "restore"]
    assert found.get(node, []) == []


def test_servers_and_routers_are_where_they_were_and_nothing_is_left(cloud, update):
    api = update[0]
    assert api.servers() == {name: ("ACTIVE", host) for name, host in SERVERS.items()}
    assert {name: sorted(where) for name, where in api.routers().items()} == {
        name: [host] for name, host in ROUTERS.items()
    }
    for node in COMPUTES:
        assert api.compute_service(node).status == "enabled"
    assert json.loads(cloud.master(["salt-run", "workload.drained", "--out=json"]).stdout) == {}


def test_the_new_kernel_is_there_and_a_second_run_does_nothing(cloud, update):
    for node in cloud.nodes:
        assert "5.14.0-2.el9" in proof.installed(cloud, node)["kernel-core"]
    after = boots(cloud)
    operator.update(cloud, "orch.system")
    assert boots(cloud) == after
