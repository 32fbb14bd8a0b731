"""rollout_hooks: what a hook that fails tells, and what stays on the node."""

from __future__ import annotations

import json
import stat

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node.errors import NodeError
from tests.unit.loading import load

TOKEN = "correct-horse"
HOOK = {"name": "silence", "command": ["/bin/silence", TOKEN], "timeout": 300, "on_failure": "fail"}


@pytest.fixture
def node(tmp_path):
    def make(hook, answer, seconds=0):
        """The module of a node with one hook; what commands get as answer, and how long they take."""
        clock = iter((0.0, float(seconds)))

        def run_all(command, **options):
            assert options["output_loglevel"] == "quiet"
            if isinstance(answer, Exception):
                raise answer
            return {"retcode": 1, "stdout": "", "stderr": "", **answer}

        module = load(
            "modules", "rollout_hooks", salt={"cmd.run_all": run_all}, opts={"conf_file": "/etc/salt/minion"}
        )
        module._OUTPUTS = tmp_path / "hooks"
        module._share = lambda: {"hooks": {"system": {"before_apply": [hook]}}}
        module.time = type("Clock", (), {"monotonic": staticmethod(lambda: next(clock))})
        return module

    return make


def failure(module):
    with pytest.raises(NodeError) as failed:
        module.run("system", "before_apply")
    assert failed.value.reason == "HOOK_FAILED" and TOKEN not in failed.value.text
    return failed.value.text


def test_arguments_and_output_stay_on_the_node(node, tmp_path):
    module = node(HOOK, {"retcode": 3, "stdout": f"logged in with {TOKEN}", "stderr": "no"})
    kept = tmp_path / "hooks" / "silence.log"
    assert failure(module) == f"silence: exited with 3; what it printed is in {kept}"
    assert TOKEN in kept.read_text() and stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_its_owner_may_have_the_output_shown(node, tmp_path):
    module = node({**HOOK, "show_output": True}, {"retcode": 3, "stdout": "no", "stderr": "such host"})
    assert failure(module) == "silence: exited with 3: no such host"
    assert not (tmp_path / "hooks").exists()


def test_one_that_takes_too_long_is_named_without_its_command(node):
    said = f"Timed out after 300 seconds: command '/bin/silence {TOKEN}'"
    module = node(HOOK, {"stdout": said}, seconds=300)
    assert failure(module) == "silence: took longer than 300 s"


def test_a_program_that_is_not_there_is_one_line_and_may_be_passed_over(node):
    error = CommandExecutionError(
        f"Unable to run command '['/bin/silence', '{TOKEN}']' with the context {{}}"
    )
    assert failure(node(HOOK, error)) == "silence: /bin/silence is not there, or cannot be started"
    found = node({**HOOK, "on_failure": "go_on"}, error).run("system", "before_apply")
    assert found["hooks"]["silence"].startswith("failed, and was passed over: /bin/silence")


def test_states_of_an_sls_are_counted(node, tmp_path):
    states = {"a": {"result": False, "comment": f"not {TOKEN}"}, "b": {"result": True, "comment": ""}}
    hook = {"name": "firmware", "sls": "site.firmware", "timeout": 300, "on_failure": "fail"}
    module = node(hook, {"retcode": 2, "stdout": json.dumps({"local": states})})
    assert failure(module).startswith(
        "firmware: sls site.firmware: 1 of 2 states failed; what it printed is in "
    )
    assert TOKEN in (tmp_path / "hooks" / "firmware.log").read_text()
