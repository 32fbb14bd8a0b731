"""The foundation on nine machines: `batch: 50%` of four computes takes two at once, one in each zone."""

from __future__ import annotations

from .. import operator, proof
from ..agreement import assert_agreed
from ..events import EventLog, most_in_flight

LAB_PROFILE = "full"
COMPUTES = {"cmp1", "cmp2", "cmp3", "cmp4"}
ZONE = {"cmp1": "az1", "cmp3": "az1", "cmp2": "az2", "cmp4": "az2"}


def test_half_of_the_computes_at_once_one_per_zone(cloud):
    cloud.set_pillar(target_version="1.0.1", policies={"compute": {"batch": "50%", "per_zone": 1}})
    plan = operator.plan(cloud)
    with EventLog(cloud) as log:
        operator.update(cloud)
    assert_agreed(plan, log.steps())
    for stage in ("ovn", "services", "ovs", "system"):
        sets = most_in_flight(log.steps(stage=stage), COMPUTES)
        assert max(len(nodes) for nodes in sets) == 2, (stage, sets)
        for nodes in sets:
            assert len({ZONE[node] for node in nodes}) == len(nodes), (stage, nodes)
    controllers = most_in_flight(log.steps(), {"ctl1", "ctl2", "ctl3"})
    assert max(len(nodes) for nodes in controllers) == 1, controllers
    proof.assert_cloud_at(cloud, "1.0.1")
