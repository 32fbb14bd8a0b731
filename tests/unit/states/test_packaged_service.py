"""packaged_service.at_release: packages move while the service runs on, then its units restart once."""

from __future__ import annotations

import pytest

from openstack_rollout.node.errors import NodeError
from tests.unit.loading import load

PINS = {"api": "2", "common": "2"}
UNITS = {"api.service": "active"}


class Node:
    """A node with a service: its packages, what its units run, and what was done, in order."""

    def __init__(self, installed="1", units=UNITS, stale=()):
        self.installed = {name: installed for name in PINS} | {"library": "1"}
        self.units, self.stale, self.here = dict(units), list(stale), True
        self.done, self.broken, self.refused = [], "", None

    def state(self, test=False, **arguments):
        salt = {
            "package_set.changes": self.changes,
            "package_set.along": lambda packages, exclude: {"library": "2"},
            "package_set.bring": self.bring,
            "package_updaters.found": lambda: {"apt-daily.service": "inactive"},
            "packaged_service.found": lambda own, units, libraries: {
                "here": self.here, "units": dict(self.units), "stale": list(self.stale),
            },
            "packaged_service.newer": lambda libraries, depth, kept: {"library": "3", "api": "9"},
            "packaged_service.restart": self.restart,
            "packaged_service.settled": self.settled,
            "unit_hold.release": lambda units: None,
        }  # fmt: skip
        module = load("states", "packaged_service", salt=salt, opts={"test": test})
        how = {"own": ["api"], "units": ["api.service"]} | arguments
        return module.at_release("api", packages=PINS, **how)

    def changes(self, packages):
        return {"install": {name: one for name, one in packages.items() if self.installed[name] != one}}

    def bring(self, packages, exclude=()):
        if self.refused:
            raise self.refused
        self.done.append(("bring", dict(packages)))
        moved = {name: {"old": self.installed[name], "new": one} for name, one in packages.items()}
        self.installed |= packages
        return moved

    def restart(self, units):
        self.done.append(("restart", list(units)))
        self.stale = []

    def settled(self, units, timeout, since):
        if self.installed["api"] == self.broken:
            raise NodeError("SERVICE_FAILED", "api.service: failed")


def test_packages_first_then_one_restart():
    node = Node()
    answer = node.state()
    assert answer["result"] is True and node.done == [("bring", PINS), ("restart", ["api.service"])]
    assert answer["changes"]["api"] == {"old": "1", "new": "2"}
    assert "apt-daily.service" in answer["comment"]


def test_a_prediction_names_what_comes_along_and_does_nothing():
    node = Node()
    answer = node.state(test=True)
    assert answer["result"] is None and node.done == []
    assert set(answer["changes"]) == {"units", "api", "common", "library"}


def test_libraries_that_no_release_names_come_at_the_newest_and_pins_stay_pins():
    node = Node()
    node.state(libraries=["library"], newest={"depth": "upgrade", "kept": []})
    assert node.done[0] == ("bring", {"library": "3", **PINS}) and len(node.done) == 2
    left = Node()
    left.broken = "2"
    assert left.state(libraries=["library"], newest={"depth": "upgrade", "kept": []})["result"] is False
    assert left.installed["library"] == "1"


def test_nothing_where_it_is_at_the_release_or_not_here():
    assert Node("2").state()["changes"] == {}
    node = Node()
    node.here = False
    assert node.state()["changes"] == {} and node.done == []


@pytest.mark.parametrize("node", [Node("2", stale=["library"]), Node("2", units={"api.service": "inactive"})])
def test_one_that_runs_older_files_or_does_not_run_is_started_alone(node):
    assert node.state()["result"] is True and node.done == [("restart", ["api.service"])]


@pytest.mark.parametrize("state", ["masked", "disabled"])
def test_what_the_operator_switched_off_stays_off(state):
    node = Node(units={"api.service": state})
    assert node.state()["result"] is True and node.done == [("bring", PINS)]


def test_a_version_that_does_not_start_goes_back():
    node = Node()
    node.broken = "2"
    answer = node.state()
    assert answer["result"] is False and answer["reason"] == "SERVICE_FAILED"
    assert node.installed == {"api": "1", "common": "1", "library": "1"} and node.done[-1] == (
        "restart",
        ["api.service"],
    )
    left = Node()
    left.broken = "2"
    assert left.state(on_failure="leave")["result"] is False and left.installed["api"] == "2"


def test_a_transaction_that_is_refused_touches_nothing():
    node = Node()
    node.refused = NodeError("PACKAGE_REMOVAL", "would go: tuned")
    answer = node.state()
    assert answer["reason"] == "PACKAGE_REMOVAL" and node.done == []
