"""Accounts of real runs on the simulated fleet, for the tests of documents."""

from __future__ import annotations

import json

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout.account import account
from tests.unit.simulated_fleet import DRAIN, Cloud, Master

#: What somebody may call a node, write into a comment, or have a tool say.
EVIL = "<script>alert('a')</script> | `b` [c](http://example.com) \"d\""


def updated(folder, **nodes):
    """A run that paused for a node that failed, waited nine hours, and went on without another."""
    master = Master(Cloud(**nodes), folder)
    cloud = master.cloud
    cloud.policy("compute", batch=4, drain=DRAIN, max_failures=1, on_failure="quarantine")
    cloud.nodes["compute2"].faults["ovs/apply"] = "OVS_FAILED"
    cloud.nodes["controller1"].faults["control_plane/apply"] = "CONTAINER_EXITED"
    with pytest.raises(RolloutError):
        master.update(accept=["failed_units"])
    cloud.now += 9 * 3600
    cloud.nodes["controller1"].faults.clear()
    master.update()
    return account(master.journal)


def poisoned(data):
    """The same account with evil words wherever words are that come from elsewhere."""
    run, nodes = data["run"], data["nodes"]
    run |= {"message": EVIL, "reason": "NODE_ERROR", "limit": EVIL, "verified": EVIL}
    run["begun"][0] |= {"user": EVIL, "terminal": EVIL}
    run["conditions"] = {"room": {"verdict": "warn", "seen": [EVIL]}}
    run["gone"] = {EVIL: {"role": EVIL, "key": EVIL}}
    for pause in run["pauses"]:
        pause["message"] = EVIL
    for one in (*data["failures"], *data["left"]):
        one |= {"node": EVIL, **{key: EVIL for key in ("outcome", "have", "want", "remedy") if key in one}}
    first = next(iter(nodes))
    node = json.loads(json.dumps(nodes[first]))
    node |= {"role": EVIL, "zone": EVIL, "reason": "NODE_ERROR", "message": EVIL}
    node["versions"] = [{"kind": "package", "subject": EVIL, "have": EVIL, "want": ""}]
    node["after"]["release"] = EVIL
    node["steps"][0]["slow"] = 5.0
    data["nodes"] = {EVIL: node, **nodes}
    return data
