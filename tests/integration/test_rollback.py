"""A rollback on a real master with real minions: orchestration, shares, the journal in Salt's cache."""

from __future__ import annotations

import pytest

from tests.integration.simulated_cloud import NODES

#: Nobody is silent here: a machine that has other work to do is slow.
PATIENT = {role: {"silence": 90} for role in ("controller", "compute")}


def versions(cloud):
    return [set(cloud.at(name).values()) for name in NODES]


@pytest.mark.long  # SUITE=hand undoes one of machines
def test_an_update_is_undone_and_nodes_are_held_until_the_target_is_set_back(cloud):
    cloud.fresh(policies=PATIENT)
    updated = cloud.json("rollout.run")
    assert versions(cloud) == [{"1.0.1"}] * 3
    plan = cloud.json("rollout.rollback", "test=True")
    assert (
        plan["rollback"] == {"of": updated["run"], "release": "1.0.0", "others": {}, "pulls": {}}
        and plan["refused"] is None
    )
    assert plan["stages"][0]["stage"] == "system"
    with cloud.events() as events:
        done = cloud.json("rollout.rollback")
        events.drain()
    assert done["state"] == "completed" and "set openstack:target_version to 1.0.0" in done["next"]
    assert versions(cloud) == [{"1.0.0"}] * 3
    started = [e["stage"] for e in events.seen if e["step"] == "apply" and e["status"] == "started"]
    assert list(dict.fromkeys(started)) == ["system", "ovs", "services", "control_plane", "ovn"]
    # Ad hoc states hold it, and an update is refused.
    apply_ = cloud.master.salt_cli().run("state.apply", "openstack.services", minion_tgt="cmp1", _timeout=300)
    assert apply_.returncode == 0 and versions(cloud) == [{"1.0.0"}] * 3
    refused = cloud.run("rollout.run")
    assert refused.returncode == 1 and "ROLLED_BACK" in refused.stdout
    status = cloud.json("rollout.status")
    assert {node["state"] for node in status["nodes"].values()} == {"rolled_back"}
    cloud.openstack(target_version="1.0.0", policies=PATIENT)
    assert cloud.json("rollout.run")["state"] == "completed" and versions(cloud) == [{"1.0.0"}] * 3
    assert cloud.json("rollout.status")["rollback"] is None


def test_a_limit_and_stages_through_the_orchestration(cloud):
    cloud.fresh(policies=PATIENT)
    cloud.json("rollout.run", "ovn")
    for wrong in ("limti: cmp1", "target: cmp1", "limit: null"):
        refused = cloud.run("state.orchestrate", "orch.rollback", f"pillar={{{wrong}, stages: ovn}}")
        assert refused.returncode == 1 and "WRONG_ARGUMENT" in refused.stdout
    assert versions(cloud) == [{"1.0.1"}] * 3
    done = cloud.run("state.orchestrate", "orch.rollback", "pillar={limit: cmp1, stages: ovn}")
    assert done.returncode == 0, done.stdout
    assert cloud.at("cmp1") == {"ovn": "1.0.0"} and cloud.at("cmp2") == {"ovn": "1.0.1"}
    assert cloud.run("rollout.end_rollback").returncode == 0
    refused = cloud.run("rollout.rollback", "limit=ctl*")
    assert refused.returncode == 1 and "STAGE_OUT_OF_ORDER" in refused.stdout
    assert cloud.at("ctl1") == {"ovn": "1.0.1"}
