"""What the live page asks for, as Salt carries it: whole, or refused."""

from __future__ import annotations

import pytest
import salt.payload

from openstack_rollout.on_salt import wiring
from openstack_rollout.on_salt.refusal import Refusal
from tests.unit.loading import load
from tests.unit.simulated_fleet import Cloud, Master


@pytest.fixture
def live(tmp_path, monkeypatch):
    """rollout.live over a run that is done, on a master whose events have that size at most."""
    master = Master(Cloud(controller=1, compute=5), tmp_path)
    master.update()
    runner = load("runners", "rollout_live")
    monkeypatch.setattr(wiring, "journal", lambda opts: master.journal)
    monkeypatch.setattr(wiring, "lock", lambda opts: master.lock)

    def asked(most, **given):
        monkeypatch.setattr(wiring, "master_options", lambda opts: {"max_event_size": most})
        return runner.live(**given)

    return asked


def test_what_no_event_could_carry_whole_is_told_without_its_timeline(live):
    """Salt puts VALUE_TRIMMED in the place of values, without a word."""
    whole = live(1_048_576, parts="nodes,timeline")
    size = len(salt.payload.dumps(whole))
    assert whole["nodes"] and whole["timeline"]
    less = live(size, parts="nodes,timeline")
    assert less["nodes"] == whole["nodes"] and "timeline" not in less


def test_nodes_that_no_event_could_carry_are_refused_with_what_to_do(live):
    less = len(salt.payload.dumps(live(0, parts="nodes"))) + 900
    with pytest.raises(Refusal, match=r"LIMIT_REACHED: max_event_size.*etc/master\.large"):
        live(less, parts="nodes,timeline")
    assert live(less)["run"]["state"] == "completed"
    assert live(0, parts="nodes,timeline")["timeline"]  # no limit
