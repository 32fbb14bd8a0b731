"""What a release asks for before its services move: refused as RELEASE_CHECK, and nothing is touched."""

from __future__ import annotations

import pytest

from openstack_rollout.errors import RolloutError
from tests.unit.simulated_fleet import Cloud, Master


class Asking(Cloud):
    """Controllers whose broker lacks a feature flag."""

    lines = ("RabbitMQ's feature flag khepri_db is disabled",)

    def facts_of(self, name):
        checks = {"control_plane": list(self.lines)} if name == "controller2" else {}
        return super().facts_of(name) | {"checks": checks}


def test_a_run_does_not_begin_before_it_is_done(tmp_path):
    cloud = Asking(controller=3, compute=2)
    master = Master(cloud, tmp_path)
    with pytest.raises(RolloutError, match=r"^RELEASE_CHECK: controller2: .*khepri_db is disabled"):
        master.update()
    assert cloud.applied == [] and master.run is None
    cloud.lines = ()
    master.update()
    assert master.run["state"] == "completed"


def test_a_stage_that_it_does_not_concern_runs(tmp_path):
    cloud = Asking(controller=3)
    master = Master(cloud, tmp_path)
    master.rollout().stage("ovn")
    assert {stage for stage, _ in cloud.applied} == {"ovn"}
