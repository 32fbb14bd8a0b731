from openstack_rollout.rollout.window import Node, Window
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
