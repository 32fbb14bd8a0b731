"""The operator's hand: a whole update is undone while packets go, and every machine is what it was before.

The tests follow one another on one cloud. Every figure is the probe's, every fact is asked of podman, rpm and
the file systems of the machines; nothing that the product says of itself counts.
"""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from ... import operator, proof
from ...agreement import assert_agreed
from ...events import EventLog, published
from ...network import Overlay
from ...probe import Measurement, Probe
from .machines import differences, machines

LAB_PROFILE = os.environ.get("OPENSTACK_ROLLOUT_HAND_PROFILE", "full")
# Nine machines share two cores: the first test has a whole update and its rollback.
pytestmark = pytest.mark.timeout(7200)
NEW = "1.0.1"
BACKWARDS = ["system", "ovs", "services", "control_plane", "ovn"]
_LONG = 4500  # seconds for an update, or its rollback
KILLED = "cmp1"


def roll_back(cloud, *arguments: str, check: bool = True):
    """`salt-run rollout.rollback`, or its plan."""
    done = cloud.master(["salt-run", "rollout.rollback", *arguments], check=False, timeout=_LONG)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def under_traffic(overlay: Overlay, orchestration: str) -> tuple[Measurement, EventLog]:
    """An orchestration with the probe and the event log beside it."""
    with Probe(overlay) as probe, EventLog(overlay.lab) as log:
        operator.update(overlay.lab, orchestration, timeout=_LONG)
        probe.settle()
        return probe.stop(), log


def start_rollback(cloud):
    return operator.start_update(cloud, "orch.rollback")


@pytest.fixture(scope="module")
def story(cloud) -> dict:
    """An update, what its rollback says that it would do, and the rollback."""
    overlay = Overlay(cloud).build()
    found: dict = {"overlay": overlay, "before": machines(cloud)}
    cloud.set_pillar(target_version=NEW)
    operator.update(cloud, timeout=_LONG)
    found["updated"] = machines(cloud)
    found["run"] = operator.status(cloud)["run"]["id"]
    found["plan"] = json.loads(roll_back(cloud, "test=True", "--out=json").stdout)
    found["planned"] = machines(cloud)
    found["traffic"], found["log"] = under_traffic(overlay, "orch.rollback")
    found["after"] = machines(cloud)
    return found


def test_the_update_had_moved_something_on_every_machine(cloud, story):
    moved = differences(story["before"], story["updated"])
    assert set(moved) == set(cloud.nodes)
    assert {kind for kinds in moved.values() for kind in kinds} >= {"images", "packages"}


def test_the_plan_of_the_rollback_touched_nothing_and_is_what_was_done(story):
    assert story["plan"]["refused"] is None and story["plan"]["rollback"]["of"] == story["run"]
    assert differences(story["updated"], story["planned"]) == {}
    assert_agreed(story["plan"], story["log"].steps())


def test_the_stages_went_backwards(story):
    applied = [event["stage"] for event in story["log"].steps(step="apply", status="started")]
    assert list(dict.fromkeys(applied)) == BACKWARDS
    assert {event["rollback"] for event in story["log"].steps()} == {story["run"]}


def test_every_machine_is_what_it_was_before_the_update(story):
    left = differences(story["before"], story["after"])
    assert left == {}, json.dumps(left, indent=1)


def test_the_switch_of_before_runs_and_is_enabled(cloud, story):
    proof.assert_cloud_at(cloud, operator.FIRST)


def test_the_ovn_part_of_the_rollback_lost_no_packet(cloud, story):
    steps = story["traffic"].by_step(story["log"].steps(stage="ovn"))
    assert {node for _, node in steps} == set(cloud.nodes)
    for (_, node), traffic in steps.items():
        print(f"{node}: {traffic.sent} packets, longest gap {traffic.longest_gap_ms:.0f} ms")
        assert traffic.sent > 0 and traffic.lost == 0, f"{node}:\n{traffic.table()}"
    print(f"whole rollback: {story['traffic'].lost} of {story['traffic'].sent} packets lost")


def test_nodes_are_held_and_the_same_update_is_refused_until_the_operator_says_so(cloud, story):
    status = operator.status(cloud)
    assert status["rollback"]["of"] == story["run"]
    assert {node["state"] for node in status["nodes"].values()} == {"rolled_back"}
    assert operator.predicted(cloud) == set()
    refused = operator.update(cloud, check=False)
    assert refused.returncode != 0 and "ROLLED_BACK" in refused.stdout + refused.stderr
    assert differences(story["before"], machines(cloud)) == {}


def test_a_rollback_of_the_rollback_is_refused_by_name(cloud, story):
    own = operator.status(cloud)["run"]["id"]
    assert own != story["run"]
    refused = roll_back(cloud, f"run_id={own}", check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0 and "IRREVERSIBLE" in said and "is a rollback itself" in said, said
    assert differences(story["before"], machines(cloud)) == {}


def test_a_rollback_that_is_killed_goes_on_to_the_same_end(cloud, story):
    cloud.master(["salt-run", "rollout.end_rollback"])
    operator.update(cloud, timeout=_LONG)
    proof.assert_cloud_at(cloud, NEW)
    with EventLog(cloud) as log:
        process = start_rollback(cloud)
        log.wait_for(published(KILLED, "openstack.services"), timeout=_LONG)
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed = operator.status(cloud)["run"]
        assert killed["rollback"] and killed["state"] in ("interrupted", "running"), killed
        # What is not a rollback does not take its place, whatever an operator types in a hurry.
        beside = operator.update(cloud, check=False)
        assert beside.returncode != 0 and "ROLLED_BACK" in beside.stdout + beside.stderr
        operator.update(cloud, "orch.rollback", timeout=_LONG)
        begun = [event["node"] for event in log.steps(stage="services", step="apply", status="started")]
    assert begun.count(KILLED) == 1, "the job in flight was adopted, not started a second time"
    assert operator.status(cloud)["run"]["id"] == killed["id"]
    left = differences(story["before"], machines(cloud))
    assert left == {}, json.dumps(left, indent=1)


def test_one_node_goes_back_alone_where_the_order_allows_it(cloud, story):
    cloud.master(["salt-run", "rollout.end_rollback"])
    operator.update(cloud, timeout=_LONG)
    before = machines(cloud)
    refused = roll_back(cloud, f"limit={KILLED}", check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0 and "STAGE_OUT_OF_ORDER" in said and "services" in said, said
    assert differences(before, machines(cloud)) == {}
    began = time.time()
    roll_back(cloud, f"limit={KILLED}", "stages=services,ovs,system")
    print(f"one node went back within {time.time() - began:.0f} s")
    after = machines(cloud)
    assert set(differences(before, after)) == {KILLED}
    left = differences(story["before"], after)[KILLED]
    assert set(left) <= {"images", "files"}, left  # its packages are those of before
    assert set(left.get("images", {})) == {"ovn_controller"}, left
