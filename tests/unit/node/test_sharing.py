"""sharing: services that are packages of one unit move as one, and its unit restarts once."""

from __future__ import annotations

import pytest

from openstack_rollout.node import sharing


def service(name, units, order, **more):
    found = {
        "name": name, "order": order, "stage": "control_plane", "guard": "pacemaker", "timeout": 60,
        "packages": {f"openstack-{name}": "2"}, "own": [f"openstack-{name}*"],
        "libraries": [f"python3-{name}"], "units": [f"{unit}.service" for unit in units],
        "newest": None, "listens": True, "http": "",
    }  # fmt: skip
    return found | more


KEYSTONE = service("keystone", ["httpd"], 10, http="/v3", timeout=30)
PLACEMENT = service("placement", ["httpd"], 20, newest={"depth": "upgrade", "kept": []})
NOVA = service("nova-api", ["nova-api"], 5)


def test_the_first_of_a_unit_moves_for_the_others():
    first, second, other = sharing.together([PLACEMENT, KEYSTONE, NOVA])
    assert [first["name"], second["name"], other["name"]] == ["placement", "keystone", "nova-api"]  # as given
    assert (second["moved_with"], second["shares"]) == ("", ["placement"])
    assert second["packages"] == {"openstack-keystone": "2", "openstack-placement": "2"}
    assert second["own"] == ["openstack-keystone*", "openstack-placement*"]
    assert second["libraries"] == ["python3-keystone", "python3-placement"]
    assert second["units"] == ["httpd.service"] and second["newest"] == PLACEMENT["newest"]
    assert (second["timeout"], second["http"]) == (60, "/v3")
    assert first == {**PLACEMENT, "shares": [], "moved_with": "keystone"}
    assert other == {**NOVA, "shares": [], "moved_with": ""}


def test_a_chain_of_shared_units_is_one():
    some = [service("a", ["x"], 1), service("b", ["x", "y"], 2), service("c", ["y"], 3)]
    first, *others = sharing.together(some)
    assert first["shares"] == ["b", "c"] and first["units"] == ["x.service", "y.service"]
    assert [one["moved_with"] for one in others] == ["a", "a"]


def test_one_without_a_guard_moves_under_that_of_the_other():
    first, second = sharing.together([KEYSTONE | {"guard": "none"}, PLACEMENT])
    assert (first["guard"], second["moved_with"]) == ("pacemaker", "keystone")


@pytest.mark.parametrize(
    "more", [{"guard": "ovn_controller"}, {"stage": "services"}, {"units": ["other.service"]}]
)
def test_others_move_by_themselves(more):
    assert [one["moved_with"] for one in sharing.together([KEYSTONE, PLACEMENT | more])] == ["", ""]
    members = [one | {"guard": "galera"} for one in (KEYSTONE, PLACEMENT)]
    assert [one["moved_with"] for one in sharing.together(members)] == ["", ""]


def test_nothing_is_nothing():
    assert sharing.together([]) == []
