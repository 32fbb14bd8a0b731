"""Everything is killed while a run waits (for a yes, for its window, at a breakpoint) and in a rollback.

Each time it comes back to the same decision, and no machine was touched meanwhile. A window ends in the
middle of a role: what does not end inside is not started. The tests follow one another in one run.
"""

from __future__ import annotations

import json
import math
import signal
import subprocess
import time
from datetime import UTC, datetime

import pytest

from ... import operator, proof
from ...events import EventLog, published, step
from .machines import differences, machines

LAB_PROFILE = "small"
pytestmark = pytest.mark.timeout(3600)
NEW = "1.0.1"
COMPUTES = ["cmp1", "cmp2"]
#: A run waits for a yes, a node at a breakpoint too.
ASKS = {"step": "gate", "status": "waiting", "reason": "CONFIRMATION"}
_SPARE = 300  # seconds more than a node may need, for all that is killed and started again
_WAIT = 900  # seconds until a run has come to where it waits


def window(ends: float) -> dict[str, str]:
    """A window of UTC that began two hours ago; ends: seconds since the epoch, on a minute."""
    times = {"from": time.time() - 7200, "to": ends}
    found = {key: f"{datetime.fromtimestamp(at, UTC):%H:%M}" for key, at in times.items()}
    return found | {"prefetch": "any_time"}


def begin(cloud, *command: str) -> subprocess.Popen:
    return cloud.popen_master(
        ["salt-run", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def kill_everything(cloud, run: subprocess.Popen) -> None:
    """The run's process, the master, and every minion with what it does; then all of them start again."""
    run.send_signal(signal.SIGKILL)
    cloud.kill("master")
    for node in cloud.nodes:
        cloud.exec(node, ["systemctl", "kill", "--signal=KILL", "salt-minion.service"], check=False)
    run.communicate()
    time.sleep(2)
    cloud.start("master")
    for node in cloud.nodes:
        cloud.exec(node, ["systemctl", "start", "salt-minion.service"])
    cloud.wait_for_minions()


def decision(cloud) -> dict:
    """For what the run waits, but for the time at which it began to."""
    run = operator.status(cloud)["run"]
    asked = [
        {key: one[key] for key in ("before", "stage", "round", "role", "nodes")} for one in run["questions"]
    ]
    closed = run["closed"] and {key: run["closed"][key] for key in ("node", "role", "stage")}
    return {"id": run["id"], "asked": asked, "closed": closed}


def come_to(cloud, *command: str, **event: str) -> subprocess.Popen:
    """A command that leads to an event of the engine; it goes on."""
    with EventLog(cloud) as log:
        process = begin(cloud, *command)
        log.wait_for(step(**event), timeout=_WAIT)
    return process


def killed_and_back(cloud, run: subprocess.Popen, again: tuple[str, ...], **event: str) -> subprocess.Popen:
    """Kill everything where a run waits, and have it go on: for the same as before, with nothing touched."""
    waits, before = decision(cloud), proof.fingerprint(cloud)
    assert waits["asked"] or waits["closed"], waits
    kill_everything(cloud, run)
    run = come_to(cloud, *again, **event)
    assert decision(cloud) == waits
    assert proof.fingerprint(cloud) == before
    return run


def images(cloud, nodes: list[str], container: str) -> dict[str, str]:
    return {node: proof.running_digests(cloud, node)[container] for node in nodes}


@pytest.fixture(scope="module")
def before(cloud) -> dict:
    return machines(cloud)


def test_at_a_confirmation(cloud, before):
    cloud.set_pillar(target_version=NEW)
    run = come_to(cloud, "rollout.run", "confirm=stage", "until=services:gateway", **ASKS)
    run = killed_and_back(cloud, run, ("rollout.resume",), **ASKS)
    assert differences(before, machines(cloud)) == {}
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=_WAIT)
    assert run.returncode == 1 and "PAUSED_BY_OPERATOR" in output, output
    done = cloud.master(["salt-run", "rollout.resume", "confirm=never"], check=False, timeout=_WAIT)
    assert done.returncode == 1 and "GATED" in done.stdout, done.stdout + done.stderr


def test_in_a_closed_window(cloud, before):
    """Less is left than any node takes, as far as is known of it: the first compute is not started."""
    ends = (time.time() // 60 + 2) * 60
    cloud.set_pillar(target_version=NEW, window=window(ends))
    closed = {"status": "paused", "reason": "WINDOW_CLOSED"}
    run = come_to(cloud, "rollout.resume", "wait=True", **closed)
    run = killed_and_back(cloud, run, ("rollout.resume", "wait=True"), **closed)
    told = operator.status(cloud)["run"]["closed"]
    assert (told["node"], told["stage"]) == (COMPUTES[0], "services") and told["seconds"] > 120
    run.send_signal(signal.SIGKILL)
    run.communicate()


def test_at_a_breakpoint_and_a_window_that_ends_in_the_middle_of_a_role(cloud, before):
    needs = operator.status(cloud)["run"]["closed"]["seconds"]
    old = images(cloud, COMPUTES, "nova_compute")
    ends = math.ceil((time.time() + needs + _SPARE) / 60) * 60
    cloud.set_pillar(target_version=NEW, window=window(ends))
    run = come_to(cloud, "rollout.resume", "break={services:before_apply: cmp1}", **ASKS)
    run = killed_and_back(cloud, run, ("rollout.resume",), **ASKS)
    assert images(cloud, COMPUTES, "nova_compute") == old
    # It rests until what is left is too short for another compute, and long enough for this one.
    time.sleep(max(0.0, ends - needs + 20 - time.time()))
    with EventLog(cloud) as log:
        cloud.master(["salt-run", "rollout.confirm", "cmp1"])
        output, _ = run.communicate(timeout=_WAIT)
        ended = time.time()
        begun = {event["node"] for event in log.steps(stage="services", step="apply", status="started")}
    assert run.returncode == 1 and "WINDOW_CLOSED" in output, output
    assert ended < ends and begun == {"cmp1"}
    told = operator.status(cloud)["run"]["closed"]
    assert (told["node"], told["role"], told["stage"]) == ("cmp2", "compute", "services")
    now = images(cloud, COMPUTES, "nova_compute")
    assert now["cmp1"] != old["cmp1"] and now["cmp2"] == old["cmp2"]
    cloud.set_pillar(target_version=NEW)
    cloud.master(["salt-run", "rollout.resume"], timeout=_WAIT)
    proof.assert_cloud_at(cloud, NEW)


def test_in_a_rollback_with_a_job_in_flight(cloud, before):
    with EventLog(cloud) as log:
        run = begin(cloud, "rollout.rollback")
        log.wait_for(published("cmp1", "openstack.services"), timeout=_WAIT)
    waits = decision(cloud)
    kill_everything(cloud, run)
    again = operator.update(cloud, check=False)
    assert again.returncode != 0 and "ROLLED_BACK" in again.stdout + again.stderr
    assert decision(cloud)["id"] == waits["id"]
    operator.update(cloud, "orch.rollback", timeout=operator.PATIENCE)
    left = differences(before, machines(cloud))
    assert left == {}, json.dumps(left, indent=1)
