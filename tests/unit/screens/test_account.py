"""The account of a run in words: its verdict, what is left."""

import pytest

from openstack_rollout.screens import account


@pytest.mark.wording
@pytest.mark.parametrize(
    ("have", "want", "said"),
    [
        ("3.4.0", "3.5.0", "3.4.0 runs, 3.5.0 is installed"),
        ("3.4.0", "3.4.0", "its programs were replaced on disk"),
        ("", "3.4.0", "what runs does not tell its version, 3.4.0 is installed"),
    ],
)
def test_a_stale_switch_is_told_with_what_to_do(have, want, said):
    one = {"node": "cmp1", "kind": "switch_stale", "subject": "", "have": have, "want": want}
    run = {"open_ends": {}, "left_out": [], "gone": {}}
    ((line, nodes),) = account.left({"left": [one, {**one, "node": "cmp2"}], "run": run})
    assert said in line and "openstack:ovs:reload" in line and nodes == ["cmp1", "cmp2"]


def node(state, *stages, quarantined=False):
    steps = [{"stage": stage, "step": "apply", "started": 1.0, "finished": 2.0} for stage in stages]
    return {"state": state, "quarantined": quarantined, "steps": steps}


@pytest.mark.wording
def test_a_node_that_is_done_with_a_stage_is_not_done_with_a_run_that_is_not_over():
    nodes = {
        "ctl1": node("done", "prefetch", "ovn"),
        "cmp1": node("done", "prefetch"),
        "cmp2": node("done", "prefetch"),
        "cmp3": node("failed", "prefetch", "ovn"),
        "cmp4": node("waiting", "prefetch"),
    }
    run = {"state": "paused", "remedy": ""}
    line = account.verdict(run, nodes)["line"]
    assert line == "5 nodes: 2 done (prefetch), 1 done (ovn), 1 failed, 1 waiting"
    assert account.verdict({**run, "state": "incomplete"}, nodes)["line"].startswith("5 nodes: 3 done, ")


@pytest.mark.wording
def test_a_run_without_a_process_has_not_ended():
    run = {
        **{"pauses": [], "target": "1.0.1", "rollback": "", "undone": [], "created": 1.0, "ended": 2.0},
        **{
            "latest": 2.0,
            "seconds": 1.0,
            "expected": None,
            "begun": [],
            "limit": "",
            "until": "",
            "id": "r1",
        },
        **{"verified": "", "orchestration": "orch.update", "id": "r1"},
    }
    names = [name for name, _ in account.facts({"run": {**run, "state": "interrupted"}})]
    assert "Interrupted at" in names and "Ended" not in names


def test_a_pause_that_lasts_has_no_length_yet():
    over = {"from": 10.0, "to": 70.0, "state": "paused", "reason": "GATED", "message": ""}
    told = account.pauses({"pauses": [over, {**over, "from": 90.0, "to": None}], "latest": 90.0})
    assert [one["took"] for one in told] == ["1 min 0 s", ""]
