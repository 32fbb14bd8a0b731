"""The operator's hand on a real master with real minions: which nodes, how far, after whose yes."""

from __future__ import annotations

import signal

import pytest

from tests.integration.simulated_cloud import PATIENCE

PATIENT = {"policies": {role: {"silence": 60} for role in ("controller", "compute")}}


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
    nothing = cloud.run("state.orchestrate", "orch.update", "pillar={limit: null}")
    assert nothing.returncode == 1 and "WRONG_ARGUMENT: limit: has to be a target" in nothing.stdout
    unknown = cloud.run("rollout.run", "limit=cmq*")
    assert (unknown.returncode, unknown.stdout.partition(".")[0]) == (
        1,
        "NO_NODES: limit: 'cmq*' matches no node of openstack:roles",
    )
    assert [cloud.at(name) for name in ("ctl1", "cmp1", "cmp2")] == [{}, {}, {}]
    for node, stages in (("ctl1", ("ovn", "control_plane")), ("cmp1", ("ovn",)), ("cmp2", ("ovn",))):
        cloud.node(node, at=dict.fromkeys(stages, "1.0.1"))
    done = cloud.run(*limited)
    assert done.returncode == 0, done.stdout
    assert cloud.at("cmp1") == dict.fromkeys(("ovn", "services", "ovs", "system"), "1.0.1")
    assert cloud.at("cmp2") == {"ovn": "1.0.1"}
    status = cloud.json("rollout.status")
    assert status["deployed"] is None and status["run"]["limit"] == "cmp1*"
    assert "limited to cmp1*, completed" in cloud.run("rollout.status").stdout
    done = cloud.json("rollout.run", "limit=L@cmp2,ctl1")
    assert done["state"] == "completed" and cloud.json("rollout.status")["deployed"] == "1.0.1"


@pytest.mark.long  # SUITE=hand kills everything at a yes
def test_a_run_waits_for_a_yes_also_when_it_was_killed_meanwhile(cloud):
    cloud.fresh(**PATIENT)
    done = cloud.run("rollout.run", "ovn", "limit=ctl1")
    assert done.returncode == 0, done.stdout
    waits = {"step": "gate", "status": "waiting", "reason": "CONFIRMATION"}
    with cloud.events() as events:
        update = cloud.popen("rollout.run", "ovn", "confirm=node")
        events.until(update, **waits)
        status = cloud.run("rollout.status").stdout
        assert "CONFIRMATION: a yes is waited for before ovn, compute, node: cmp1" in status
        assert "  cmp1: apply > verify\n" in status
        update.send_signal(signal.SIGKILL)
        update.wait()
        assert [cloud.at(name) for name in ("cmp1", "cmp2")] == [{}, {}]
        update = cloud.popen("rollout.resume")
        events.until(update, **waits)
        answer = cloud.json("rollout.confirm")
        assert answer["confirmed"] == ["a yes is waited for before ovn, compute, node: cmp1"]
        events.until(update, node="cmp1", step="verify", status="succeeded")
        events.until(update, **waits)
        update.send_signal(signal.SIGINT)
        output, _ = update.communicate(timeout=PATIENCE)
    assert (
        update.returncode == 1 and "PAUSED_BY_OPERATOR: Ctrl-C: run " in output and "Traceback" not in output
    )
    assert cloud.at("cmp1") == {"ovn": "1.0.1"} and cloud.at("cmp2") == {}
    skipped = cloud.json("rollout.skip", "cmp2")
    assert skipped["skipped"] == "cmp2"
    ended = cloud.run("rollout.resume")
    assert ended.returncode == 1 and "without cmp2 (SKIPPED_BY_OPERATOR)" in ended.stdout
    assert cloud.at("cmp2") == {}


def test_ctrl_c_once_lets_the_node_in_flight_finish(cloud):
    cloud.fresh(cmp1={"seconds": {"ovn": 10}}, **PATIENT)
    with cloud.events() as events:
        update = cloud.popen("state.orchestrate", "orch.ovn")
        events.until(update, stage="ovn", node="cmp1", step="apply", status="started")
        update.send_signal(signal.SIGINT)
        output, _ = update.communicate(timeout=PATIENCE)
    assert (
        update.returncode == 1 and "PAUSED_BY_OPERATOR: Ctrl-C: run " in output and "Traceback" not in output
    )
    assert cloud.at("cmp1") == {"ovn": "1.0.1"} and cloud.at("cmp2") == {}
    assert cloud.json("rollout.status")["run"]["state"] == "paused"
    assert cloud.run("rollout.resume", "until=ovn").returncode == 1
    assert cloud.json("rollout.status")["run"]["reason"] == "GATED"
