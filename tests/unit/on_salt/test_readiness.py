"""The question to all nodes before a run: who tells, who tells nonsense, who does not answer."""

from __future__ import annotations

from openstack_rollout.on_salt import readiness
from openstack_rollout.on_salt.jobs import Ended
from tests.unit.rollout.test_node_conditions import quiet


class Fleet:
    def __init__(self, *ended):
        self.ended = ended
        self.calls = []

    def ask(self, silences, call, halted, *, within):
        self.calls.append((silences, call, within))
        return self.ended


def test_each_node_told_or_has_a_reason():
    fleet = Fleet(
        Ended("cmp1", "1", {"value": quiet("cmp1")}, asked=10.0, heard=12.0),
        Ended("cmp2", "1", reason="NODE_SILENT", message="no sign of life"),
        Ended("cmp3", "1", {"reason": "", "message": "readiness.report is not available: …"}),
        Ended("cmp4", "1", {"value": quiet("cmp1")}),
        Ended("cmp5", "1", {"value": quiet("cmp5") | {"schema": 9}}),
    )
    found = readiness.ask(fleet, {"cmp1": 8.0, "cmp2": 60.0}, {"days": 30})
    assert list(found.nodes) == ["cmp1"] and (found.nodes["cmp1"].asked, found.nodes["cmp1"].heard) == (
        10,
        12,
    )
    assert {node: reason for node, (reason, _) in found.failures.items()} == {
        "cmp2": "NODE_SILENT",
        "cmp3": "NODE_ERROR",
        "cmp4": "FACTS_INVALID",
        "cmp5": "FACTS_INVALID",
    }
    ((silences, call, within),) = fleet.calls
    assert silences == {"cmp1": 30.0, "cmp2": 60.0}
    assert call.function == "rollout_call.run" and call.arguments == ("readiness.report",)
    assert call.keywords == {"kwargs": {"days": 30, "fresh": True}} and within < 600


def test_of_no_node_nothing_is_asked():
    fleet = Fleet()
    assert readiness.ask(fleet, {}, {}).nodes == {} and fleet.calls == []
