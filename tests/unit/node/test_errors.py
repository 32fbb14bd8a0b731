"""NodeError: the reason is a field, and the word that people read."""

from __future__ import annotations

import pickle

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.errors import RolloutError
from openstack_rollout.node import errors
from openstack_rollout.node.errors import NodeError, reason_of, reworded, text_of


def test_the_reason_is_a_field_and_stands_before_the_text_for_people():
    error = NodeError("OVS_FAILED", "the switch is away")
    assert (error.reason, error.text) == ("OVS_FAILED", "the switch is away")
    assert str(error) == error.message == "OVS_FAILED: the switch is away"
    assert isinstance(error, CommandExecutionError), "Salt prints it without a traceback"


def test_a_reason_that_is_not_named_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="MADE_UP is not one of the named reasons"):
        NodeError("MADE_UP", "x")


def test_an_error_survives_the_way_to_another_process():
    error = pickle.loads(pickle.dumps(NodeError("OVS_FAILED", "away")))
    assert (error.reason, error.text, str(error)) == ("OVS_FAILED", "away", "OVS_FAILED: away")


@pytest.mark.parametrize(
    ("error", "reason", "text"),
    [
        (NodeError("OVS_FAILED", "away"), "OVS_FAILED", "away"),
        (RolloutError("INVALID_PILLAR", "roles"), "INVALID_PILLAR", "roles"),
        (CommandExecutionError("OVS_FAILED: a text"), "", "OVS_FAILED: a text"),
        (KeyError("OVS_FAILED"), "", "'OVS_FAILED'"),
        (None, "", "None"),
    ],
)
def test_the_reason_of_an_error_is_never_read_from_its_text(error, reason, text):
    assert (reason_of(error), text_of(error)) == (reason, text)


def test_an_error_told_with_more_words_keeps_its_reason():
    assert str(reworded(NodeError("OVS_FAILED", "away"), "away, and back")) == "OVS_FAILED: away, and back"
    plain = reworded(CommandExecutionError("away"), "away, and back")
    assert not isinstance(plain, NodeError) and str(plain) == "away, and back"


@pytest.mark.parametrize(
    ("error", "record"),
    [
        (NodeError("OVS_FAILED", "x"), {"reason": "OVS_FAILED"}),
        (NodeError("PACKAGE_LOCKED", "x"), {"reason": "PACKAGE_LOCKED"}),
        (NodeError("REPOSITORY_BROKEN", "x", False), {"reason": "REPOSITORY_BROKEN", "transient": False}),
        (
            NodeError("REGISTRY_RATE_LIMIT", "x", retry_after=30.0),
            {"reason": "REGISTRY_RATE_LIMIT", "retry_after": 30.0},
        ),
        (
            NodeError("REGISTRY_UNREACHABLE", "x", waited=True),
            {"reason": "REGISTRY_UNREACHABLE", "waited": True},
        ),
        (CommandExecutionError("x"), {}),
        (None, {}),
    ],
)
def test_what_programs_are_told_of_an_error(error, record):
    assert errors.record_of(error) == record


def test_what_is_known_of_an_error_stays_when_it_is_told_with_more_words_or_sent():
    error = NodeError("REPOSITORY_BROKEN", "x", False, 5.0, True)
    for same in (reworded(error, "y"), pickle.loads(pickle.dumps(error))):
        assert (same.transient, same.retry_after, same.waited) == (False, 5.0, True)
    assert NodeError("PACKAGE_LOCKED", "x").transient and not NodeError("OVS_FAILED", "x").transient
