"""What holds for every pillar, of generated ones."""

import copy
import datetime
import json
import math
import posixpath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openstack_rollout.declared import quadlets, reading, reserved_units, warnings
from openstack_rollout.declared.problems import shown
from tests.unit.cloud_pillar import NEW
from tests.unit.declared.pillars import GOOD, SMALL, is_clear
from tests.unit.loading import load

QUADLET = load("modules", "quadlet")
FAST = settings(
    max_examples=40, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def test_the_pillar_to_start_from_is_right():
    found, model = reading.reasons(SMALL)
    assert found == [] and list(warnings.of(model)) == []


def _paths(value, path=()):
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from _paths(value[key], (*path, key))


#: Every place of the pillar by the kinds of keys that lead there.
KINDS = sorted(set(_paths(SMALL)), key=repr)
NAUGHTY = st.text(
    alphabet=st.sampled_from(
        "ab1.-_/:=@%*?[](){}<>|&;$'\"\\ \t\n\r\0\x1b\x85\u00a0\u2028\u200b\u202e\ufeff\ud800\u00e9\u0661"
    ),
    max_size=12,
)
ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**30), 10**4000, math.nan, math.inf, -math.inf]),
    st.floats(),
    st.text(max_size=20),
    NAUGHTY,
    st.binary(max_size=5),
    st.dates(),
    st.datetimes(),
    st.sampled_from(
        ["*", "-x", "none", "1.0.1", "/etc/x", "salt://x", "nova", "compute", GOOD, "x" * 10_000]
    ),
)
KEYS = st.one_of(ATOMS.filter(lambda value: value == value), st.tuples(st.integers()), st.text(max_size=8))
ANY = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=4),
        st.tuples(inner),
        st.sets(st.integers(), max_size=2),
    ),
    max_leaves=12,
)


def put(path, value):
    openstack = copy.deepcopy(SMALL)
    place = openstack
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return openstack


def check(openstack):
    """Reading never raises; what is refused is said in clear lines, what is not can be worked with."""
    found, model = reading.reasons(openstack)
    assert all(is_clear(line) for _, line in found), found
    assert (model is None) == bool(found)
    if model is not None:
        assert all(map(is_clear, warnings.of(model)))
        for version in ("", *model.releases):
            assert all(one.container for one in model.catalogue.services(version).values())
        json.dumps(model.model_dump(mode="json"), allow_nan=False)


@pytest.mark.parametrize("top", sorted({path[0] for path in KINDS}))
@FAST
@given(data=st.data())
def test_any_value_at_any_place_is_read_or_refused(top, data):
    path = data.draw(st.sampled_from([one for one in KINDS if one[0] == top]))
    check(put(path, data.draw(ANY)))


@FAST
@given(path=st.sampled_from([()] + [one for one in KINDS if isinstance(one[-1], str)]), key=KEYS, value=ANY)
def test_any_further_key_is_read_or_refused(path, key, value):
    openstack = copy.deepcopy(SMALL)
    place = openstack
    for one in path:
        place = place[one]
    if isinstance(place, dict):
        place[key] = value
    check(openstack)


@FAST
@given(openstack=ANY, errors=st.lists(ANY, max_size=3), top=st.lists(KEYS, max_size=3))
def test_anything_at_all_is_refused_in_clear_lines(openstack, errors, top):
    found, model = reading.reasons(openstack, errors, top=top)
    assert model is None and found and all(is_clear(line) for _, line in found)


@FAST
@given(value=ANY, limit=st.integers(10, 200))
def test_a_value_is_shown_short_and_as_ascii(value, limit):
    text = shown(value, limit)
    assert len(text) <= limit and text.isascii() and text.isprintable()


LINES = st.one_of(
    NAUGHTY,
    st.sampled_from(["a:b", "x=y", "a b", "", "/bin/true", "%n", "'a b'", "a\n[Service]", "#", "[x]"]),
    st.booleans(),
    st.integers(),
    st.none(),
)
ENTRIES = st.dictionaries(
    st.sampled_from(
        [
            "Volume",
            "Exec",
            "Environment",
            "Label",
            "ExecStartPre",
            "Restart",
            "Description",
            "After",
            "PodmanArgs",
        ]
    )
    | NAUGHTY,
    LINES | st.lists(LINES, max_size=3),
    max_size=3,
)


