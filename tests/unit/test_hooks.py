"""Hooks: where they stand among the steps, what is refused, and how a node runs them."""

from __future__ import annotations

import json

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout import hooks, measure, node_pillar, salt_returns, validation
from tests.unit.cloud_pillar import NEW, OLD, measured_at, node, valid
from tests.unit.loading import Commands, load
from tests.unit.simulated_fleet import Cloud, Master

HOOKS = {
    "system": {
        "before_apply": [{"name": "silence", "command": ["/usr/bin/true"]}],
        "after_verify": [{"name": "report", "sls": "site.report", "timeout": 60, "on_failure": "go_on"}],
    }
}
MIGRATION = {"name": "move-cache", "stage": "system", "command": ["/usr/bin/mv", "a", "b"]}


def with_migration():
    openstack = {**valid(), "hooks": HOOKS}
    openstack["releases"][NEW]["migrations"] = [MIGRATION]
    return openstack


def test_hooks_stand_among_the_steps_of_their_stage_alone():
    names = ("drain", "apply", "verify", "restore")
    assert hooks.steps(with_migration(), "system", names, NEW) == (
        "drain", "before_apply", "apply", "after_apply", "verify", "after_verify", "restore",
    )  # fmt: skip
    assert hooks.steps(with_migration(), "ovs", names, NEW) == names
    assert "after_apply" not in hooks.steps(with_migration(), "system", names, OLD)


def test_the_engine_takes_a_node_through_them(tmp_path):
    cloud = Cloud(compute=1)
    cloud.openstack["hooks"] = HOOKS
    Master(cloud, tmp_path).update()
    done = [d["step"] for _, d in cloud.events if (d["stage"], d["status"]) == ("system", "succeeded")]
    assert [step for step in done if step != "stage"] == ["before_apply", "apply", "verify", "after_verify"]


@pytest.mark.parametrize(
    ("hook", "told"),
    [
        ({"name": "x"}, "needs either a command (a list) or an sls"),
        ({"name": "x", "command": "rm -rf /"}, "has to be a list"),
        ({"name": "x", "sls": "a", "on_failure": "ignore"}, "is not one of fail, go_on"),
        ({"name": "x", "sls": "a", "timout": 1}, "did you mean timeout?"),
    ],
)
def test_a_hook_that_is_none_is_refused(hook, told):
    openstack = {**valid(), "hooks": {"system": {"before_apply": [hook]}}}
    lines = validation.problems(openstack)
    assert lines and lines[0].startswith("openstack:hooks:system:before_apply:0") and told in lines[0]
    assert validation.problems({**valid(), "hooks": {"system": {"before_aply": []}}})


def test_a_migration_keeps_its_stage_open_until_it_is_done():
    openstack = with_migration()
    measured = measured_at(openstack, NEW, node("compute")) | {"migrations": [MIGRATION]}
    assert measure.facts(openstack, node("compute"), measured)["stages"]["system"] == [
        "migration move-cache: is due"
    ]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The module on a node whose own copy of the pillar is from before there were hooks."""

    def make(openstack, answers=None, matches=True):
        commands = Commands(answers or {})
        salt = {"cmd.run_all": commands, "match.compound": lambda target: matches}
        opts = {"conf_file": "/etc/salt/minion"}
        module = load("modules", "rollout_hooks", salt=salt, opts=opts, pillar={"openstack": valid()})
        monkeypatch.setattr(node_pillar, "fresh", lambda opts, grains: {"openstack": openstack})
        module._RECORD = tmp_path / "migrations.json"
        return module, commands

    return make


def test_a_migration_runs_once_and_is_dropped_with_its_release(here):
    openstack = with_migration()
    module, commands = here(openstack)
    assert module.run("system", "after_apply") == {"hooks": {"move-cache": "done"}}
    assert module.run("system", "after_apply") == {"hooks": {}} and len(commands.ran) == 1
    assert list(module.done()) == [f"{NEW} move-cache"] and module.due() == []
    gone = {**openstack, "target_version": OLD, "releases": {OLD: openstack["releases"][OLD]}}
    assert here(gone)[0].done() == {}


def test_a_failure_ends_the_step_or_is_passed_over(here):
    openstack = with_migration()
    module, _ = here(openstack, {"/usr/bin/true": {"retcode": 4, "stderr": "no\n"}})
    with pytest.raises(CommandExecutionError, match=r"^HOOK_FAILED: silence: exited with 4: no"):
        module.run("system", "before_apply")
    broken = {"local": {"file_|-x": {"result": False, "comment": "disk\nfull"}}}
    module, _ = here(openstack, {"salt-call": {"retcode": 2, "stdout": json.dumps(broken)}})
    said = module.run("system", "after_verify")["hooks"]["report"]
    assert said == "failed, and was passed over: sls site.report: disk full"


def test_a_migration_that_failed_is_still_due(here):
    module, _ = here(with_migration(), {"/usr/bin/mv": {"retcode": 1}})
    with pytest.raises(CommandExecutionError, match="HOOK_FAILED: move-cache"):
        module.run("system", "after_apply")
    assert [one["name"] for one in module.due()] == ["move-cache"]


def test_a_hook_of_other_nodes_is_left_out(here):
    module, commands = here(with_migration(), matches=False)
    assert module.run("system", "before_apply") == {"hooks": {"silence": "not for this node"}}
    assert commands.ran == []


def test_the_return_of_hooks_is_told_or_named():
    good = salt_returns.hooks_outcome("n", "j", {"hooks": {"a": "done"}})
    assert good.succeeded and good.message == "a: done"
    assert salt_returns.hooks_outcome("n", "j", "ERROR: HOOK_FAILED: a: b").reason == "HOOK_FAILED"
