"""What goes wrong in mid-update on machines: paused under a name, others untouched, run again converges."""

from __future__ import annotations

import signal

import pytest

from . import operator, proof
from .events import EventLog, published, step

pytestmark = pytest.mark.usefixtures("cloud")


def test_a_stage_out_of_order_is_refused_with_what_must_go_first(cloud):
    cloud.set_pillar(target_version="1.0.1")
    before = proof.fingerprint(cloud)
    refused = operator.update(cloud, "orch.services", check=False)
    assert refused.returncode != 0
    assert "STAGE_OUT_OF_ORDER" in refused.stdout and "ovn" in refused.stdout
    assert proof.fingerprint(cloud) == before


def test_each_package_moves_in_its_own_stage(cloud):
    cloud.set_pillar(target_version="1.0.1")
    old, new = (cloud.releases[version]["packages"] for version in ("1.0.0", "1.0.1"))
    for stage in ("ovn", "control_plane", "services"):
        operator.update(cloud, f"orch.{stage}")
    packages = proof.installed(cloud, "cmp1")
    assert packages["openstack-selinux"] == [new["openstack-selinux"]]
    for untouched in ("kernel", "kernel-core"):
        assert packages[untouched] == [old[untouched]]
    assert "openvswitch3.4" in packages and "openvswitch3.5" not in packages

    switch = cloud.exec("cmp1", ["systemctl", "show", "-p", "MainPID", "--value", "ovs-vswitchd"]).stdout
    operator.update(cloud, "orch.ovs")
    packages = proof.installed(cloud, "cmp1")
    assert packages["openvswitch3.5"] == [new["openvswitch3.5"]] and "openvswitch3.4" not in packages
    assert cloud.exec("cmp1", ["systemctl", "is-enabled", "openvswitch"]).stdout.strip() == "enabled"
    assert (
        cloud.exec("cmp1", ["systemctl", "show", "-p", "MainPID", "--value", "ovs-vswitchd"]).stdout == switch
    )
    assert packages["kernel-core"] == [old["kernel-core"]]

    operator.update(cloud, "orch.system")
    assert new["kernel-core"] in proof.installed(cloud, "cmp1")["kernel-core"]
    proof.assert_cloud_at(cloud, "1.0.1")


def test_a_container_that_exits_at_once_pauses_and_names_the_node(cloud):
    key = "edpm_neutron_metadata_agent_image"
    cloud.add_release("1.0.2", like="1.0.1", images={key: cloud.images["broken"]})
    cloud.set_pillar(target_version="1.0.2")
    second = proof.running_digests(cloud, "cmp2")
    failed = operator.update(cloud, check=False)
    assert failed.returncode != 0
    run = operator.status(cloud)["run"]
    assert run["state"] == "paused" and run["reason"] == "CONTAINER_EXITED" and "cmp1" in run["message"], run
    assert proof.running_digests(cloud, "cmp2") == second
    # by policy the image that worked before is started again
    assert proof.running_digests(cloud, "cmp1") == second

    cloud.add_release("1.0.2", like="1.0.1", images={key: cloud.images["hotfix"]})
    operator.update(cloud)
    proof.assert_cloud_at(cloud, "1.0.2")


def test_a_node_killed_in_mid_update_is_named_and_the_rest_wait(cloud):
    cloud.add_release("1.0.3", like="1.0.0", packages_like="1.0.1")
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


def test_salt_run_killed_in_mid_window_is_resumed_by_running_again(cloud):
    cloud.add_release("1.0.4", like="1.0.1")
    cloud.set_pillar(target_version="1.0.4")
    with EventLog(cloud) as log:
        process = operator.start_update(cloud)
        log.wait_for(published("cmp1", "openstack.services"))
        process.send_signal(signal.SIGKILL)
        process.wait()
        operator.update(cloud)
        begun = [event["node"] for event in log.steps(stage="services", step="apply", status="started")]
    # the job in flight was adopted, not started a second time
    assert begun.count("cmp1") == 1, begun
    proof.assert_cloud_at(cloud, "1.0.4")


def test_a_second_update_while_one_runs_is_refused(cloud):
    cloud.add_release("1.0.5", like="1.0.0", packages_like="1.0.1")
    cloud.set_pillar(target_version="1.0.5")
    with EventLog(cloud) as log:
        process = operator.start_update(cloud)
        log.wait_for(step(stage="services", step="apply", status="started"))
        second = operator.update(cloud, check=False)
        assert second.returncode != 0 and "RUN_IN_PROGRESS" in second.stdout + second.stderr
        process.communicate(timeout=600)
    assert process.returncode == 0
    proof.assert_cloud_at(cloud, "1.0.5")


@pytest.mark.parametrize(
    ("fault", "reason"), [("registry down", "REGISTRY_UNREACHABLE"), ("digest missing", "IMAGE_MISSING")]
)
def test_an_image_that_cannot_be_had_restarts_nothing(cloud, fault, reason):
    before = proof.fingerprint(cloud)
    # an image that no node has yet; those it has need no registry
    fresh = {"edpm_neutron_metadata_agent_image": cloud.images["unhealthy"]}
    cloud.add_release("1.0.6", like="1.0.1", images=fresh)
    if fault == "digest missing":
        image = cloud.releases["1.0.1"]["images"]["nova_compute_image"].partition("@")[0]
        missing = {"nova_compute_image": f"{image}@sha256:{'0' * 64}"}
        cloud.add_release("1.0.6", like="1.0.1", images=missing)
    cloud.set_pillar(target_version="1.0.6")
    if fault == "registry down":
        cloud.stop_registry()
    try:
        refused = operator.update(cloud, check=False)
    finally:
        cloud.start_registry()
    assert refused.returncode != 0
    assert reason in refused.stdout + refused.stderr
    assert proof.fingerprint(cloud) == before