@settings(FAST, max_examples=400)
@given(
    quadlet=st.dictionaries(
        st.sampled_from(["Unit", "Container", "Service", "Install"]), ENTRIES, max_size=3
    ),
    health=st.lists(NAUGHTY | st.sampled_from(["/bin/true", "a b"]), max_size=3),
)
def test_an_accepted_quadlet_is_a_unit_of_exactly_these_lines(quadlet, health):
    openstack = put(("services", "nova", "quadlet"), quadlet)
    openstack["services"]["nova"]["health"]["command"] = health
    found, model = reading.reasons(openstack)
    if found:
        return
    nova = model.catalogue.services(NEW)["nova"]
    text = QUADLET.render(nova.container, GOOD, nova.quadlet, {"command": nova.health.command})["text"]
    expected = {
        QUADLET.HEADER,
        "",
        f"ContainerName={nova.container}",
        f"Image={GOOD}",
        *(f"[{one}]" for one in quadlets.KEYS),
    }
    for values in nova.quadlet.values():
        expected |= {f"{key}={item}" for key, value in values.items() for item in QUADLET._as_list(value)}
    ours = (
        "Description=OpenStack service",
        "RestartSec=2",
        "WantedBy=multi-user.target",
        "Restart=always",
        "HealthCmd=",
        f"Label={QUADLET.FINGERPRINT}=",
    )
    for line in text.split("\n"):
        assert line in expected or line.startswith(ours), line
        assert line.isprintable() and not line.endswith("\\")
    assert text.count("[Service]\n") == 1 and text.count("\n[Container]\n") == 1


def _accepted(path, value):
    found, model = reading.reasons(put(path, value))
    return None if found else model


NAMES = {
    "container": ("services", "nova", "container"),
    "unit": ("services", "nova", "legacy_units"),
    "backend": ("services", "volume", "backend"),
    "hook": ("hooks", "system", "before_apply"),
    "zone": ("zones",),
    "package": ("releases", NEW, "packages"),
    "version": ("releases", NEW, "packages", "vim"),
    "glob": ("system", "exclude"),
    "sls": ("hooks", "system", "after_apply", 0, "sls"),
    "cloud": ("cloud",),
}
SHAPES = {
    "unit": lambda name: [name],
    "hook": lambda name: [{"name": name, "command": ["/bin/true"]}],
    "zone": lambda name: {name: "cmp1"},
    "package": lambda name: {name: "1"},
    "glob": lambda name: [name],
}


@pytest.mark.parametrize("kind", NAMES)
@FAST
@given(name=NAUGHTY | st.from_regex(r"[a-z0-9.-]{1,8}[ \n;/-]?[a-z]?", fullmatch=True))
def test_an_accepted_name_is_one_word_and_no_option(kind, name):
    if _accepted(NAMES[kind], SHAPES.get(kind, lambda one: one)(name)) is None:
        return
    assert name.isascii() and name.isprintable() and name == name.strip()
    assert not name.startswith("-") and "/" not in name
    assert " " not in name or kind == "hook"
    if kind in ("container", "unit"):
        assert not reserved_units.is_reserved(name)


@settings(FAST, max_examples=200)
@given(
    path=st.from_regex(r"/?(?:[a-c.]{1,3}/?){1,4}[ \n~]?", fullmatch=True) | NAUGHTY,
    source=st.from_regex(r"salt:/?/?/?(?:[a-c.]{1,3}/?){1,4}[ \n#]?", fullmatch=True) | st.just("salt://x"),
)
def test_an_accepted_path_is_absolute_and_normalised(path, source):
    model = _accepted(("services", "nova", "config_files"), {path: source})
    if model is not None:
        assert (
            path.startswith("/") and posixpath.normpath(path) == path and path != "/" and path.isprintable()
        )
        below = source.removeprefix("salt://")
        assert posixpath.normpath(posixpath.join("/root", below)).startswith(
            "/root/"
        ) and below == posixpath.normpath(below)


@settings(FAST, max_examples=200)
@given(arguments=st.lists(NAUGHTY | st.sampled_from(["/bin/true", "-x", "ls"]), max_size=4))
def test_an_accepted_command_begins_with_a_program(arguments):
    model = _accepted(("hooks", "system", "before_apply"), [{"name": "x", "command": arguments}])
    if model is not None:
        assert (
            arguments
            and all(arguments)
            and not arguments[0].startswith("-")
            and "\0" not in "".join(arguments)
        )
        assert not set(arguments[0]) & set(" \t\n;|&$")


def test_dates_are_strings_to_be_quoted():
    found, _ = reading.reasons(put(("name",), datetime.date(2024, 1, 2)))
    assert found == [("INVALID_PILLAR", "openstack:name: '2024-01-02' is a date: put it in quotes")]
    assert len(KINDS) > 40
