"""What steps took: remembered over runs, of a bounded size, and proof against what happened once."""

from __future__ import annotations

import pytest

from openstack_rollout.records import durations
from openstack_rollout.records.durations import Durations, Place
from openstack_rollout.records.journal import Journal
from tests.unit.simulated_fleet import MemoryStore

APPLY = Place("cmp1", "compute", "services", "", "apply")


@pytest.fixture
def journal():
    return Journal(MemoryStore())


def taught(journal, place, *values):
    known = Durations(journal)
    for seconds in values:
        known.took(place, seconds)
    known.keep(place.node, place.role)
    return Durations(journal)


def test_the_median_counts_so_that_one_outlier_changes_nothing(journal):
    assert taught(journal, APPLY, 40, 50, 60, 9000).usual(APPLY) == 55
    assert taught(journal, APPLY, 0.1).usual(APPLY) == 50


def test_a_node_that_never_took_a_step_takes_as_long_as_its_role(journal):
    known = taught(journal, APPLY, 40, 60)
    assert known.usual(APPLY._replace(node="cmp2")) == 50
    assert known.usual(APPLY._replace(node="gtw1", role="gateway")) is None
    assert known.usual(APPLY._replace(stage="ovn")) is known.usual(APPLY._replace(round="nova")) is None


def test_a_step_that_nobody_took_takes_as_long_as_its_like_elsewhere(journal):
    known = taught(journal, APPLY, 40, 60, 50)
    assert known.expected(APPLY._replace(stage="ovn", node="cmp2")) == 50
    assert known.expected(APPLY._replace(stage="control_plane", round="keystone")) == 50


def test_what_nobody_took_anywhere_is_assumed_without_the_reserve_of_a_window(journal):
    verify = APPLY._replace(step="verify")
    known = taught(journal, APPLY, 40)
    assert 0 < known.expected(verify) < known.at_most(verify) == durations.ASSUMED["verify"]
    other = APPLY._replace(node="gtw1", role="gateway")
    assert 0 < known.expected(other) < known.at_most(other) == durations.ASSUMED["apply"]


def test_its_own_times_count_and_not_those_of_its_role(journal):
    for number in range(20):
        taught(journal, APPLY._replace(node=f"cmp{number + 2}"), 10)
    assert taught(journal, APPLY, 300).usual(APPLY) == 300


@pytest.mark.parametrize(
    ("values", "most"),
    [
        ([], 600),  # assumed
        ([10], 600),
        ([300, 20], 900),
        ([10, 30, 20, 60, 50], 75),
        ([10, 10, 10, 10, 10, 9000], 12.5),  # once
        ([10, 9000, 10, 10, 10, 9000], 11250),  # it happens
    ],
)
def test_what_a_step_takes_at_most_is_what_it_took_and_more_while_little_is_known(journal, values, most):
    assert taught(journal, APPLY, *values).at_most(APPLY) == most


def test_the_size_stays_bounded_whatever_is_remembered(journal):
    for number in range(durations.STEPS + 50):
        taught(journal, APPLY._replace(round=f"round{number}"), 1)
    taught(journal, APPLY, *range(200))
    of_node, of_role = (
        journal.durations.of(of, name) for of, name in (("node", "cmp1"), ("role", "compute"))
    )
    assert len(of_node) == len(of_role) == durations.STEPS
    assert (len(of_node[APPLY.key]), len(of_role[APPLY.key])) == (durations.OF_NODE, durations.OF_ROLE)
    assert of_node[APPLY.key][-1] == 199


def test_nodes_that_are_no_more_are_forgotten(journal):
    taught(journal, APPLY, 10), taught(journal, APPLY._replace(node="cmp2"), 20)
    Durations(journal).forget_others(["cmp2"], ["compute"])
    assert journal.durations.of("node", "cmp1") == {} and journal.durations.of("node", "cmp2")
    assert journal.durations.of("role", "compute")


@pytest.mark.parametrize("damaged", ["x", [1], {"a": "b"}, {"a": [-1]}, {"a": ["x"]}, {"a": [None]}])
def test_what_cannot_be_read_is_unknown_and_holds_nothing_up(journal, damaged):
    journal._store.store("openstack/rollout/durations", "node:cmp1", damaged)
    known = Durations(journal)
    assert known.usual(APPLY) is None
    assert taught(journal, APPLY, 7).usual(APPLY) == 7
