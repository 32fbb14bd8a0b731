"""What a node tells: whatever it is, it is facts or a refusal that names the node, never a traceback."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openstack_rollout.declared import facts, told
from openstack_rollout.declared.comparison import Comparison
from openstack_rollout.errors import RolloutError
from tests.unit.cloud_pillar import NEW, facts_at, model, node, valid

COMPUTE = node("compute")
WHOLE = facts_at(
    valid(),
    NEW,
    COMPUTE,
    newer={"upgrade": {"a": "1"}, "install": {}, "remove": ["b"], "held": {}, "stays": {}, "unknown": ""},
    unfinished={"doubles": {"a": ["1", "2"]}, "half": {"b": "1"}, "unknown": ""},
    switch={"running": "3", "installed": "3", "stale": False},
    bootc=None,
    floors={"curl": {">=7": True}},
    offered={"upgrade": {"a": "2"}, "stays": {}, "unknown": ""},
    legacy_units={"a": ["b"]},
    migrations=[{"name": "m", "stage": "system"}],
    checks=[{"service": "nova", "call": "a.b", "lines": ["x"]}],
)
COMPARISON = Comparison(model())


def refused(answer, name="node1"):
    """The refusal of an answer, which names its node in one line."""
    with pytest.raises(RolloutError) as error:
        facts.read(name, answer)
    assert error.value.reason == "FACTS_INVALID" and error.value.nodes == (name,)
    assert error.value.message.startswith(f"{name}: ") and len(error.value.message) < 1000
    assert error.value.message.isascii() and error.value.message.isprintable()
    return error.value.message


def broken(*path, value):
    """Whole facts with one value replaced."""
    found = copy.deepcopy(WHOLE)
    place = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return found


def test_whole_facts_are_read():
    told = facts.read("node1", WHOLE)
    assert told.id == "node1" and told.roles == ["compute"] and told.newer.upgrade == {"a": "1"}
    assert told.model_dump(by_alias=True) == WHOLE | {"ovn_wait": None}  # of chassis alone


@pytest.mark.parametrize("answer", [None, "", "Minion did not return", [], [WHOLE], 5, True, {1}])
def test_what_is_no_mapping(answer):
    refused(answer)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"schema": 0},
        WHOLE | {"schema": 1},
        WHOLE | {"schema": "1"},
        WHOLE | {"schema": "\x1b[2J\n"},
        WHOLE | {"schema": [1] * 10**5},
    ],
)
def test_another_schema(answer):
    assert "schema" in refused(answer)


@pytest.mark.parametrize("key", sorted(WHOLE))
def test_a_key_that_is_missing(key):
    assert key in refused({name: value for name, value in WHOLE.items() if name != key})


@pytest.mark.parametrize("key", ["services", "deployed", "stages", "health", "notes", "Containers", ""])
def test_a_key_that_is_none_of_facts(key):
    refused(WHOLE | {key: {"image": "evil.example/x@sha256:" + "0" * 64}})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("containers",), []),
        (("containers",), None),
        (("containers", "nova_compute"), "running"),
        (("containers", "nova_compute", "running"), "yes"),
        (("containers", "nova_compute", "running"), 1),
        (("containers", "nova_compute", "digests"), "sha256:0"),
        (("containers", "nova_compute", "digests"), {}),
        (("containers", "nova_compute", "image_id"), None),
        (("containers", "nova_compute", "labels"), {"a": {"b": "c"}}),
        (("containers", "nova_compute", "extra"), 1),
        (("containers", ""), WHOLE["containers"]["nova_compute"]),
        (("packages",), [["curl", "1"]]),
        (("packages", "curl"), "1"),
        (("packages", "curl"), [1]),
        (("packages", "curl"), [""]),
        (("floors", "curl"), True),
        (("floors", "curl"), {">=7": "True"}),
        (("roles",), "compute"),
        (("roles",), ["king"]),
        (("roles",), ["compute"] * 9),
        (("target",), 1.0),
        (("target",), None),
        (("id",), None),
        (("managed",), {"a": 1}),
        (("images",), "x"),
        (("held",), [None]),
        (("newer",), []),
        (("newer", "upgrade"), ["a"]),
        (("newer", "other"), {}),
        (("newer", "stays"), {"a": {"version": "1", "cause": "weather", "by": ""}}),
        (("offered",), {"newer": {}}),
        (("offered", "upgrade"), ["a"]),
        (("unfinished", "doubles"), {"a": "1"}),
        (("openvswitch",), {"unit": "x"}),
        (("switch", "stale"), None),
        (("bootc",), {}),
        (("minion",), "well"),
        (("datapath",), "broken"),
        (("datapath",), ["x" * 5000]),
        (("datapath",), ["x"] * 2001),
        (("reboot",), [["x"]]),
        (("live_patches",), {"a": None}),
        (("migrations",), [{"name": "m"}]),
        (("migrations",), [{"name": "m", "stage": "everything"}]),
        (("migrations",), [{"name": "m", "stage": "system", "command": ["rm"]}]),
        (("checks",), {"nova": ["line"]}),
        (("checks",), [{"service": "nova", "call": "x", "lines": "line"}]),
        (("legacy_units",), {"a": "b"}),
        (("pending",), {"ovn_controller": {}}),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(path, value):
    assert path[0] in refused(broken(*path, value=value))


def test_the_first_few_of_many_mistakes_are_named():
    message = refused(WHOLE | {f"x{number}": 1 for number in range(50)})
    assert "and 47 more" in message and message.count("x") < 20


@pytest.mark.parametrize(
    "value", [["x" * 4000] * 1000, {f"{number}": ["y" * 500] for number in range(20000)}, "z" * 10_000_000]
)
def test_an_answer_that_is_too_large(value):
    message = refused(WHOLE | {"datapath": value})
    assert "characters" in message and str(told.LARGEST) in message


@pytest.mark.parametrize("value", [{1, 2}, object(), b"x", {"a": {("b",): 1}}, 3 + 4j])
def test_what_json_cannot_hold(value):
    assert "no plain data" in refused(WHOLE | {"datapath": value})


def test_nesting_without_end():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    refused(WHOLE | {"datapath": deep})
    endless = {}
    endless["containers"] = endless
    refused(WHOLE | {"containers": endless})


def test_the_facts_of_another_node():
    assert "'node2'" in refused(WHOLE | {"id": "node2"})
    assert "'node1'" in refused(WHOLE, "node3")


@pytest.mark.parametrize(
    "number",
    [float("nan"), float("inf"), 10**400, 10**6000, -(10**6000)],
    ids=["nan", "inf", "long", "longer", "less"],
)
def test_numbers_that_are_none(number):
    refused(WHOLE | {"target": number})
    refused(WHOLE | {"schema": number})


def paths(value, above=()):
    """Every place in a value."""
    yield above
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        yield from paths(one, (*above, key))


PATHS = [path for path in paths(WHOLE) if path]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
# What passes for facts now and then, beside what never does.
LIKELY = (
    st.sampled_from(["", "system", "controller", "nova_compute", "ovn_controller", "1.0.0", "99.0", ">=7"])
    | st.lists(st.sampled_from(["compute", "controller", "nova_compute", "x"]), max_size=3)
    | st.dictionaries(st.sampled_from(["curl", "kernel-core", "salt-minion"]), st.lists(st.text(max_size=5)))
    | PLAIN
)


@settings(max_examples=400, deadline=None)
@given(path=st.sampled_from(PATHS), value=LIKELY)
def test_anything_in_place_of_any_value_is_facts_or_a_refusal(path, value):
    answer = broken(*path, value=value)
    try:
        told = facts.read("node1", answer)
    except RolloutError as error:
        assert error.reason == "FACTS_INVALID" and error.nodes == ("node1",)
        assert error.message.startswith("node1: ") and error.message.isprintable()
        return
    # What is accepted can be compared, and what comes of it is plain data.
    compared = COMPARISON.compare(told, ("compute",), None)
    json.dumps([vars(one) for some in compared.stages.values() for one in some])


@settings(max_examples=100, deadline=None)
@given(answer=PLAIN | st.dictionaries(st.sampled_from(sorted(WHOLE)), PLAIN))
def test_anything_at_all_is_a_refusal(answer):
    refused(answer)


@settings(max_examples=100, deadline=None)
@given(key=st.text(max_size=20).filter(lambda key: key not in WHOLE), value=PLAIN)
def test_any_other_key_is_a_refusal(key, value):
    refused(WHOLE | {key: value})


@pytest.mark.parametrize("key", ["\n", "\x1b[2J", "\u202ex", "\ud800", "\u200b", "x" * 10_000, 5, None])
def test_a_key_is_shown_as_text_that_a_terminal_can_print(key):
    refused(WHOLE | {key: 1})
    refused(broken("containers", "nova_compute", value={key: 1}))
    refused(broken("packages", key, value=1))


def test_the_id_of_another_node_is_shown_so_too():
    refused(WHOLE | {"id": "\x1b[2J\u202e"})
