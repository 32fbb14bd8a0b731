"""Backups asked for over Salt: one job for nodes that are asked alike, each of them told or has a reason."""

from __future__ import annotations

from openstack_rollout.on_salt import backups
from openstack_rollout.on_salt.jobs import Ended

TOLD = {"schema": 1, "backups": {}, "said": ""}


class Fleet:
    def __init__(self, *ended):
        self.ended = {one.node: one for one in ended}
        self.calls = []

    def ask(self, silences, call, halted, *, within):
        self.calls.append((sorted(silences), call, within))
        return [self.ended[node] for node in silences]


def test_nodes_that_are_asked_alike_have_one_job_and_each_told_or_has_a_reason():
    fleet = Fleet(
        Ended("ctl1", "1", {"value": TOLD}),
        Ended("cmp1", "1", {"reason": "BACKUP_FAILED", "message": "files: no space"}),
        Ended("cmp2", "1", reason="NODE_SILENT", message="no sign of life"),
        Ended("cmp3", "1", {"value": TOLD | {"backups": {"r1": {"files": {"file": "x"}}}}}),
    )
    asked = {"ctl1": {"name": "r1", "of": ["galera"]}} | {
        node: {"name": "r1", "of": ["files"]} for node in ("cmp1", "cmp2", "cmp3")
    }
    told, failures = backups.ask(fleet, "take", asked, 9.0)
    assert list(told) == ["ctl1"]
    assert {node: reason for node, (reason, _) in failures.items()} == {
        "cmp1": "BACKUP_FAILED",
        "cmp2": "NODE_SILENT",
        "cmp3": "FACTS_INVALID",
    }
    of_controller, of_computes = fleet.calls
    assert of_controller[0] == ["ctl1"] and of_computes[0] == ["cmp1", "cmp2", "cmp3"]
    assert of_computes[1].keywords == {"kwargs": {"name": "r1", "of": ["files"]}} and of_computes[2] == 9.0
    assert of_computes[1].arguments == ("node_backup.take",) and not of_computes[1].again
