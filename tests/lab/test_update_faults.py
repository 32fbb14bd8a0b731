"""What goes wrong in mid-update on machines: paused under a name, others untouched, run again converges."""

from __future__ import annotations

import signal

import pytest

from . import operator, proof
from .events import EventLog, published, step

METADATA = "edpm_neutron_metadata_agent_image"
COMPUTE = "nova_compute_image"


@pytest.fixture(scope="module", autouse=True)
def _updated(cloud):
    """The cloud as test_update leaves it; where that did not run, brought there."""
    if operator.status(cloud)["deployed"] == operator.FIRST:
        cloud.set_pillar(target_version="1.0.1")
        operator.update(cloud)


def test_a_stage_out_of_order_is_refused_with_what_must_go_first(cloud):
    cloud.add_release("1.0.2", like="1.0.0", packages_like="1.0.1")
    cloud.set_pillar(target_version="1.0.2")
    before = proof.fingerprint(cloud)
    refused = operator.update(cloud, "orch.services", check=False)
    assert refused.returncode != 0
    assert "STAGE_OUT_OF_ORDER" in refused.stdout and "ovn" in refused.stdout
    assert proof.fingerprint(cloud) == before


def test_a_container_that_exits_at_once_pauses_and_names_the_node(cloud):
    cloud.add_release("1.0.2", like="1.0.1", images={METADATA: cloud.images["broken"]})
    cloud.set_pillar(target_version="1.0.2")
    running = {node: proof.running_digests(cloud, node) for node in ("cmp1", "cmp2")}
    failed = operator.update(cloud, check=False)
    assert failed.returncode != 0
    run = operator.status(cloud)["run"]
    assert run["state"] == "paused" and run["reason"] == "CONTAINER_EXITED" and "cmp1" in run["message"], run
    # by policy the image that worked before is started again
    assert {node: proof.running_digests(cloud, node) for node in running} == running

    cloud.add_release("1.0.2", like="1.0.1", images={METADATA: cloud.releases["1.0.0"]["images"][METADATA]})
    operator.update(cloud)
    proof.assert_cloud_at(cloud, "1.0.2")


def test_a_node_killed_in_mid_update_is_named_and_the_rest_wait(cloud):
    cloud.add_release("1.0.3", like="1.0.1", images={COMPUTE: cloud.releases["1.0.0"]["images"][COMPUTE]})
    cloud.set_pillar(target_version="1.0.3", policies={"compute": {"silence": 20}})
    with EventLog(cloud) as log:
        process = operator.start_update(cloud)
        log.wait_for(step(stage="services", node="cmp1", step="apply", status="started"))
        cloud.kill("cmp1")
        printed, _ = process.communicate(timeout=300)
        assert process.returncode != 0
        assert log.steps(stage="services", node="cmp2", step="apply") == []
    run = operator.status(cloud)["run"]
    assert run["state"] == "paused" and run["reason"] == "NODE_SILENT" and "cmp1" in run["message"], run
    assert "NODE_SILENT" in printed and "cmp1" in printed

    cloud.start("cmp1")
    cloud.wait_for_minions()
    operator.update(cloud)
    proof.assert_cloud_at(cloud, "1.0.3")


def test_a_killed_run_is_resumed_by_running_again_and_another_beside_it_is_refused(cloud):
    cloud.add_release("1.0.4", like="1.0.1")
    cloud.set_pillar(target_version="1.0.4")
    with EventLog(cloud) as log:
        process = operator.start_update(cloud)
        log.wait_for(published("cmp1", "openstack.services"))
        process.send_signal(signal.SIGKILL)
        process.wait()
        resumed = operator.start_update(cloud)
        log.wait_for(step(stage="services", node="cmp2", step="apply", status="started"))
        second = operator.update(cloud, check=False)
        assert second.returncode != 0 and "RUN_IN_PROGRESS" in second.stdout + second.stderr
        printed, _ = resumed.communicate(timeout=600)
        assert resumed.returncode == 0, printed
        begun = [event["node"] for event in log.steps(stage="services", step="apply", status="started")]
    # the job in flight was adopted, not started a second time
    assert begun.count("cmp1") == 1, begun
    proof.assert_cloud_at(cloud, "1.0.4")


def test_an_image_that_cannot_be_had_restarts_nothing(cloud):
    before = proof.fingerprint(cloud)
    missing = cloud.releases["1.0.1"]["images"][COMPUTE].partition("@")[0] + f"@sha256:{'0' * 64}"
    cloud.add_release("1.0.5", like="1.0.1", images={COMPUTE: missing})
    cloud.set_pillar(target_version="1.0.5")
    refused = operator.update(cloud, check=False)
    assert refused.returncode != 0
    assert "IMAGE_MISSING" in refused.stdout + refused.stderr
    assert proof.fingerprint(cloud) == before
