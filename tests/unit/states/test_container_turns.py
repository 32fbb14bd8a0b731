"""container on controllers: a change waits for the node's turn, and what a cluster lacks afterwards leads."""

from __future__ import annotations

import pytest

from openstack_rollout.node.errors import NodeError

from .machine import Guard
from .test_container import GUARDED, HEALTH, NEW, OLD, at_old, state


def with_turns(machine, guard=None, refuses=False):
    module = state(machine, guard=guard)

    def take(why):
        if refuses:
            raise NodeError("NO_TURN", "ctl1 waited 3600 s for ctl2")
        machine.did.append(f"take the turn for {why}")
        return "job"

    module.__salt__ |= {
        "controller_turn.take": take,
        "controller_turn.give": lambda job: machine.did.append(f"give {job}"),
    }
    return module


def test_a_change_has_the_turn_from_before_it_stops_until_it_is_proven():
    machine = at_old()
    answer = with_turns(machine, Guard(machine)).running("nova", NEW, turn=True, **GUARDED)
    assert answer["result"] is True
    assert machine.did[:3] == [f"pull {NEW}", "take the turn for container nova", machine.did[2]]
    assert machine.did[2].startswith("leave nova") and machine.did[-2].startswith(f"prove {NEW}")
    assert machine.did[-1] == "give job"


@pytest.mark.parametrize("faults", [{"exits": [NEW]}, {"sick": [NEW]}])
def test_the_turn_is_given_back_also_after_a_failure(faults):
    machine = at_old(**faults)
    answer = with_turns(machine).running("nova", NEW, turn=True, health=HEALTH)
    assert answer["result"] is False and machine.did[-1] == "give job"


def test_without_its_turn_nothing_is_stopped():
    machine = at_old()
    answer = with_turns(machine, refuses=True).running("nova", NEW, turn=True, health=HEALTH)
    assert answer["result"] is False and answer["reason"] == "NO_TURN"
    assert machine.did == [f"pull {NEW}"] and machine.containers["nova"]["image"] == OLD


def test_a_container_that_did_not_run_disturbs_nobody():
    machine = at_old()
    machine.containers["nova"]["running"] = False
    assert with_turns(machine, refuses=True).running("nova", NEW, turn=True, health=HEALTH)["result"] is True


class Member(Guard):
    """The guard of a cluster's member that, once stopped, does not come back."""

    def after_start(self, container, token, timeout):
        raise NodeError("QUORUM_NOT_RESTORED", "ctl1 is not back: its database does not answer")


def test_what_a_cluster_lacks_leads_over_why_it_came_to_it():
    machine = at_old(exits=[NEW])
    answer = with_turns(machine, Member(machine)).running("nova", NEW, turn=True, **GUARDED)
    assert answer["reason"] == "QUORUM_NOT_RESTORED"
    assert answer["comment"].startswith("QUORUM_NOT_RESTORED: ctl1 is not back")
    assert "CONTAINER_EXITED" in answer["comment"] and "previous image of nova" in answer["comment"]


def test_a_guards_word_is_in_the_comment():
    machine = at_old()
    guard = Guard(machine)
    guard.after_start = lambda container, token, timeout: "ctl1 is synced again, one of 3 by IST"
    answer = with_turns(machine, guard).running("nova", NEW, turn=True, **GUARDED)
    assert answer["comment"].endswith("by IST")
    assert answer["changes"]["nova"]["said"].endswith("by IST")
