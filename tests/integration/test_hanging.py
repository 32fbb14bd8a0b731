"""Steps that hang on a real minion: ended at their limit, and no pause or abort waits for them."""

from __future__ import annotations

import time

import pytest

HANGS = 3600  # seconds; far more than any test waits
SECONDS = 300  # in which a request has to take effect, also on a busy machine


def policies(**limits):
    """The policies of all roles: limits for computes, and the silence of a busy machine."""
    return {"controller": {"silence": 90}, "compute": {"silence": 90, "limits": limits}}


def running(cloud, node):
    """The state runs that a minion is at, asked of itself."""
    done = cloud.master.salt_cli().run("saltutil.running", minion_tgt=node, _timeout=SECONDS)
    return [job["jid"] for job in done.data if job["fun"] == "state.sls"]


def until_nothing_runs(cloud, node):
    end = time.monotonic() + SECONDS
    while running(cloud, node) and time.monotonic() < end:
        time.sleep(1)
    return not running(cloud, node)


def test_a_prefetch_that_hangs_is_ended_on_its_node_on_request(cloud):
    cloud.fresh(cmp1={"seconds": {"prefetch": HANGS}}, policies=policies())
    with cloud.events() as events:
        update = cloud.popen("rollout.run", "ovn")
        events.until(update, node="cmp1", step="prefetch", status="started")
        assert running(cloud, "cmp1")
        assert cloud.json("rollout.abort")["in_flight"] == ["cmp1"]
        update.communicate(timeout=SECONDS)
    status = cloud.json("rollout.status")
    assert update.returncode == 1 and status["run"]["state"] == "aborted"
    assert status["nodes"]["cmp1"]["state"] == "pending"
    assert not running(cloud, "cmp1")
    cloud.node("cmp1")
    assert cloud.run("rollout.run", "ovn").returncode == 0


def test_an_apply_that_hangs_is_left_in_flight_and_the_next_run_waits_for_it(cloud):
    cloud.fresh(cmp1={"seconds": {"ovn": HANGS}}, policies=policies(apply=10))
    with cloud.events() as events:
        update = cloud.popen("rollout.run", "ovn")
        events.until(update, stage="ovn", node="cmp1", step="apply", status="started")
        (job,) = running(cloud, "cmp1")
        cloud.json("rollout.pause")
        update.communicate(timeout=SECONDS)
        run = cloud.json("rollout.report")
        assert run["run"]["state"] == "paused" and "cmp1" in run["run"]["message"]
        assert run["nodes"]["cmp1"]["state"] == "in_flight"
        assert running(cloud, "cmp1") == [job]  # nothing was cut
        cloud.node("cmp1")
        done = cloud.run("rollout.run", "ovn")
    assert done.returncode == 0, done.stdout
    assert cloud.at("cmp1")["ovn"] == "1.0.1" and running(cloud, "cmp1") == []
    adopted = cloud.json("rollout.report", run["run"]["id"])["nodes"]["cmp1"]
    assert any("STEP_TIMEOUT" in step["outcome"] for step in adopted["steps"])


@pytest.mark.long  # in short: the one above, which is over its limit too
def test_a_step_over_its_limit_is_ended_on_its_node_and_the_run_pauses(cloud):
    cloud.fresh(cmp1={"seconds": {"ovn": HANGS}}, policies=policies(apply=10))
    done = cloud.run("rollout.run", "ovn", timeout=SECONDS)
    status = cloud.json("rollout.status")
    assert done.returncode == 1 and status["run"]["reason"] == "STEP_TIMEOUT"
    assert status["nodes"]["cmp1"]["reason"] == "STEP_TIMEOUT"
    assert until_nothing_runs(cloud, "cmp1")
    cloud.node("cmp1")
    assert cloud.run("rollout.run", "ovn").returncode == 0
    assert cloud.at("cmp1")["ovn"] == "1.0.1"
