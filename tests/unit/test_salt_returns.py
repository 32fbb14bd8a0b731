import pytest

from openstack_rollout.salt_returns import changes_of, facts_outcome, state_outcome


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
    assert state_outcome("cmp1", "1", {"a": state(0, True), "b": state(1, True)}).succeeded


def test_what_a_guard_says_is_told():
    by_sst = {"mariadb": {"old": "1", "new": "2", "said": "ctl1 is synced again, by SST"}}
    answer = {"a": state(0, True, changes={"pkg": "1.0"}), "b": state(1, True, changes=by_sst)}
    assert state_outcome("ctl1", "1", answer).message == "ctl1 is synced again, by SST"


def test_the_first_cause_is_told_not_its_consequences():
    answer = {
        "b": state(1, False, "One or more requisite failed: ovn.a"),
        "a": state(2, False, "IMAGE_PULL_FAILED: registry.example/ovn: connection refused"),
    }
    outcome = state_outcome("cmp1", "1", answer)
    assert (outcome.succeeded, outcome.reason) == (False, "IMAGE_PULL_FAILED")
    assert "connection refused" in outcome.message


def test_a_state_without_a_named_reason_is_named_by_its_id():
    outcome = state_outcome("cmp1", "1", {"a": state(0, False, "could not do it")})
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
    outcome = state_outcome("cmp1", "1", answer)
    assert not outcome.succeeded and outcome.reason == "APPLY_FAILED" and told in outcome.message


def test_facts():
    assert facts_outcome("cmp1", "1", {"stages": {}}).data == {"stages": {}}
    refused = facts_outcome("cmp1", "1", "ERROR: INVALID_PILLAR: openstack:roles: names no role")
    assert refused.reason == "INVALID_PILLAR" and not refused.succeeded
    assert facts_outcome("cmp1", "1", "'openstack_node.facts' is not available.").reason == "NODE_ERROR"


def test_changes_of_a_dry_run():
    answer = {"a": state(1, None, "would change"), "b": state(0, True), "c": state(2, False, "no podman")}
    assert [(change["state"], change["fails"]) for change in changes_of(answer)] == [
        ("state 1", False),
        ("state 2", True),
    ]
    unrendered = {"state": "", "comment": "Rendering failed", "changes": {}, "fails": True}
    assert changes_of(["Rendering failed"]) == [unrendered]


def test_of_a_failed_rendering_the_cause_is_told_without_the_template():
    told = "TARGET_CHANGED: openstack:target_version is now 1.0.2, the run is for 1.0.1"
    error = (
        "Rendering SLS 'base:openstack.services' failed: Problem running salt function in Jinja template: "
        f"{told}; line 3\n\n---\n# A data plane node's\n{{%- set node = salt[...] %}}    <=====\n---"
    )
    outcome = state_outcome("cmp1", "1", [error])
    assert (outcome.reason, outcome.message) == ("TARGET_CHANGED", told)


def test_a_node_without_our_modules_is_told_how_to_get_them():
    outcome = facts_outcome("cmp1", "1", "'openstack_node.facts' is not available.")
    assert outcome.message.endswith("is not available: salt 'cmp1' saltutil.sync_all brings it.")
