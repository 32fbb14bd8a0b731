"""What the witness of a run makes of its events."""

from datetime import UTC, datetime

from tests.lab.events import flights


def event(at, status, stage="ovn", step="apply", node="cmp1"):
    stamp = datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat()
    return {"_stamp": stamp, "node": node, "stage": stage, "round": "", "step": step, "status": status}


def test_a_node_is_in_flight_stage_by_stage_and_not_between_them():
    events = [
        event(50, "succeeded", "prefetch", "prefetch"),
        event(100, "started"),
        event(110, "succeeded", step="verify"),
        event(200, "waiting", step="gate", node="-"),
        event(500, "skipped", step="measure"),
        event(900, "started", "ovs"),
        event(910, "failed", "ovs"),
    ]
    assert flights(events) == {"cmp1": [(100.0, 110.0), (900.0, 910.0)]}
