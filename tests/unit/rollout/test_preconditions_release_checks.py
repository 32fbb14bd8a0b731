"""What a release asks for before its services move: refused as RELEASE_CHECK, and nothing is touched."""

from __future__ import annotations

import pytest

from openstack_rollout.errors import RolloutError
from tests.unit.simulated_fleet import Cloud, Master

CHECK = {
    "service": "control_plane",
    "call": "rabbitmq_cluster.feature_flags",
    "arguments": {"enabled": ["x"]},
}


class Asking(Cloud):
    """Controllers whose broker lacks a feature flag; what each answers to the release's checks."""

    lines = ("RabbitMQ's feature flag khepri_db is disabled",)
    call = CHECK["call"]

    def __init__(self, **nodes):
        super().__init__(**nodes)
        self.openstack["releases"]["1.0.1"]["checks"] = [CHECK]

    def facts_of(self, name):
        lines = list(self.lines) if name == "controller2" else []
        own = {"service": "control_plane", "call": self.call, "lines": lines}
        checks = [own] if name.startswith("controller") else []
        return super().facts_of(name) | {"checks": checks}


def test_a_run_does_not_begin_before_it_is_done(tmp_path):
    cloud = Asking(controller=3, compute=2)
    master = Master(cloud, tmp_path)
    with pytest.raises(
        RolloutError, match=r"^RELEASE_CHECK: controller2: .*khepri_db is disabled"
    ) as refused:
        master.update()
    assert refused.value.nodes == ("controller2",)
    assert cloud.applied == [] and master.run is None
    cloud.lines = ()
    master.update()
    assert master.run.state == "completed"


def test_a_stage_that_it_does_not_concern_runs(tmp_path):
    cloud = Asking(controller=3)
    master = Master(cloud, tmp_path)
    master.rollout().stage("ovn")
    assert {stage for stage, _ in cloud.applied} == {"ovn"}


def test_a_service_that_moved_is_asked_nothing_any_more(tmp_path):
    cloud = Asking(controller=3, compute=2)
    for number in (1, 2, 3):
        cloud.nodes[f"controller{number}"].at["control_plane"] = "1.0.1"
    Master(cloud, tmp_path).update()
    assert all(set(node.at.values()) == {"1.0.1"} for node in cloud.nodes.values())


def test_a_node_cannot_make_up_a_check(tmp_path):
    cloud = Asking(controller=3)
    cloud.call = "rabbitmq_cluster.of_my_own"
    Master(cloud, tmp_path).update()
    assert all(set(node.at.values()) == {"1.0.1"} for node in cloud.nodes.values())
