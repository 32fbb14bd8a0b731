"""Hooks and migrations among the steps of a stage."""

from openstack_rollout.declared import hooks, reading
from tests.unit.cloud_pillar import NEW, OLD
from tests.unit.declared.pillars import changed

HOOK = {"name": "one", "command": ["/bin/true"]}
STEPS = ("drain", "apply", "verify")


def model(path, value):
    found, read = reading.reasons(changed(path, value))
    assert found == []
    return read


def test_hooks_are_steps_of_their_own():
    read = model(
        "hooks", {"system": {"before_drain": [HOOK], "after_verify": [HOOK], "before_reboot": [HOOK]}}
    )
    assert hooks.steps(read, "system", STEPS, NEW) == (
        "before_drain",
        "drain",
        "apply",
        "verify",
        "after_verify",
    )
    assert hooks.steps(read, "ovs", STEPS, NEW) == STEPS
    assert [one.name for one in hooks.of(read, "system", "before_drain")] == ["one"]
    assert hooks.of(read, "system", "after_drain") == [] and hooks.of(read, "ovs", "before_drain") == []


def test_migrations_follow_the_update_of_their_stage():
    read = model(
        f"releases/{NEW}/migrations", [HOOK | {"stage": "services"}, HOOK | {"stage": "ovn", "name": "two"}]
    )
    assert hooks.steps(read, "services", STEPS, NEW) == ("drain", "apply", "after_apply", "verify")
    assert hooks.steps(read, "system", STEPS, NEW) == STEPS
    assert hooks.steps(read, "services", STEPS, OLD) == STEPS
    assert hooks.steps(read, "services", STEPS, "") == STEPS
    assert [one.name for one in hooks.migrations(read, NEW)] == ["one", "two"]
    assert [one.name for one in hooks.migrations(read, NEW, "ovn")] == ["two"]
    assert hooks.migrations(read, "") == [] and hooks.migrations(read, "9") == []


def test_defaults():
    (hook,) = hooks.of(model("hooks", {"system": {"before_apply": [HOOK]}}), "system", "before_apply")
    assert (hook.timeout, hook.on_failure, hook.nodes, hook.sls) == (300, "fail", "*", None)


def test_moments():
    assert hooks.is_moment("before_apply") and hooks.is_moment(hooks.MIGRATION)
    assert not hooks.is_moment("apply") and not hooks.is_moment("before_prefetch")
    assert len(hooks.MOMENTS) == 10
