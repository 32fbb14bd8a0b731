"""A whole update of three controllers with real clusters is undone under load: no call fails twice."""

from __future__ import annotations

import json

import pytest

from ... import operator, proof, settings
from ...clusters import pacemaker
from ...clusters.probe import Probe
from ...events import EventLog, most_in_flight
from ..test_control_plane import (
    CONTROLLERS,
    ROUNDS,
    assert_never_without_quorum,
    assert_nothing_lost,
    told,
)

LAB_PROFILE = settings.CONTROLLERS
pytestmark = pytest.mark.timeout(7200)
RESULT = settings.CHECKOUT / "build" / "hand-controllers.json"


@pytest.fixture(scope="module")
def story(cloud) -> dict:
    """An update without load, and its rollback with clients of every kind."""
    before = {node: proof.running_digests(cloud, node) for node in CONTROLLERS}
    cloud.set_pillar(target_version="1.0.1")
    operator.update(cloud)
    with Probe(cloud) as probe, EventLog(cloud) as log:
        operator.update(cloud, "orch.rollback")
    after = {node: proof.running_digests(cloud, node) for node in CONTROLLERS}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(probe.result, indent=1))
    return {"before": before, "after": after, "seen": probe.result, "log": log}


def test_every_controller_runs_what_it_ran_before(cloud, story):
    assert story["after"] == story["before"]
    proof.assert_cloud_at(cloud, operator.FIRST)


def test_no_call_failed_at_a_second_try_and_no_row_or_message_was_lost(story):
    seen = story["seen"]
    told("the rollback of a whole update", seen)
    assert seen["api"]["count"] > 1000
    assert seen["api"]["failed_after_retry"] == 0, seen["api"]
    assert_nothing_lost(seen)
    assert_never_without_quorum(seen)


def test_one_controller_at_a_time_and_the_rounds_backwards(cloud, story):
    log = story["log"]
    assert max(map(len, most_in_flight(log.steps(), set(CONTROLLERS)))) == 1
    applied = log.steps(stage="control_plane", step="apply", status="started")
    rounds = list(dict.fromkeys(event["round"] for event in applied))
    assert rounds == [name for name in reversed(ROUNDS) if name in rounds] and len(rounds) > 1, rounds
    assert pacemaker.holder(cloud) and pacemaker.bans(cloud) == []
