"""rollout_call: the value or the failure of a function, as fields; nothing but what the master asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.errors import RolloutError
from openstack_rollout.node.errors import NodeError
from openstack_rollout.records import processes
from tests.unit.loading import load


def module(**functions):
    context = {}
    known = {name.replace("__", "."): function for name, function in functions.items()}
    return load("modules", "rollout_call", salt=known, grains={"id": "cmp1"}, context=context), context


def told_by(call, *arguments):
    """What a call returns, without which process the minion is."""
    found = call.run(*arguments)
    assert found.pop("minion") == call.minion()
    return found


def test_a_value_comes_as_it_is():
    call, context = module(openstack_node__facts=lambda *args, **kwargs: [args, kwargs])
    assert told_by(call, "openstack_node.facts", ["a"], {"fresh": True}) == {
        "value": [("a",), {"fresh": True}]
    }
    assert told_by(call, "openstack_node.facts") == {"value": [(), {}]}
    assert context == {}, "no return code of a failure"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NodeError("OVS_FAILED", "away"), {"reason": "OVS_FAILED", "message": "away"}),
        (RolloutError("INVALID_PILLAR", "roles"), {"reason": "INVALID_PILLAR", "message": "roles"}),
        (CommandExecutionError("OVS_FAILED: a text"), {"reason": "", "message": "OVS_FAILED: a text"}),
    ],
)
def test_a_failure_comes_as_fields_with_a_return_code(error, told):
    def fails():
        raise error

    call, context = module(datapath__verify=fails)
    assert told_by(call, "datapath.verify") == told and context == {"retcode": 1}


def test_a_mistake_of_ours_stays_a_traceback():
    call, _ = module(datapath__verify=lambda: {}["nothing"])
    with pytest.raises(KeyError):
        call.run("datapath.verify")


def test_a_function_that_the_node_does_not_have_is_told_with_what_brings_it():
    call, context = module()
    assert told_by(call, "ovn_gateway.layout") == {
        "reason": "",
        "message": "ovn_gateway.layout is not available: salt 'cmp1' saltutil.sync_all brings it",
    }
    assert context == {"retcode": 1}


@pytest.mark.parametrize("function", ["cmd.run", "test.fib", "datapath_else.verify", "", "datapath"])
def test_what_is_not_asked_by_the_master_is_refused(function):
    ran = []
    call, context = module()
    call.__salt__[function] = lambda: ran.append(function)
    told = call.run(function)
    assert told["reason"] == "NODE_ERROR" and ran == [] and context == {"retcode": 1}


def test_a_node_may_be_pinged():
    call, _ = module(test__ping=lambda: True)
    assert told_by(call, "test.ping") == {"value": True}


JOB = """
import json
from tests.unit.loading import load
print(json.dumps(load("modules", "rollout_call").minion()))
"""


def test_a_minion_is_another_process_after_a_restart():
    """Each job has a process of its own, whose parent is the minion."""
    minion = ["sh", "-c", f'for job in 1 2; do "{sys.executable}" -c "$0"; done', JOB]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    first, again = (
        [json.loads(line) for line in subprocess.check_output(minion, env=environment).splitlines()]
        for _ in range(2)
    )
    assert first[0] == first[1] and again[0] == again[1] and first[0] != again[0]
    assert first[0]["boot"] == again[0]["boot"] == processes.boot()
