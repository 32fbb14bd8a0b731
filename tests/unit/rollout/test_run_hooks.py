"""Hooks: where they stand among the steps, which of them a node gets, and how it runs them."""

from __future__ import annotations

import json

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.declared import hooks, share
from openstack_rollout.declared.comparison import Comparison
from openstack_rollout.declared.differences import Difference, Kind
from openstack_rollout.declared.facts import read
from openstack_rollout.node import fresh_pillar
from openstack_rollout.on_salt import returns
from tests.unit.cloud_pillar import NEW, OLD, facts_at, model, node, valid
from tests.unit.loading import Commands, load
from tests.unit.simulated_fleet import Cloud, Master

HOOKS = {
    "system": {
        "before_apply": [{"name": "silence", "command": ["/usr/bin/true"]}],
        "after_verify": [{"name": "report", "sls": "site.report", "timeout": 60, "on_failure": "go_on"}],
    }
}
MIGRATION = {"name": "move-cache", "stage": "system", "command": ["/usr/bin/mv", "a", "b"]}
COMPUTE = node("compute")


def with_migration(**keys):
    openstack = {**valid(), "hooks": HOOKS}
    openstack["releases"][NEW]["migrations"] = [{**MIGRATION, **keys}]
    return openstack


def test_hooks_stand_among_the_steps_of_their_stage_alone():
    names, declared = ("drain", "apply", "verify", "restore"), model(with_migration())
    assert hooks.steps(declared, "system", names, NEW) == (
        "drain", "before_apply", "apply", "after_apply", "verify", "after_verify", "restore",
    )  # fmt: skip
    assert hooks.steps(declared, "ovs", names, NEW) == names
    assert "after_apply" not in hooks.steps(declared, "system", names, OLD)


def test_the_engine_takes_a_node_through_them(tmp_path):
    cloud = Cloud(compute=1)
    cloud.openstack["hooks"] = HOOKS
    Master(cloud, tmp_path).update()
    done = [d["step"] for _, d in cloud.events if (d["stage"], d["status"]) == ("system", "succeeded")]
    assert [step for step in done if step != "stage"] == ["before_apply", "apply", "verify", "after_verify"]


def test_a_migration_keeps_its_stage_open_until_it_is_done():
    openstack = with_migration()
    due = [{"name": "move-cache", "stage": "system"}]

    def system(**told):
        facts = read("node1", facts_at(openstack, NEW, COMPUTE, **told))
        return Comparison(model(openstack)).compare(facts, COMPUTE.roles, None).stages["system"]

    assert system(migrations=due) == [Difference("system", Kind.MIGRATION, "move-cache")]
    assert system() == []
    elsewhere = [{"name": "move-cache", "stage": "control_plane"}]  # a stage that the node does not have
    assert system(migrations=elsewhere) == []


def test_a_share_has_the_hooks_that_are_for_its_node_whole():
    openstack = with_migration(nodes="ctl*")
    openstack["hooks"] = {
        "system": {
            "before_apply": [
                *HOOKS["system"]["before_apply"],
                {"name": "not-here", "sls": "x", "nodes": "ctl*"},
            ]
        }
    }
    own = share.share(model(openstack), COMPUTE, lambda target: target == "*")
    silence = {
        "name": "silence", "command": ["/usr/bin/true"], "timeout": 300, "on_failure": "fail", "nodes": "*",
        "show_output": False,
    }  # fmt: skip
    assert own["hooks"] == {"system": {"before_apply": [silence]}} and own["migrations"] == []
    everything = share.share(model(openstack), COMPUTE)
    assert [one["name"] for one in everything["hooks"]["system"]["before_apply"]] == ["silence", "not-here"]
    assert [one["id"] for one in everything["migrations"]] == [f"{NEW} move-cache"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The module on a node whose own copy of its share is from before there were hooks."""

    def make(openstack, answers=None, matches=True):
        commands = Commands(answers or {})
        opts = {"conf_file": "/etc/salt/minion"}
        old = {"openstack_node": share.share(model(), COMPUTE)}
        module = load("modules", "rollout_hooks", salt={"cmd.run_all": commands}, opts=opts, pillar=old)
        new = share.share(model(openstack), COMPUTE, lambda target: matches)
        monkeypatch.setattr(fresh_pillar, "fresh", lambda opts, grains: {"openstack_node": new})
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


def test_a_migration_of_another_stage_waits_for_it(here):
    module, commands = here(with_migration())
    assert module.run("ovs", "after_apply") == {"hooks": {}} and commands.ran == []
    assert [one["name"] for one in module.due()] == ["move-cache"]


def test_a_failure_ends_the_step_or_is_passed_over(here):
    openstack = with_migration()
    for moment in ("before_apply", "after_verify"):
        openstack["hooks"]["system"][moment][0]["show_output"] = True
    module, _ = here(openstack, {"/usr/bin/true": {"retcode": 4, "stderr": "no\n"}})
    with pytest.raises(CommandExecutionError, match=r"^HOOK_FAILED: silence: exited with 4: no"):
        module.run("system", "before_apply")
    module, _ = here(openstack, {"/usr/bin/true": {"retcode": 4}})
    with pytest.raises(CommandExecutionError, match=r"^HOOK_FAILED: silence: exited with 4$"):
        module.run("system", "before_apply")
    broken = {"local": {"file_|-x": {"result": False, "comment": "disk\nfull"}}}
    module, _ = here(openstack, {"salt-call": {"retcode": 2, "stdout": json.dumps(broken)}})
    said = module.run("system", "after_verify")["hooks"]["report"]
    assert said == "failed, and was passed over: sls site.report: 1 of 1 states failed: disk full"


def test_a_migration_that_failed_is_still_due(here):
    module, _ = here(with_migration(), {"/usr/bin/mv": {"retcode": 1}})
    with pytest.raises(CommandExecutionError, match="HOOK_FAILED: move-cache"):
        module.run("system", "after_apply")
    assert [one["name"] for one in module.due()] == ["move-cache"]


def test_a_hook_of_other_nodes_is_left_out(here):
    module, commands = here(with_migration(), matches=False)
    assert module.run("system", "before_apply") == {"hooks": {}}
    assert commands.ran == []


def test_the_return_of_hooks_is_told_or_named():
    good = returns.hooks_result("n", "j", {"value": {"hooks": {"a": "done"}}})
    assert good.succeeded and good.message == "a: done"
    bad = returns.hooks_result("n", "j", {"reason": "HOOK_FAILED", "message": "a: b"})
    assert (bad.succeeded, bad.reason, bad.message) == (False, "HOOK_FAILED", "a: b")
    assert returns.hooks_result("n", "j", "ERROR: HOOK_FAILED: a: b").reason == "HOOK_FAILED"
