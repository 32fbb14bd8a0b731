"""The question to nodes what they can do without."""

from __future__ import annotations

from openstack_rollout.on_salt import surplus
from openstack_rollout.on_salt.jobs import Ended

TOLD = {"schema": 1, "images": ["a"], "packages": [], "freed": 7, "left": {}, "failed": {}}


class Fleet:
    def ask(self, silences, call, *, within):
        self.asked = silences, call, within
        return [
            Ended("cmp1", "1", {"value": TOLD}),
            Ended("cmp2", "1", {"value": TOLD | {"freed": -1}}),
            Ended("cmp3", "1", {"reason": "PACKAGE_LOCKED", "message": "dnf has it"}),
            Ended("cmp4", "1", reason="NODE_SILENT", message="no sign of life"),
        ]


def test_each_node_told_or_has_a_reason():
    fleet = Fleet()
    nodes = ["cmp1", "cmp2", "cmp3", "cmp4"]
    told, failures = surplus.prune(fleet, nodes, {"keep": [], "test": True})
    assert list(told) == ["cmp1"] and told["cmp1"].freed == 7
    reasons = {node: reason for node, (reason, _) in failures.items()}
    assert reasons == {"cmp2": "FACTS_INVALID", "cmp3": "PACKAGE_LOCKED", "cmp4": "NODE_SILENT"}
    silences, call, _ = fleet.asked
    assert list(silences) == nodes and not call.again, "a node that removes is not asked twice"
    assert call.keywords == {"kwargs": {"keep": [], "test": True}}
