"""package_repair as a state: predicts, mends once, names its failures."""

from __future__ import annotations

import pytest

from openstack_rollout.node.errors import NodeError
from tests.unit.loading import load


def state(test=False, due=None, mend=None):
    functions = {
        "package_repair.due": lambda stage, packages, exclude: due or {},
        "package_repair.mend": mend or (lambda names, exclude: {name: {"new": "1"} for name in names}),
        "package_updaters.found": lambda: {"apt-daily.service": "inactive"},
    }
    return load("states", "package_repair", salt=functions, opts={"test": test})


@pytest.mark.parametrize("test", [True, False])
def test_whole_packages_are_no_change(test):
    answer = state(test).mended("x")
    assert (answer["result"], answer["changes"]) == (True, {})


def test_what_is_half_installed_is_predicted_and_mended():
    due = {"bash": "5-1, 5-2"}
    predicted = state(True, due).mended("x")
    assert predicted["result"] is None and list(predicted["changes"]) == ["bash"]
    answer = state(False, due).mended("x", "system", exclude=("a",))
    assert answer["result"] is True and list(answer["changes"]) == ["bash"]
    assert "apt-daily.service" in answer["comment"]


def test_a_failure_keeps_its_word():
    def fails(names, exclude):
        raise NodeError("PACKAGE_REMOVAL", "tuned would go")

    answer = state(due={"bash": "x"}, mend=fails).mended("x")
    assert answer["result"] is False and answer["reason"] == "PACKAGE_REMOVAL"
