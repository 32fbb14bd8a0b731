"""container_change: how a container is proven that no unit runs, but its engine."""

from __future__ import annotations

import time

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import container_change
from openstack_rollout.node.container_change import Container
from openstack_rollout.node.errors import NodeError

IMAGE = "registry.example/keystone@sha256:" + "a" * 64
RUNS = {"running": True, "exit_code": 0, "restarts": 0, "image_id": "id"}


def proven(now):
    """Prove a container of which its engine tells this. Whoever asks systemd of it gets an error."""
    one = Container(
        name="keystone", unit="", guard="none", timeout=5, checked=False, running=True, engine="docker_engine"
    )
    salt = {
        "docker_engine.container": lambda name: now,
        "docker_engine.image_ids": lambda references: {IMAGE: "id"},
    }
    container_change.prove(salt, one, IMAGE, time.time() - 60)


def test_one_that_runs():
    proven(RUNS)


@pytest.mark.parametrize(
    ("now", "why"),
    [
        ({**RUNS, "running": False, "exit_code": 3}, "status 3"),
        # between two of its ends it does run
        ({**RUNS, "restarts": 4, "exit_code": 1}, "restarted 4 times"),
        (None, "gone"),
    ],
)
def test_one_that_ended(now, why):
    with pytest.raises(NodeError, match=f"CONTAINER_EXITED.*{why}"):
        proven(now)


def carried_out(progress, moves=0, late=None):
    """Change a container of which its guard sees this: what was done, and the reason of the error.

    late: an error of its guard after the start.
    """
    did, marks = [], iter(range(100))
    one = Container(name="db", unit="", guard="galera", timeout=2.5, checked=True, running=True)
    healthy = iter([False] * moves + [bool(moves)] * 100)

    def seen(name):
        return progress and progress | ({"mark": next(marks)} if moves else {})

    def after_start(name, token, timeout):
        if late:
            raise late
        return "is back"

    salt = {
        "galera.before_stop": lambda name: {"member": "ctl1"},
        "galera.after_start": after_start,
        "galera.progress": seen,
        "galera.undo": lambda name, token: did.append("undo"),
        "unit_hold.hold": lambda units: pytest.fail("its guard does not end it"),
        "unit_hold.release": lambda units: None,
        "podman.healthy": lambda name: next(healthy),
        "podman.container": lambda name: RUNS,
        "podman.image_ids": lambda references: {IMAGE: "id"},
        "podman.log": lambda name, since: "",
    }
    steps = container_change.Steps(
        lambda: did.append("replace"),
        lambda: container_change.prove(salt, one, IMAGE, time.time()),
        lambda: did.append("put back") or "put back",
        lambda: did.append("accept"),
    )
    try:
        container_change.carry_out(salt, one, steps)
    except NodeError as error:
        return did, error.reason
    return did, ""


FED = {"what": "it is fed", "mark": 5, "copies": True}


@pytest.mark.parametrize(
    ("progress", "moves", "did", "reason"),
    [
        (None, 0, ["replace", "put back", "undo"], "CONTAINER_UNHEALTHY"),
        (FED | {"copies": False}, 0, ["replace", "put back", "undo"], "CONTAINER_UNHEALTHY"),
        (FED, 0, ["replace"], "COPY_STALLED"),
        (FED, 4, ["replace", "accept"], ""),
    ],
)
def test_what_copies_is_waited_for_and_never_put_back(progress, moves, did, reason):
    assert carried_out(progress, moves) == (did, reason)


@pytest.mark.parametrize(
    ("reason", "did"),
    [
        ("MEMBERS_AWAY", ["replace", "accept", "undo"]),
        ("QUORUM_NOT_RESTORED", ["replace", "put back", "undo"]),
    ],
)
def test_a_member_that_is_back_while_others_are_away_is_not_put_back(reason, did):
    """Another member's machine lost its power meanwhile: this one's way back would be a second stop. It is
    proven, so what a later change goes back to is this one.
    """
    assert carried_out(None, moves=1, late=NodeError(reason, "2 of 3")) == (did, reason)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (CommandExecutionError("Job failed"), "CONTAINER_EXITED: keystone: Job failed"),
        (NodeError("RESOURCE_STUCK", "it does not leave"), "RESOURCE_STUCK: keystone: it does not leave"),
    ],
)
def test_an_error_that_has_a_reason_keeps_it_and_tells_it_once(error, said):
    one = Container(name="keystone", unit="", guard="none", timeout=5, checked=False, running=True)
    assert str(container_change.exited({}, one, error, 0.0)) == said
