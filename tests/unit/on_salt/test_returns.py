import pytest

from openstack_rollout.on_salt.returns import changes_of, facts_result, hooks_result, read_call, state_result


def state(number, result, comment="", **more):
    return {
        "__run_num__": number,
        "__id__": f"state {number}",
        "result": result,
        "comment": comment,
        "changes": {},
        **more,
    }


def test_every_state_succeeded():
    assert state_result("cmp1", "1", {"a": state(0, True), "b": state(1, True)}).succeeded


def test_what_a_guard_says_is_told():
    by_sst = {"mariadb": {"old": "1", "new": "2", "said": "ctl1 is synced again, by SST"}}
    answer = {"a": state(0, True, changes={"pkg": "1.0"}), "b": state(1, True, changes=by_sst)}
    assert state_result("ctl1", "1", answer).message == "ctl1 is synced again, by SST"


def test_what_a_state_warns_of_is_told_though_it_changed_nothing():
    answer = {"a": state(0, True), "b": state(1, True, warnings=["api: there is no way back for lib"])}
    assert state_result("ctl1", "1", answer).message == "api: there is no way back for lib"


def test_the_first_cause_is_told_not_its_consequences():
    answer = {
        "b": state(1, False, "One or more requisite failed: ovn.a") | {"__state_ran__": False},
        "a": state(2, False, "IMAGE_PULL_FAILED: reg/ovn: connection refused", reason="IMAGE_PULL_FAILED"),
    }
    outcome = state_result("cmp1", "1", answer)
    assert (outcome.succeeded, outcome.reason) == (False, "IMAGE_PULL_FAILED")
    assert outcome.message == "reg/ovn: connection refused"


@pytest.mark.parametrize("more", [{}, {"reason": ""}, {"reason": "OF_A_LATER_RELEASE"}, {"reason": ["x"]}])
def test_a_word_in_a_comment_is_no_reason(more):
    answer = {"a": state(0, False, "a script says IMAGE_MISSING: and means nothing", **more)}
    outcome = state_result("cmp1", "1", answer)
    assert outcome.reason == "APPLY_FAILED" and outcome.message.startswith("state 0: a script says")


def test_a_state_without_a_named_reason_is_named_by_its_id():
    outcome = state_result("cmp1", "1", {"a": state(0, False, "could not do it")})
    assert outcome.reason == "APPLY_FAILED" and outcome.message == "state 0: could not do it"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (["Rendering SLS 'base:openstack.ovn' failed: oops"], "Rendering SLS"),
        (['The function "state.sls" is running as PID 1'], "is running as PID 1"),
        ("'state.sls' is not available.", "is not available"),
        ({}, "{}"),
        (None, "None"),
        ("Traceback (most recent call last):\n  File x\nKeyError: 'nova'", "KeyError: 'nova'"),
        ({"a": "not a state"}, "not a state"),
    ],
)
def test_anything_else_is_a_failure(answer, told):
    outcome = state_result("cmp1", "1", answer)
    assert not outcome.succeeded and outcome.reason == "APPLY_FAILED" and told in outcome.message


def test_facts():
    assert facts_result("cmp1", "1", {"value": {"of": "any schema"}}).data == {"of": "any schema"}
    told = {"reason": "INVALID_PILLAR", "message": "openstack:roles: names no role"}
    refused = facts_result("cmp1", "1", told)
    assert (refused.succeeded, refused.reason, refused.message) == (False, *told.values())
    unnamed = facts_result("cmp1", "1", {"reason": "", "message": "INVALID_PILLAR: in the middle of a text"})
    assert unnamed.reason == "NODE_ERROR"


@pytest.mark.parametrize("value", [None, [], "stages"])
def test_facts_that_are_none_are_told(value):
    outcome = facts_result("cmp1", "1", {"value": value})
    assert not outcome.succeeded and outcome.reason == "FACTS_INVALID" and repr(value) in outcome.message


