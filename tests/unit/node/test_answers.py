"""answers: what states return, and that Salt hands the reason on."""

from __future__ import annotations

import pytest
import salt.utils.decorators.state
from salt.exceptions import CommandExecutionError

from openstack_rollout.errors import RolloutError
from openstack_rollout.node import answers
from openstack_rollout.node.errors import NodeError


def test_an_answer_has_what_salt_asks_for():
    assert answers.answer("x", True, "done") == {
        "name": "x",
        "result": True,
        "comment": "done",
        "changes": {},
    }
    assert answers.answer("x", None, "would", {"a": 1})["changes"] == {"a": 1}


@pytest.mark.parametrize("error", [NodeError("OVS_FAILED", "away"), RolloutError("OVS_FAILED", "away")])
def test_a_failure_has_its_reason_as_a_field(error):
    assert answers.failed("x", error) == {
        "name": "x", "result": False, "comment": "OVS_FAILED: away", "changes": {}, "reason": "OVS_FAILED",
    }  # fmt: skip


def test_a_failure_without_a_reason_has_no_such_field():
    assert "reason" not in answers.failed("x", CommandExecutionError("OVS_FAILED: only a text"))


def test_salt_hands_the_reason_on():
    unify = salt.utils.decorators.state.OutputUnifier("content_check", "unify")
    returned = unify(lambda: answers.failed("x", NodeError("OVS_FAILED", "away")))()
    assert returned["reason"] == "OVS_FAILED" and returned["result"] is False


def test_packages_in_a_sentence_and_as_changes():
    packages = {"b": "2", "a": "1"}
    assert answers.named(packages) == "a 1, b 2"
    assert answers.to_come(packages)["a"] == {"old": "", "new": "1"}
