"""What is left after a run, in words."""

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