def test_hooks():
    done = hooks_result("cmp1", "1", {"value": {"hooks": {"backup": "done", "mail": "not for this node"}}})
    assert done.succeeded and done.message == "backup: done; mail: not for this node"
    failed = hooks_result("cmp1", "1", {"reason": "HOOK_FAILED", "message": "backup: exited with 1"})
    assert (failed.succeeded, failed.reason, failed.message) == (
        False,
        "HOOK_FAILED",
        "backup: exited with 1",
    )
    assert hooks_result("cmp1", "1", "The minion is away").reason == "HOOK_FAILED"


def test_a_failure_without_a_word_is_one():
    assert read_call("cmp1", {"reason": "NODE_ERROR", "message": ""}).message
    assert read_call("cmp1", {"reason": "OF_A_LATER_RELEASE", "message": "x"}).reason == ""


def test_changes_of_a_dry_run():
    answer = {"a": state(1, None, "would change"), "b": state(0, True), "c": state(2, False, "no podman")}
    assert [(change["state"], change["fails"]) for change in changes_of(answer)] == [
        ("state 1", False),
        ("state 2", True),
    ]
    unrendered = {"state": "", "comment": "Rendering failed", "changes": {}, "fails": True}
    assert changes_of(["Rendering failed"]) == [unrendered]


def test_of_a_failed_rendering_the_cause_is_told_without_the_template():
    told = (
        "Rendering SLS 'base:openstack.services' failed: Problem running salt function in Jinja template: "
        "TARGET_CHANGED: openstack:target_version is now 1.0.2, the run is for 1.0.1; line 3"
    )
    error = f"{told}\n\n---\n# A data plane node's\n{{%- set node = salt[...] %}}    <=====\n---"
    outcome = state_result("cmp1", "1", [error])
    assert (outcome.reason, outcome.message) == ("APPLY_FAILED", told)


def test_a_node_without_our_modules_is_told_how_to_get_them():
    outcome = facts_result("cmp1", "1", "'rollout_call.run' is not available.")
    assert outcome.reason == "NODE_ERROR"
    assert outcome.message.endswith("is not available: salt 'cmp1' saltutil.sync_all brings it.")


@pytest.mark.parametrize(
    ("said", "passes", "seconds"),
    [
        ({"reason": "PACKAGE_LOCKED"}, True, 0),  # of a node of an older version
        ({"reason": "PACKAGE_LOCKED", "transient": False}, False, 0),
        ({"reason": "PACKAGE_FAILED"}, False, 0),
        ({"reason": "REGISTRY_RATE_LIMIT", "retry_after": 30}, True, 30),
        ({"reason": "REGISTRY_RATE_LIMIT", "transient": "yes", "retry_after": "soon"}, True, 0),
        ({"reason": "REGISTRY_RATE_LIMIT", "retry_after": float("nan")}, True, 0),
        ({"reason": "REGISTRY_RATE_LIMIT", "retry_after": -5}, True, 0),
        ({"reason": "REGISTRY_RATE_LIMIT", "retry_after": float("inf")}, True, 0),
        ({"reason": ""}, False, 0),
    ],
)
def test_whether_a_failure_passes_is_a_field_of_it(said, passes, seconds):
    of_call = facts_result("cmp1", "1", {"message": "REGISTRY_UNREACHABLE: a text", **said})
    of_state = state_result("cmp1", "1", {"a": {**state(0, False, "PACKAGE_LOCKED: a text"), **said}})
    for outcome in (of_call, of_state):
        assert (outcome.passes, outcome.retry_after) == (passes, seconds) and not outcome.waited


@pytest.mark.parametrize(
    ("said", "waited"), [({"waited": True}, True), ({"waited": "yes"}, False), ({}, False)]
)
def test_whether_a_failure_was_waited_for_is_a_field_of_it(said, waited):
    of_call = facts_result("cmp1", "1", {"message": "a text", "reason": "REGISTRY_UNREACHABLE", **said})
    failed = {**state(0, False, "a text"), "reason": "REGISTRY_UNREACHABLE", **said}
    assert [one.waited for one in (of_call, state_result("cmp1", "1", {"a": failed}))] == [waited] * 2
