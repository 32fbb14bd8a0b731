"""What an operator has set for which a stage would wait: SET_BY_OPERATOR, and nothing is touched."""

from __future__ import annotations

import pytest

from openstack_rollout.errors import RolloutError
from tests.unit.simulated_fleet import Cloud, Master


class Set(Cloud):
    """Computes, of which one has a setting for which ovn-controller would wait."""

    lines = ("external_ids:ovn-match-northd-version = true",)

    def facts_of(self, name):
        found = super().facts_of(name)
        containers = list(found["containers"]) if name == "compute2" else []
        return found | {"settings": {one: list(self.lines) for one in containers}}


def test_a_run_does_not_begin_before_it_is_taken_back(tmp_path):
    cloud = Set(controller=3, compute=2)
    master = Master(cloud, tmp_path)
    with pytest.raises(RolloutError) as refused:
        master.update()
    assert (refused.value.reason, refused.value.nodes) == ("SET_BY_OPERATOR", ("compute2",))
    assert "compute2" in refused.value.message and cloud.applied == [] and master.run is None
    cloud.lines = ()
    master.update()
    assert master.run.state == "completed"


def test_a_stage_that_it_does_not_concern_runs(tmp_path):
    cloud = Set(controller=3, compute=2)
    for node in cloud.nodes.values():
        node.at = {stage: "1.0.1" for stage in node.at} | {"system": node.at.get("system", "1.0.0")}
    Master(cloud, tmp_path).rollout().stage("system")
    assert {stage for stage, _ in cloud.applied} <= {"system"}
