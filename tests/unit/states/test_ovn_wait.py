"""ovn_wait as a state: it is predicted as it is done, done once, and nothing of others is shortened."""

from __future__ import annotations

import pytest

from openstack_rollout.node import ovn_wait
from openstack_rollout.node.errors import NodeError
from tests.unit.loading import load
from tests.unit.modules.test_ovn_controller import NAME, Node
from tests.unit.modules.test_ovn_wait import module_of


class Chassis:
    """A chassis, the state that sets it, and the dry run of that."""

    def __init__(self, folder, wait=None, **what):
        self.node = Node(wait)
        vars(self.node).update(what)
        self.module = module_of(self.node, folder)

    def state(self, wait, *, test=False, **more):
        functions = {f"ovn_wait.{name}": getattr(self.module, name) for name in ("found", "bring")}
        module = load("states", "ovn_wait", salt=functions, opts={"test": test})
        return module.at_setting("wait", wait, NAME, **more)

    @property
    def have(self):
        return self.node.ids.get(ovn_wait.SETTING)


@pytest.fixture
def chassis(tmp_path):
    return lambda wait=None, **what: Chassis(tmp_path, wait, **what)


@pytest.mark.parametrize("wait", ["auto", 48_000])
@pytest.mark.parametrize("before", [None, "8000"])
def test_it_is_predicted_then_done_then_done_already(chassis, wait, before):
    one = chassis(before, longest=12_000)
    changes = {ovn_wait.SETTING: {"old": before, "new": "48000"}}
    predicted = one.state(wait, test=True)
    assert (predicted["result"], predicted["changes"], one.have) == (None, changes, before)
    done = one.state(wait)
    assert (done["result"], done["changes"], one.have) == (True, changes, "48000")
    for test in (True, False):
        again = one.state(wait, test=test)
        assert (again["result"], again["changes"]) == (True, {})
    assert one.node.waits_set == ["48000"]


def test_what_it_was_sized_by_is_said(chassis):
    said = chassis(longest=12_000).state("auto")["comment"]
    assert "48000 ms" in said and "12000 ms" in said and "500 flows" in said


@pytest.mark.parametrize("wait", ["auto", 5000, "keep"])
def test_a_longer_one_of_somebody_elses_stays_and_is_told(chassis, wait):
    one = chassis("60000")
    answer = one.state(wait)
    assert (answer["result"], answer["changes"], one.have) == (True, {}, "60000")
    assert "60000 ms" in answer["comment"]
    assert ("is not shortened" in answer["comment"]) is (wait == 5000)


def test_a_number_shortens_what_is_ours_to_what_was_there(chassis):
    one = chassis("8000")
    one.state(48_000)
    assert one.state(5000)["changes"] == {ovn_wait.SETTING: {"old": "48000", "new": "8000"}}
    assert one.have == "8000"


@pytest.mark.parametrize("before", [None, "8000"])
def test_a_rollback_brings_back_what_was_there(chassis, before):
    one = chassis(before)
    one.state(48_000)
    back = before or ""
    predicted = one.state("keep", back=back, test=True)
    assert predicted["changes"] == {ovn_wait.SETTING: {"old": "48000", "new": before}}
    assert one.state("keep", back=back)["changes"] == predicted["changes"] and one.have == before
    assert one.state("keep", back=back)["changes"] == {}


def test_it_is_sized_anew_by_what_the_new_controller_took(chassis):
    one = chassis()
    one.state("auto")
    assert one.have == "8000"
    one.node.longest = 12_000
    assert one.state("auto", again=True, test=True)["result"] is True, "that cannot be predicted"
    assert one.have == "8000"
    answer = one.state("auto", again=True)
    assert answer["changes"] == {ovn_wait.SETTING: {"old": "8000", "new": "48000"}}


def test_a_node_that_is_no_chassis_has_nothing_to_do(chassis):
    answer = chassis(ids={}).state("auto")
    assert (answer["result"], answer["changes"], answer["comment"]) == (True, {}, "this node is no chassis")


def test_a_controller_that_ignores_it_is_left_and_told(chassis):
    answer = chassis(version="ovn-controller 25.09.0\n", longest=12_000).state("auto")
    assert (answer["result"], answer["changes"]) == (True, {}) and "ignores it" in answer["comment"]


def test_a_switch_that_does_not_answer_is_a_failure_with_its_reason(chassis):
    one = chassis()

    def fails(*_):
        raise NodeError("OVS_FAILED", "no answer")

    one.module.found = fails
    answer = one.state("auto")
    assert (answer["result"], answer["reason"]) == (False, "OVS_FAILED")
