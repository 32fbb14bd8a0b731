"""Windows, and failures that pass by themselves, in a run of salt-run with real minions."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.simulated_cloud import PATIENCE


def window(opens, closes):
    """A window of UTC, in hours from now."""
    times = [datetime.now(UTC) + timedelta(hours=hours) for hours in (opens, closes)]
    return {"from": f"{times[0]:%H:%M}", "to": f"{times[1]:%H:%M}"}


OPEN, CLOSED = (-1, 3), (2, 5)


def closed(cloud):
    cloud.fresh(window=window(*CLOSED))
    refused = cloud.run("rollout.run", "ovn")
    assert refused.returncode == 1 and refused.stdout.startswith("WINDOW_CLOSED: "), refused.stdout
    assert "openstack:window" in refused.stdout and cloud.at("ctl1") == {}


def test_a_scheduler_goes_on_with_a_run_in_its_window_alone(cloud):
    closed(cloud)
    run = cloud.json("rollout.status")["run"]
    assert (run["state"], run["reason"]) == ("paused", "WINDOW_CLOSED") and run["opens"] > time.time() + 3600
    assert run["closed"]["stage"] == "prefetch" and run["closed"]["opens"] == run["opens"]
    waits = cloud.run("rollout.resume", "only=WINDOW_CLOSED")
    assert waits.returncode == 0 and "nothing to do" in waits.stdout, waits.stdout
    cloud.openstack(window=window(*OPEN))
    done = cloud.run("rollout.resume", "only=WINDOW_CLOSED")
    assert done.returncode == 0 and run["id"] in done.stdout, done.stdout
    assert cloud.at("cmp2") == {"ovn": "1.0.1"}
    idle = cloud.run("rollout.resume", "only=WINDOW_CLOSED")
    assert idle.returncode == 0 and "no run is paused" in idle.stdout
    plan = cloud.json("rollout.plan")
    assert plan["estimate"]["seconds"] > 0 and plan["estimate"]["assumed"]


@pytest.mark.long  # it looks once a minute; in short: the scheduler's, and unit tests of reopening
def test_a_run_that_waits_goes_on_by_itself(cloud):
    cloud.fresh(window=window(*CLOSED))
    waiting = cloud.popen("rollout.run", "ovn", "wait=True")
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        report = cloud.run("rollout.report")
        if report.returncode == 0 and "WINDOW_CLOSED" in report.stdout:
            break
        time.sleep(2)
    assert waiting.poll() is None
    cloud.openstack(window=window(*OPEN))
    output, _ = waiting.communicate(timeout=PATIENCE)
    assert waiting.returncode == 0, output
    assert cloud.at("cmp2") == {"ovn": "1.0.1"}


def test_a_lock_that_passes_is_waited_for_and_what_stays_is_not(cloud):
    policies = {role: {"silence": 20, "retry_delay": 2} for role in ("controller", "compute")}
    cloud.fresh(cmp1={"fail": {"ovn": "PACKAGE_LOCKED: apt works"}}, policies=policies)
    with cloud.events() as events:
        update = cloud.popen("rollout.run", "ovn")
        told = events.until(update, stage="ovn", node="cmp1", step="apply", status="retrying")
        assert told["reason"] == "PACKAGE_LOCKED"
        cloud.node("cmp1")
        output, _ = update.communicate(timeout=PATIENCE)
    assert update.returncode == 0, output
    assert cloud.at("cmp2") == {"ovn": "1.0.1"}
    stays = {"reason": "REPOSITORY_BROKEN", "comment": "REPOSITORY_BROKEN: 404", "transient": False}
    cloud.fresh(cmp1={"fail": {"ovn": stays}}, policies=policies)
    with cloud.events() as events:
        refused = cloud.run("rollout.run", "ovn")
        events.drain()
    assert refused.returncode == 1 and "REPOSITORY_BROKEN: cmp1 failed at ovn/apply: 404" in refused.stdout
    assert not [one for one in events.seen if one["status"] == "retrying"]
