"""What the engine makes of a node that somebody reboots, a run beside a paused one, and keys that go."""

from __future__ import annotations

import json

import pytest

from ... import operator, proof
from ...faults import machines, small
from ...faults.matrix import Matrix

LAB_PROFILE = "small"
VERSION = "1.2.0"
NAMED = (
    "the machine is rebooted in mid-apply",
    "a minion stands still for 40 s",
    "a minion's key was made anew",
    "a digest is edited in mid-run",
)


@pytest.fixture(scope="module")
def matrix(cloud) -> Matrix:
    return Matrix(cloud, small.KEY)


@pytest.mark.parametrize("name", NAMED)
def test_a_fault_is_named_and_the_next_run_converges(matrix, name):
    (fault,) = (one for one in small.FAULTS if one.name == name)
    row = matrix.suffer(fault)
    assert row.verdict == "as it should be"


def test_a_system_run_does_not_close_a_paused_update(cloud):
    cloud.add_release(VERSION, like=operator.FIRST, images={small.KEY: cloud.images["broken"]})
    cloud.set_pillar(target_version=VERSION)
    assert operator.update(cloud, check=False).returncode != 0
    paused = operator.status(cloud)["run"]
    assert (paused["state"], paused["reason"]) == ("paused", "CONTAINER_EXITED"), paused
    before = proof.fingerprint(cloud)
    refused = operator.update(cloud, "orch.system", check=False)
    assert refused.returncode != 0 and f"RUN_UNFINISHED: run {paused['id']} " in refused.stdout, (
        refused.stdout
    )
    after = operator.status(cloud)["run"]
    assert proof.fingerprint(cloud) == before
    assert after | {"estimate": None} == paused | {"estimate": None}  # which goes by the clock
    cloud.add_release(VERSION, like=operator.FIRST)
    done = cloud.master(["salt-run", "rollout.resume"], check=False, timeout=operator.PATIENCE)
    assert done.returncode == 0 and paused["id"] in done.stdout, done.stdout
    proof.assert_cloud_at(cloud, VERSION)


def test_a_node_whose_key_is_deleted_is_named_by_the_next_update(cloud):
    named = {"cmp2": {"role": "compute", "key": "deleted"}}
    cloud.exec("cmp2", ["systemctl", "stop", machines.MINION])
    cloud.master(["salt-key", "--yes", "--delete=cmp2"])
    try:
        assert operator.status(cloud)["gone"] == named and operator.plan(cloud)["gone"] == named
        operator.update(cloud)
        report = cloud.master(["salt-run", "rollout.report", "--out=json"])
        assert json.loads(report.stdout)["run"]["gone"] == named
    finally:
        cloud.exec("cmp2", ["systemctl", "start", machines.MINION])
        cloud.wait_for_minions()
