"""datapath: the record outlives an interrupted change, and is dropped only when all works again."""

from __future__ import annotations

import copy

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node.errors import NodeError
from tests.unit.loading import load
from tests.unit.modules.guards import impatient
from tests.unit.node.test_datapath import BEFORE


@pytest.fixture
def node(tmp_path):
    module = load("modules", "datapath", grains={"id": "cmp1"})
    module._RECORD = tmp_path / "state/datapath.json"
    module.now = copy.deepcopy(BEFORE)
    module.measured = lambda: module.now
    module.waiting = impatient()
    return module


def broken(node):
    node.now = copy.deepcopy(BEFORE)
    node.now["bridges"]["br-int"]["flows"] = 2


def test_what_works_again_is_verified_and_the_record_dropped(node):
    assert node.record() is True
    assert node.verify(timeout=0)["verified"] is True
    assert node.verify(timeout=0) == {"verified": False, "waited": 0}


def test_what_stays_broken_is_named_and_the_record_stays(node):
    node.record()
    broken(node)
    with pytest.raises(CommandExecutionError, match=r"^DATAPATH_BROKEN: cmp1: .*br-int: 2 flows, had 300"):
        node.verify(timeout=0)
    assert node.missing() == ["bridge br-int: 2 flows, had 300"]
    assert any("br-int: 2 flows" in line for line in node.health(0))


def test_the_record_of_an_interrupted_change_wins(node):
    node.record()
    broken(node)
    assert node.record() is True
    assert node.missing() == ["bridge br-int: 2 flows, had 300"]


def test_a_record_that_the_node_lives_up_to_is_renewed(node):
    node.record()
    node.now["bridges"]["br-int"]["flows"] = 900
    node.record()
    node.now["bridges"]["br-int"]["flows"] = 300
    assert node.missing() == ["bridge br-int: 300 flows, had 900"]


def test_an_operator_may_accept_what_is(node):
    node.record()
    broken(node)
    assert node.forget() is True and node.missing() == [] and node.forget() is False
    assert node.health(0) == []


def test_a_switch_that_does_not_answer_is_missing_and_is_not_recorded(node):
    def dead():
        raise NodeError("OVS_FAILED", "no answer")

    node.record()
    node.measured = dead
    assert node.missing() == ["OVS_FAILED: no answer"] and node.health(0) == [
        "data path: OVS_FAILED: no answer"
    ]
    assert node.record() is True
    node.forget()
    assert node.record() is False and node.missing() == []


def test_a_node_without_a_switch(node):
    node.now = None
    assert node.record() is False and node.health(0) == [] and node.verify(0)["verified"] is False


def test_a_controller_that_stays_away_is_unhealthy(node):
    node.now["ovn"] = False
    assert node.health(0) == ["data path: ovn-controller: is not connected to the southbound database"]


@pytest.mark.parametrize("test", [True, False])
def test_as_states_they_are_no_change(test):
    functions = {
        "datapath.record": lambda: True,
        "datapath.verify": lambda timeout, tolerance: {"verified": True, "waited": 1},
    }
    state = load("states", "datapath", salt=functions, opts={"test": test})
    for answer in (state.recorded("before"), state.verified("after")):
        assert (answer["result"], answer["changes"]) == (True, {})


def test_a_broken_data_path_fails_the_state_by_its_word():
    def broken(timeout, tolerance):
        raise NodeError("DATAPATH_BROKEN", "cmp1: all gone")

    state = load("states", "datapath", salt={"datapath.verify": broken}, opts={"test": False})
    assert state.verified("after")["result"] is False
    assert state.verified("after")["comment"].startswith("DATAPATH_BROKEN: ")
