"""Two real keepalived that share an address: which of them holds it, also where each believes to be alone.

Each has a network of its own, as the nodes of a cloud have; Neutron's, for a router, would be a third.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from openstack_rollout.declared.facts import VirtualAddresses
from openstack_rollout.rollout.addresses import at_risk
from tests.lab.enclosure import wait_for

CHECKOUT = Path(__file__).resolve().parents[2]
NODES = {"ctl1": ("10.231.9.11", 100), "ctl2": ("10.231.9.12", 50)}
SWITCH = "vrrp-switch"
VIP, ALSO = "10.231.9.250", "fd00:231::250"
CONFIGURATION = """
vrrp_instance one {{
    state BACKUP
    interface port
    virtual_router_id 51
    priority {priority}
    advert_int 1
    virtual_ipaddress {{
        {vip}/32 dev port
    }}
    virtual_ipaddress_excluded {{
        {also}/128 dev port
    }}
}}
"""
# What the minion's loader would do: the module, with Salt's own of the network.
TELL = """
import json, salt.utils.network
from tests.unit.loading import load
salt = {"network.interfaces": salt.utils.network.interfaces}
print(json.dumps(load("modules", "virtual_addresses", salt=salt).found()))
"""


def run(*arguments):
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def daemons():
    """The keepalived of each node, once `nodes` has started them."""
    return {}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory, daemons):
    """The network namespaces of two nodes on one switch, each with a keepalived in it."""
    folder = tmp_path_factory.mktemp("keepalived")
    spaces = {node: f"vrrp-{node}" for node in NODES}
    with ExitStack() as undo:
        for space in (SWITCH, *spaces.values()):
            run("ip", "netns", "add", space)
            undo.callback(run, "ip", "netns", "delete", space)
        run("ip", "-n", SWITCH, "link", "add", "bridge", "type", "bridge")
        run("ip", "-n", SWITCH, "link", "set", "bridge", "up")
        for node, (address, priority) in NODES.items():
            space = spaces[node]
            peer = ["type", "veth", "peer", "name", "port", "netns", space]
            run("ip", "-n", SWITCH, "link", "add", node, *peer)
            run("ip", "-n", SWITCH, "link", "set", node, "up", "master", "bridge")
            run("ip", "-n", space, "address", "add", f"{address}/24", "dev", "port")
            run("ip", "-n", space, "link", "set", "port", "up")
            file = folder / f"{node}.conf"
            file.write_text(CONFIGURATION.format(priority=priority, vip=VIP, also=ALSO))
            pids = ["--pid", f"{folder}/{node}.pid", "--vrrp_pid", f"{folder}/{node}.vrrp.pid"]
            command = ["keepalived", "--dont-fork", "--vrrp", "--use-file", str(file), *pids]
            daemon = subprocess.Popen(["ip", "netns", "exec", space, *command], stderr=subprocess.DEVNULL)
            daemons[node] = daemon
            undo.callback(daemon.wait, 30)
            undo.callback(daemon.terminate)
        yield spaces


def told(nodes):
    """What each node tells."""
    inside = ["env", f"PYTHONPATH={CHECKOUT}:{CHECKOUT}/_utils", sys.executable, "-c", TELL]
    return {
        node: VirtualAddresses.model_validate_json(run("ip", "netns", "exec", space, *inside))
        for node, space in nodes.items()
    }


def holders(nodes):
    found = told(nodes)
    assert all(one.running and set(one.addresses) == {VIP, ALSO} for one in found.values())
    return {address: [node for node in NODES if found[node].addresses[address]] for address in (VIP, ALSO)}


def risk(nodes):
    return at_risk(NODES, dict.fromkeys((VIP, ALSO), tuple(NODES)), told(nodes), ())


def test_one_holds_it_both_where_they_do_not_hear_of_one_another_none_where_both_are_down(nodes):
    one, both, none = (dict.fromkeys((VIP, ALSO), some) for some in (["ctl1"], ["ctl1", "ctl2"], []))
    assert wait_for(lambda: holders(nodes) == one, 30), holders(nodes)
    assert risk(nodes) is None
    run("ip", "-n", SWITCH, "link", "set", "ctl2", "nomaster")
    assert wait_for(lambda: holders(nodes) == both, 30), holders(nodes)
    assert risk(nodes).reason == "VIRTUAL_ADDRESS_AT_RISK"
    run("ip", "-n", SWITCH, "link", "set", "ctl2", "master", "bridge")
    assert wait_for(lambda: holders(nodes) == one, 30), holders(nodes)
    for node in NODES:
        run("ip", "-n", SWITCH, "link", "set", node, "down")
    assert wait_for(lambda: holders(nodes) == none, 30), holders(nodes)
    assert risk(nodes).nodes == ("ctl1", "ctl2")
    for node in NODES:
        run("ip", "-n", SWITCH, "link", "set", node, "up")
    assert wait_for(lambda: holders(nodes) == one, 30), holders(nodes)


def test_one_that_has_died_leaves_the_other_nobody_to_take_over(nodes, daemons):
    daemons["ctl2"].terminate()
    daemons["ctl2"].wait(30)
    assert wait_for(lambda: not told(nodes)["ctl2"].running, 10)
    assert told(nodes)["ctl1"].addresses[VIP] and "ctl2" in risk(nodes).message
