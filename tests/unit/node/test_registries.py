"""registries: which login and which mirrors count for an image, and how programs are given them."""

from __future__ import annotations

import base64
import json
import os
import tomllib
from pathlib import Path

import pytest

from openstack_rollout.node import registries

IMAGE = f"r.example:5000/ns/nova:1@sha256:{'a' * 64}"
LOGIN = {"username": "me", "password": "s3cret:with:colons"}


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """This machine's own configuration, which a test writes."""
    system = tmp_path / "containers"
    (system / "registries.conf.d").mkdir(parents=True)
    monkeypatch.setattr(registries, "_SYSTEM", system)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CONTAINERS_REGISTRIES_CONF", raising=False)
    return system


def given(declared, image=IMAGE):
    """The logins by place, and what is said of the image's registry."""
    with registries.given(image, declared) as reached:
        auth = json.loads(Path(reached.auth).read_text())["auths"] if reached.auth else {}
        conf = tomllib.loads(Path(reached.conf).read_text())["registry"] if reached.conf else []
        assert all(os.fstat(one).st_mode & 0o777 == 0o600 for one in reached.descriptors)
    for one in reached.descriptors:
        with pytest.raises(OSError):
            os.fstat(one)
    return {place: base64.b64decode(one["auth"]).decode() for place, one in auth.items()}, conf


@pytest.mark.parametrize("place", ["r.example:5000", "r.example:5000/ns", "r.example:5000/ns/nova"])
def test_the_login_of_a_registry_or_of_a_path_in_it(place):
    assert given({place: LOGIN}) == ({place: "me:s3cret:with:colons"}, [])


@pytest.mark.parametrize(
    "place", ["r.example", "r.example:5000/n", "r.example:5000/ns/nova-api", "x.example"]
)
def test_of_other_places_nothing_is_given(place):
    assert given({place: LOGIN}) == ({}, []) and registries.login(IMAGE, {place: LOGIN}) is None


def test_the_longest_place_counts_and_no_other_login_is_given():
    other = {"username": "you", "password": "other"}
    declared = {"r.example:5000": other, "r.example:5000/ns": LOGIN, "x.example": other}
    assert given(declared)[0] == {"r.example:5000/ns": "me:s3cret:with:colons"}
    assert registries.login(IMAGE, declared) == ("me", "s3cret:with:colons")


def test_a_login_that_the_master_could_not_read_is_none():
    for use in (given, lambda declared: registries.login(IMAGE, declared)):
        with pytest.raises(registries.Unreadable, match="no such address"):
            use({"r.example:5000": {"unreadable": "no such address"}})


def test_mirrors_stand_before_what_the_machine_has_of_the_registry(own):
    (own / "registries.conf").write_text(
        'unqualified-search-registries = ["docker.io"]\n'
        '[[registry]]\nprefix = "r.example:5000/ns"\nlocation = "inner.example/all"\ninsecure = true\n'
        '[[registry.mirror]]\nlocation = "own.example"\n'
    )
    dropped = '[[registry]]\nlocation = "m.example"\ninsecure = true\n'
    (own / "registries.conf.d" / "50-m.conf").write_text(dropped)
    login = {"m.example": LOGIN, "r.example:5000": {"mirrors": ["m.example/far", "n.example"]}}
    logins, (first, entry) = given(login)
    assert first["prefix"] == "r.example:5000/ns" and list(logins) == ["m.example"]
    assert entry == {
        "prefix": "r.example:5000/ns/nova",
        "location": "inner.example/all/nova",
        "insecure": True,
        "blocked": False,
        "mirror": [
            {"location": "m.example/far/ns/nova", "insecure": True},
            {"location": "n.example/ns/nova", "insecure": False},
            {"location": "own.example/nova", "insecure": False},
        ],
    }


def test_mirrors_of_a_path_have_what_is_below_it():
    _, (entry,) = given({"r.example:5000/ns": {"mirrors": ["m.example/there"]}})
    assert entry["mirror"][0]["location"] == "m.example/there/nova"
    assert entry["location"] == entry["prefix"] == "r.example:5000/ns/nova"


@pytest.mark.parametrize("text", ["", "no [ toml", '[registries.search]\nregistries = ["x"]\n'])
def test_a_configuration_without_registries_is_kept_as_it_is(own, monkeypatch, text):
    path = own / "mine.conf"
    path.write_text(text)
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(path))
    with registries.given(IMAGE, {"r.example:5000": {"mirrors": ["m.example"]}}) as reached:
        assert Path(reached.conf).read_text().startswith(text)
    with registries.given(IMAGE, {}) as reached:
        assert reached == ("", str(path), ())


def test_what_is_needed_for_images_and_their_mirrors():
    mirrors = {"r.example:5000": ["m.example/far"], "m.example": [], "x.example": [], "r.example:5000/ns": []}
    assert registries.needed(mirrors, [IMAGE]) == {"r.example:5000", "r.example:5000/ns", "m.example"}
    assert registries.needed(mirrors, ["y.example/x:1"]) == set()
