"""guards: every one of the list is a module that keeps the contract."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from openstack_rollout.node import guards
from tests.unit.loading import load

CHECKOUT = Path(__file__).resolve().parents[3]
CONTRACT = {name: one for name, one in vars(guards.Guard).items()
            if inspect.isfunction(one) and not name.startswith("_")}  # fmt: skip
ENDING = {"before_stop": guards.EndingGuard.before_stop}
MODULES = [name for name in guards.GUARD_NAMES if name != guards.NONE]


def shape(function):
    """Names, order, kinds and types of what a function takes, and the type of what it returns."""
    signature = inspect.signature(function)
    taken = [(one.name, one.kind, one.annotation) for one in signature.parameters.values()]
    return [one for one in taken if one[0] != "self"], signature.return_annotation


def test_the_contract_is_the_six_functions():
    assert set(CONTRACT) == {"may_stop", "before_stop", "after_start", "undo", "progress", "pending"}


@pytest.mark.parametrize("function", CONTRACT)
@pytest.mark.parametrize("name", MODULES)
def test_a_guard_keeps_the_contract(name, function):
    found = getattr(load("modules", name), function)
    contract = (CONTRACT | (ENDING if name in guards.ENDING else {}))[function]
    assert shape(found) == shape(contract)
    for one in inspect.signature(contract).parameters.values():
        if one.default is not inspect.Parameter.empty:
            assert inspect.signature(found).parameters[one.name].default == one.default
    assert "CLI Example" in found.__doc__


def test_the_list_is_told_in_its_order_and_none_is_first():
    assert guards.GUARD_NAMES == (
        "none", "ovn_controller", "rabbitmq_cluster", "galera", "ovsdb_cluster", "pacemaker",
    )  # fmt: skip
    assert set(guards.MEMBERS) == {"galera", "rabbitmq_cluster", "ovsdb_cluster"}
    assert set(guards.ENDING) == {"ovn_controller", "ovsdb_cluster"}
    assert set(guards.WITH_CLIENTS) == {"galera", "rabbitmq_cluster"}


@pytest.mark.parametrize("name", guards.MEMBERS)
def test_a_member_tells_of_its_cluster(name):
    assert list(inspect.signature(load("modules", name).status).parameters) == ["container"]


def test_the_list_needs_no_salt():
    code = "import sys, openstack_rollout.node.guards; sys.exit('salt' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(CHECKOUT / "_utils")}, check=False
    )
    assert run.returncode == 0
