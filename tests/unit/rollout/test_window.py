import sys
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from openstack_rollout.rollout.window import Node, Queue, Window
from openstack_rollout.vocabulary import in_order


def nodes(count, zones=2):
    return [
        Node(f"cmp{number}", "compute", f"az{(number - 1) % zones + 1}") for number in range(1, count + 1)
    ]


def ids(found):
    return [node.id for node in found]


def test_no_more_than_the_batch_is_in_flight():
    some = nodes(4)
    assert ids(Window(2).admit(some, {})) == ["cmp1", "cmp2"]
    assert ids(Window(2).admit(some[2:], {"cmp1": some[0]})) == ["cmp3"]
    assert Window(2).admit(some[2:], {"cmp1": some[0], "cmp2": some[1]}) == []


def test_a_full_zone_is_passed_over():
    some = nodes(4)
    assert ids(Window(2, per_zone=1).admit(some, {})) == ["cmp1", "cmp2"]
    assert ids(Window(2, per_zone=1).admit(some[2:], {"cmp1": some[0]})) == ["cmp4"]


def test_nodes_without_a_zone_count_against_the_batch_alone():
    some = [Node("a", "compute"), Node("b", "compute"), Node("c", "compute")]
    assert ids(Window(2, per_zone=1).admit(some, {})) == ["a", "b"]


def test_waves_show_who_goes_together():
    both = [["cmp1", "cmp2"], ["cmp3", "cmp4"]]
    assert [ids(wave) for wave in Window(2, per_zone=1).waves(nodes(4))] == both
    assert [ids(wave) for wave in Window(3).waves(nodes(4))] == [["cmp1", "cmp2", "cmp3"], ["cmp4"]]


def test_node_ids_are_ordered_as_people_count():
    assert in_order(["cmp10", "cmp2", "cmp1"]) == ["cmp1", "cmp2", "cmp10"]


def test_what_two_nodes_have_in_common_keeps_them_apart():
    some = nodes(4)
    apart = {"cmp1": {"g"}, "cmp2": {"g", "h"}, "cmp3": {"h"}, "cmp4": set()}
    assert ids(Window(4).admit(some, {}, apart)) == ["cmp1", "cmp3", "cmp4"]
    assert ids(Window(4).admit(some[1:], {"cmp1": some[0]}, apart)) == ["cmp3", "cmp4"]
    assert [ids(wave) for wave in Window(4).waves(some, apart)] == [["cmp1", "cmp3", "cmp4"], ["cmp2"]]


def test_a_node_of_which_it_is_not_known_does_not_start():
    some = nodes(2)
    assert ids(Window(2).admit(some, {}, {"cmp2": set()})) == ["cmp2"]


def test_a_node_that_is_left_out_is_passed_over():
    queue = Queue(nodes(5, zones=2))
    left_out = queue.of({"cmp4", "cmp1", "gone"})
    assert ids(left_out) == ["cmp1", "cmp4"]
    for node in left_out:
        queue.remove(node)
    assert queue.of({"cmp4"}) == []
    assert ids(queue) == ["cmp2", "cmp3", "cmp5"]
    assert len(queue) == 3
    assert ids(Window(2).admit(queue, {})) == ["cmp2", "cmp3"]


def in_turn(window, some, apart=None):
    """The waves as they follow from the words: each node in its order, if it may go with those before it."""
    waiting, found = list(some), []
    while waiting:
        wave, zones, taken = [], Counter(), set()
        for node in waiting:
            tags = (apart or {}).get(node.id, ())
            full = window.per_zone and node.zone and zones[node.zone] >= window.per_zone
            if len(wave) < window.size and not full and taken.isdisjoint(tags):
                wave.append(node)
                zones[node.zone] += 1
                taken.update(tags)
        waiting = [node for node in waiting if node not in wave]
        found.append(ids(wave))
    return found


@given(
    of=st.lists(
        st.tuples(st.sampled_from([None, "az1", "az2", "az3"]), st.sets(st.integers(0, 3))), max_size=12
    ),
    size=st.integers(1, 4),
    per_zone=st.integers(0, 2),
    keeps_apart=st.booleans(),
)
def test_waves_are_those_that_follow_from_the_words(of, size, per_zone, keeps_apart):
    some = [Node(f"cmp{number}", "compute", zone) for number, (zone, _) in enumerate(of)]
    apart = {f"cmp{number}": tags for number, (_, tags) in enumerate(of)} if keeps_apart else None
    window = Window(size, per_zone)
    assert [ids(wave) for wave in window.waves(some, apart)] == in_turn(window, some, apart)


def test_what_waves_cost_grows_with_the_nodes_alone():
    """The zones in turn, one after the other, and one of a kind: each was looked through for every wave."""

    def looked_at(count, zone, apart):
        some = [Node(f"n{number}", "compute", zone(number, count)) for number in range(count)]
        seen = 0

        def count_calls(_frame, event, _arg):
            nonlocal seen
            seen += event in ("call", "c_call")

        sys.setprofile(count_calls)
        try:
            Window(2, per_zone=1).waves(some, {node.id: {"kind"} for node in some} if apart else None)
        finally:
            sys.setprofile(None)
        return seen

    for zone in (lambda number, count: f"az{number % 2}", lambda number, count: f"az{number * 2 // count}"):
        for apart in (False, True):
            assert looked_at(800, zone, apart) < 4.5 * looked_at(200, zone, apart)
