"""The functions that a release may have called: there, and by their own word without effect."""

import ast
from pathlib import Path

import pytest

from openstack_rollout.declared.checks import CHECKS, problems

MODULES = Path(__file__).resolve().parents[3] / "_modules"


@pytest.mark.parametrize("call", CHECKS)
def test_each_says_that_it_is_a_check_and_changes_nothing(call):
    module, _, name = call.partition(".")
    tree = ast.parse((MODULES / f"{module}.py").read_text(encoding="utf-8"))
    function = next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name)
    said = " ".join(ast.get_docstring(function).split())
    assert "a check" in said and "changes nothing" in said
    first, *others = [argument.arg for argument in function.args.args]
    assert first == "container"
    assert set(CHECKS[call].arguments) <= set(others) and CHECKS[call].services


def test_arguments_are_checked():
    call = "rabbitmq_cluster.feature_flags"
    assert problems(call, {}) == [(("arguments", "enabled"), f"is missing, {call} needs it")]
    assert problems(call, {"enabled": ["khepri_db", "a-b.c"]}) == []
    assert problems(call, {"enable": ["x"]}) == [
        (("arguments", "enable"), f"{call} has no such argument, but enabled")
    ]
    assert len(problems(call, {"enabled": "x", "container": "y", 5: 1})) == 3


def test_a_check_is_for_services_of_its_types():
    call, arguments = "rabbitmq_cluster.feature_flags", {"enabled": ["x"]}
    types = ["nova", "rabbitmq"]
    assert problems(call, arguments, "rabbitmq", types) == []
    assert problems(call, arguments, "nova", types) == [
        (("service",), f"{call} is for rabbitmq, not for 'nova'")
    ]
    assert problems(call, arguments, "messaging", ["messaging"]) == []


def test_names_are_of_a_pattern():
    (line,) = problems("rabbitmq_cluster.feature_flags", {"enabled": ["a b"]})
    assert line[1].startswith("'a b': a name has letters, digits, _, . and - only")
