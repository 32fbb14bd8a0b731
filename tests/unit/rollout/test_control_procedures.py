"""The procedures of the seeds, typed as docs/how-to/procedures.md has them: what moves, and what is seen."""

import pytest

from tests.unit.desk import Desk
from tests.unit.rollout import procedures
from tests.unit.rollout.test_limit import deployed
from tests.unit.simulated_fleet import Master

CTL, GTW = ["ctl1", "ctl2", "ctl3"], ["gtw1", "gtw2"]
CMP = ["cmp1", "cmp2", "cmp3", "cmp4"]
EVERYBODY = [*CTL, *GTW, *CMP]
DATA_PLANE = ("services", "ovs", "system")


def of(nodes, *stages):
    return {stage: nodes for stage in stages}


#: What each command of a procedure applies: stage → nodes, in their order.
MOVES = {
    "MCP": [
        {"ovn": EVERYBODY, "control_plane": CTL},
        of(["gtw1"], *DATA_PLANE),
        of(["gtw2"], *DATA_PLANE),
        of(CMP, *DATA_PLANE),
        of(CTL, "ovs", "system"),
        {},
    ],
    "TripleO": [
        {"ovn": EVERYBODY},
        *({"control_plane": [one]} for one in CTL),
        {"services": [*GTW, *CMP], "ovs": EVERYBODY, "system": EVERYBODY},
    ],
    "RHOSO": [
        {"ovn": EVERYBODY},
        {"control_plane": CTL},
        {},
        of(GTW, *DATA_PLANE),
        of(CMP[:2], *DATA_PLANE),
        of(CMP[2:], *DATA_PLANE),
        of(CTL, "ovs", "system"),
    ],
}


@pytest.mark.wording
@pytest.mark.parametrize("whose", MOVES)
def test_what_their_documents_tell_typed_here(whose, tmp_path, monkeypatch):
    master = Master(procedures.cloud(), tmp_path)
    desk, cloud = Desk(master, monkeypatch), master.cloud
    blocks = procedures.sections(procedures.PAGE.read_text())[whose]
    for block, moves in zip(blocks, MOVES[whose], strict=True):
        assert procedures.typed(desk, block) == block, (
            "PYTHONPATH=.:_utils python -m tests.unit.rollout.procedures"
        )
        found = {}
        for stage, node in cloud.applied:
            found.setdefault(stage, []).append(node)
        cloud.applied.clear()
        assert found == moves, block
    assert deployed(cloud, master)["deployed"] == "1.0.1"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("until=servics", "WRONG_ARGUMENT"),
        ("until=services:compue", "WRONG_ARGUMENT"),
        ("limit='gtw9'", "NO_NODES"),
        ("limit='gwt*'", "NO_NODES"),
        ("break='{before_apply: cmp9}'", "NO_NODES"),
        ("limit='gtw*' until=servics", "WRONG_ARGUMENT"),
    ],
)
def test_what_is_refused_of_a_resume_changes_nothing_of_the_run(wrong, reason, tmp_path, monkeypatch):
    master = Master(procedures.cloud(), tmp_path)
    desk = Desk(master, monkeypatch)
    desk.type("salt-run rollout.run until=ovn")
    before = master.run
    desk.type(f"salt-run rollout.resume {wrong}")
    assert desk.transcript[-1].startswith(f"{reason}: ") and master.run == before
    desk.type("salt-run rollout.resume until=services:gateway")
    assert desk.transcript[-1].startswith("GATED: ") and "gateway at services is done" in desk.transcript[-1]
