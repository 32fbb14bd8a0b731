"""At the end of a run the cloud is tried out on what the run updated, and a failure there is no success."""

import pytest

from openstack_rollout.errors import RolloutError
from tests.unit.simulated_fleet import Cloud, Master, refusal

CLOUD = {"controller": 1, "gateway": 1, "compute": 2}


@pytest.fixture
def master(cloud, tmp_path):
    made = Master(cloud, tmp_path)
    made.tried = []

    def verification(openstack, computes, gateways):
        made.tried.append((sorted(computes), sorted(gateways)))
        return "2 servers booted"

    made.verification = verification
    return made


def test_what_was_updated_is_tried_out_and_the_run_says_so(cloud, master):
    cloud.nodes["compute2"].at = {stage: "1.0.1" for stage in ("ovn", "services", "ovs", "system")}
    assert master.update()["state"] == "completed"
    assert master.tried == [(["compute1"], ["gateway1"])]
    assert master.run.verified == "2 servers booted"


def test_nodes_of_own_roles_are_tried_out_as_those_that_they_are_like(tmp_path):
    cloud = Cloud(controller=1, network=1, monitoring=1)
    made = Master(cloud, tmp_path)
    tried = []
    made.verification = lambda model, computes, gateways: tried.append((computes, gateways)) or "all works"
    made.update()
    assert tried == [([], ["network1"])]


def test_a_run_that_touched_nothing_tries_nothing(cloud, master):
    master.update()
    master.tried.clear()
    assert master.update()["state"] == "completed"
    assert master.tried == []


def test_a_cloud_that_fails_pauses_the_run_which_tries_again(cloud, master):
    works = master.verification

    def fails(*about):
        raise RolloutError("CLOUD_CHECK_FAILED", "compute1: no server could be booted", ["compute1"])

    master.verification = fails
    assert refusal(master.update).reason == "CLOUD_CHECK_FAILED"
    assert master.run.state == "paused"
    master.verification = works
    assert master.update()["state"] == "completed"
    assert master.tried == [(["compute1", "compute2"], ["gateway1"])]
