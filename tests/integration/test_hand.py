"""The operator's hand on a real master with real minions: which nodes, how far, after whose yes."""

from __future__ import annotations

import pytest

from tests.integration.simulated_cloud import SimulatedCloud

PATIENT = {"policies": {role: {"silence": 60} for role in ("controller", "compute")}}


@pytest.fixture(scope="module")
def cloud(salt_factories, tmp_path_factory):
    cloud = SimulatedCloud(salt_factories, tmp_path_factory.mktemp("pillar"))
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()


def test_a_limit_by_command_and_by_the_pillar_of_an_orchestration(cloud):
    cloud.fresh(**PATIENT)
    limited = ("state.orchestrate", "orch.update", "pillar={limit: 'cmp1*'}")
    for words in (("rollout.run", "limit=cmp1*"), limited):
        refused = cloud.run(*words)
        assert refused.returncode == 1 and "Traceback" not in refused.stdout + refused.stderr
        assert "STAGE_OUT_OF_ORDER: limit 'cmp1*': ovn on cmp1 has to wait for ovn on ctl1;" in refused.stdout
    planned = cloud.run("rollout.plan", "limit=cmp1*")
    assert planned.returncode == 1 and "would be refused: STAGE_OUT_OF_ORDER: " in planned.stdout
    misspelt = cloud.run("state.orchestrate", "orch.update", "pillar={limti: 'cmp1*'}")
    assert misspelt.returncode == 1
    assert "WRONG_ARGUMENT: pillar: there is no 'limti', did you mean limit?" in misspelt.stdout
    unknown = cloud.run("rollout.run", "limit=cmq*")
    assert (unknown.returncode, unknown.stdout.partition(".")[0]) == (
        1,
        "NO_NODES: limit: 'cmq*' matches no node of openstack:roles",
    )
    assert [cloud.at(name) for name in ("ctl1", "cmp1", "cmp2")] == [{}, {}, {}]
    for words in (
        ("rollout.run", "ovn"),
        ("state.orchestrate", "orch.control_plane", "pillar={limit: ctl1}"),
    ):
        done = cloud.run(*words)
        assert done.returncode == 0, done.stdout
    done = cloud.run(*limited)
    assert done.returncode == 0, done.stdout
    assert cloud.at("cmp1") == dict.fromkeys(("ovn", "services", "ovs", "system"), "1.0.1")
    assert cloud.at("cmp2") == {"ovn": "1.0.1"}
    status = cloud.json("rollout.status")
    assert status["deployed"] is None and status["run"]["limit"] == "cmp1*"
    assert "limited to cmp1*, completed" in cloud.run("rollout.status").stdout
    done = cloud.json("rollout.run", "limit=L@cmp2,ctl1")
    assert done["state"] == "completed" and cloud.json("rollout.status")["deployed"] == "1.0.1"
