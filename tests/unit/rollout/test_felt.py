"""Gaps of guests, put down to the step that caused them by the times of the journal."""

from __future__ import annotations

import pytest

from openstack_rollout.records.audits import Audits, Gap, Guest, Probed
from openstack_rollout.records.run_record import NodeRecord, NodeState, Step
from openstack_rollout.rollout import felt
from openstack_rollout.rollout.felt import Taken
from tests.unit.simulated_fleet import MemoryStore

RUN = "20261130-120000-abcd"


def taken(node, step, begun, ended, stage="ovs"):
    return Taken(node, stage, "", step, begun, ended)


STEPS = [
    taken("gtw1", "drain", 100, 110),
    taken("gtw1", "apply", 110, 130),
    taken("gtw1", "verify", 130, 135),
    taken("cmp1", "apply", 140, 150),
    taken("cmp2", "apply", 140, 160),
    taken("cmp3", "verify", 140, 160),
    taken("ctl1", "apply", 300, None),
]


@pytest.mark.parametrize(
    ("gap", "wanted"),
    [
        (Gap(115, 120), ["gtw1 apply"]),
        (Gap(105, 125), ["gtw1 drain"]),  # that it lasted is no other step's doing
        (Gap(112, 120), ["gtw1 apply"]),
        (Gap(110.5, 120), ["gtw1 drain", "gtw1 apply"]),  # it began between two probes
        (Gap(132, 133), ["gtw1 verify"]),  # where no other can be
        (Gap(138, 139), ["gtw1 verify"]),  # just afterwards
        (Gap(145, 146), ["cmp1 apply", "cmp2 apply"]),
        (Gap(145, 146, host="cmp2.example"), ["cmp2 apply"]),
        (Gap(145, 146, host="cmp9"), ["cmp1 apply", "cmp2 apply"]),
        (Gap(155, 156), ["cmp2 apply"]),
        (Gap(200, 210), []),
        (Gap(50, 105), ["gtw1 drain"]),  # it began before any step: what began in it
        (Gap(310, None), ["ctl1 apply"]),
    ],
)
def test_the_step_that_was_under_way_when_it_began(gap, wanted):
    assert [f"{one.node} {one.step}" for one in felt.causes(gap, STEPS, apart=1.0)] == wanted


@pytest.fixture
def audits():
    found = Audits(MemoryStore())
    found.save_probed(RUN, Probed("", "ping", 1.0, [(1000.0, 1100.0), (1200.0, 1300.0)]))
    return found


RECORDS = {
    "cmp1": NodeRecord(
        "compute",
        history=[Step("ovs", "apply", 1010, 1020, "done"), Step("system", "apply", 1015, 1015, "skipped")],
    ),
    "cmp2": NodeRecord("compute", stage="system", step="reboot", state=NodeState.IN_FLIGHT, started=1250),
}


def told(audits, begun=1000.0, latest=1300.0):
    return felt.of(audits, RUN, RECORDS, begun, latest)


def test_a_run_in_which_nobody_probed_tells_nothing():
    assert felt.of(Audits(MemoryStore()), RUN, RECORDS, 0.0, 1.0) is None


def test_the_time_between_stretches_is_unknown(audits):
    assert told(audits, 990.0, 1310.0)["unknown"] == [
        {"from": 990.0, "to": 1000.0},
        {"from": 1100.0, "to": 1200.0},
        {"from": 1300.0, "to": 1310.0},
    ]
    assert told(audits)["unknown"] == [{"from": 1100.0, "to": 1200.0}]


def test_a_run_whose_guests_nobody_could_probe_is_unknown_as_a_whole(audits):
    audits.save_probed(RUN, Probed("", "ping", 1.0, [], "no ping"))
    found = told(audits)
    assert found["unknown"] == [{"from": 1000.0, "to": 1300.0}] and found["problem"] == "no ping"


def test_a_guest_with_its_gaps(audits):
    gaps = [Gap(1012.0, 1014.5, 3), Gap(1260.0, None, 1), Gap(1090.0, 1100.0, 10, cut_after=True)]
    guests = {
        "g0001": Guest("web", "id-1", "cmp1", "203.0.113.7", 300, 250, gaps),
        "g0002": Guest("web", problem="compute API is down"),  # before it was known
        "g0003": Guest("db", problem="no server is called db"),
        "g0004": Guest(address="203.0.113.9", sent=300, answered=300),
    }
    audits.save_guests(RUN, guests)
    web, *others = told(audits)["guests"]
    assert [(one["server"], one["address"]) for one in others] == [("", "203.0.113.9"), ("db", "")]
    assert (web["seconds"], web["longest"]) == (2.5 + 40 + 10, 40.0)
    first, lasting, cut = web["gaps"]
    assert first["causes"] == [{"node": "cmp1", "stage": "ovs", "round": "", "step": "apply"}]
    assert not first["cut"] and not first["lasts"] and cut["cut"]
    assert lasting["lasts"] and (lasting["to"], lasting["causes"][0]["step"]) == (1300.0, "reboot")
