"""guarding: the record of a change, and the waits at both ends of it."""

from __future__ import annotations

import pytest

from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.guarding import Look, Steps
from tests.unit.modules.guards import clock


def test_a_record_outlives_its_guard_until_the_change_ends(tmp_path):
    Steps(tmp_path).begin("mariadb", {"member": "ctl1"})
    later = Steps(tmp_path)
    assert later.pending("mariadb") == {"member": "ctl1"} == later.token("mariadb", None)
    assert later.token("mariadb", {"member": "ctl2"}) == {"member": "ctl2"}
    later.end("mariadb")
    later.end("mariadb")
    assert later.pending("mariadb") is None and later.token("mariadb", None) == {}


def test_a_record_that_cannot_be_read_or_written_is_an_error_with_a_reason(tmp_path):
    (tmp_path / "mariadb.json").write_text("{")
    with pytest.raises(NodeError, match=r"^NODE_ERROR: .*mariadb\.json"):
        Steps(tmp_path).pending("mariadb")
    with pytest.raises(NodeError, match=r"^NODE_ERROR: "):
        Steps(tmp_path / "mariadb.json").begin("x", {})


def test_what_a_cluster_lacks_is_said_at_both_ends(tmp_path):
    steps = Steps(tmp_path, clock())
    with pytest.raises(NodeError) as refused:
        steps.spare("mariadb", lambda: Look(None, ["ctl2 is away", "ctl3 is away"], "ctl1"), 3)
    assert refused.value.reason == "QUORUM_AT_RISK"
    assert refused.value.text == (
        "mariadb of ctl1 is not stopped, its cluster cannot spare it: ctl2 is away; ctl3 is away"
    )
    steps.begin("mariadb", {"member": "ctl1"})
    with pytest.raises(NodeError) as late:
        steps.back("mariadb", lambda: Look(None, ["it is Joining"], "ctl1"), 3)
    assert late.value.reason == "QUORUM_NOT_RESTORED"
    assert late.value.text == "mariadb: member ctl1 is not back after 3 s: it is Joining"
    assert steps.pending("mariadb") == {"member": "ctl1"}


def test_a_look_may_have_a_word_of_its_own_for_what_is_missing(tmp_path):
    steps = Steps(tmp_path, clock())
    look = Look(None, ["ctl2 copies"], "ctl1", "COPY_UNDER_WAY")
    with pytest.raises(NodeError) as refused:
        steps.spare("mariadb", lambda: look, 3)
    with pytest.raises(NodeError) as late:
        steps.back("mariadb", lambda: look, 3)
    assert refused.value.reason == late.value.reason == "COPY_UNDER_WAY"


def test_a_member_that_is_back_while_others_are_away_is_left(tmp_path):
    steps = Steps(tmp_path, clock())
    with pytest.raises(NodeError) as away:
        steps.back("mariadb", lambda: Look("own", ["it sees 2 of 3 members"], "ctl3", others=True), 3)
    assert away.value.reason == "MEMBERS_AWAY" and "ctl3 is back" in away.value.text


def test_a_member_that_moves_is_waited_for_and_one_that_copies_is_named(tmp_path):
    steps = Steps(tmp_path, clock())
    looks = iter([Look(None, ["it is Joining"])] * 15 + [Look("back")])
    marks = iter(range(100))
    moving = lambda: {"what": "it is fed", "mark": next(marks), "copies": True}  # noqa: E731
    assert steps.back("mariadb", lambda: next(looks), 4, progress=moving) == "back"
    still = {"what": "it is fed", "mark": 7, "copies": True}
    with pytest.raises(NodeError) as stalled:
        steps.back("mariadb", lambda: Look(None, ["it is Joining"]), 4, progress=lambda: still)
    assert stalled.value.reason == "COPY_STALLED" and "it is fed" in stalled.value.text
    with pytest.raises(NodeError) as broken:
        steps.back("mariadb", lambda: Look(None, ["away"]), 4, progress=lambda: still | {"copies": False})
    assert broken.value.reason == "QUORUM_NOT_RESTORED"


def test_a_cluster_that_becomes_whole_in_time_gives_what_was_found(tmp_path):
    steps = Steps(tmp_path, clock())
    looks = iter([Look("early", ["ctl2 is away"]), Look("whole")])
    assert steps.spare("mariadb", lambda: next(looks), 5) == "whole"
    steps.begin("mariadb", {"member": "ctl1"})
    assert steps.back("mariadb", lambda: Look("back"), 3) == "back"
    assert steps.pending("mariadb") is None


def test_the_last_look_counts(tmp_path):
    looks = iter([Look(1, ["a"]), Look(2, ["a", "b"]), Look(3, ["b"])])
    assert Steps(tmp_path, clock()).whole(lambda: next(looks), 2) == Look(2, ["a", "b"])
