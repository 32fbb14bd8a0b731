"""The question to nodes before a rollback: what they have kept."""

from __future__ import annotations

from openstack_rollout.on_salt import way_back
from openstack_rollout.on_salt.jobs import Ended

KEPT = {"schema": 1, "known": True, "packages": {"bash": {"had": "1", "has": ["2"]}}}


class Fleet:
    def __init__(self, *ended):
        self.ended = ended
        self.calls = []

    def ask(self, silences, call, *, within):
        self.calls.append((silences, call, within))
        return self.ended


def test_each_node_told_or_has_a_reason():
    fleet = Fleet(
        Ended("cmp1", "1", {"value": KEPT}),
        Ended("cmp2", "1", reason="NODE_SILENT", message="no sign of life"),
        Ended("cmp3", "1", {"reason": "", "message": "way_back.kept is not available: …"}),
        Ended("cmp4", "1", {"value": {"schema": 1}}),
        Ended("cmp5", "1", {"value": KEPT | {"schema": 9}}),
    )
    told, failures = way_back.ask(fleet, "r1", {"cmp1": ["b", "a"], "cmp2": ["a"]})
    assert list(told) == ["cmp1"] and told["cmp1"].packages["bash"].had == "1"
    assert {node: reason for node, (reason, _) in failures.items()} == {
        "cmp2": "NODE_SILENT",
        "cmp3": "NODE_ERROR",
        "cmp4": "FACTS_INVALID",
        "cmp5": "FACTS_INVALID",
    }
    ((silences, call, within),) = fleet.calls
    assert silences.keys() == {"cmp1", "cmp2"} and within < 600
    assert call.keywords == {"kwargs": {"run": "r1", "references": ["a", "b"]}}


def test_of_no_node_nothing_is_asked():
    fleet = Fleet()
    assert way_back.ask(fleet, "r1", {}) == ({}, {}) and fleet.calls == []
