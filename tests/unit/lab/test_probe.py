"""What the probe makes of the packets it saw: losses, gaps, and whom they are put down to."""

from datetime import UTC, datetime

from tests.lab.probe import Measurement

START = 1_000_000.0


def stream(count, lost=(), delayed=None, pauses=None):
    """Packets every 10 ms, answered after 1 ms; some lost, some answered late, some sent after a pause."""
    delayed, pauses, sent, found = delayed or {}, pauses or {}, START, []
    for number in range(count):
        sent += 0.01 + pauses.get(number, 0.0)
        answered = None if number in lost else sent + 0.001 + delayed.get(number, 0.0)
        found.append((number, sent, answered))
    return found


def measured(packets):
    return Measurement({"a to b": packets}, START, START + 1000)


def result(packets):
    return measured(packets).results()["a to b"]


def test_a_steady_stream_has_no_loss_and_one_interval_as_gap():
    found = result(stream(100))
    assert (found.sent, found.lost) == (100, 0)
    assert found.longest_gap_ms < 10.5


def test_lost_packets_make_a_gap():
    found = result(stream(100, lost=range(40, 60)))
    assert found.lost == 20
    assert round(found.longest_gap_ms) == 210
    assert round(found.gap_at, 3) == round(START + 0.4 + 0.001, 3)


def test_losses_at_the_end_are_a_gap_too():
    found = result(stream(100, lost=range(90, 100)))
    assert found.lost == 10 and found.longest_gap_ms > 90


def test_answers_that_were_held_up_are_a_gap_without_loss():
    found = result(stream(100, delayed={50: 0.3}))
    assert found.lost == 0 and round(found.longest_gap_ms) == 310


def test_a_sender_that_was_held_up_is_not_the_networks_gap():
    assert result(stream(100, pauses={50: 0.5})).longest_gap_ms < 10.5


def test_packets_outside_the_measured_time_do_not_count():
    assert measured(stream(100)).between(START + 0.195, START + 0.295).sent == 10


def test_losses_are_put_down_to_the_node_that_was_under_way():
    def event(seconds, node, step, status):
        stamp = datetime.fromtimestamp(START + seconds, UTC).replace(tzinfo=None).isoformat()
        return {"_stamp": stamp, "stage": "ovn", "node": node, "step": step, "status": status}

    events = [
        event(0.1, "cmp1", "apply", "started"),
        event(0.3, "cmp1", "apply", "succeeded"),
        event(0.3, "cmp1", "verify", "started"),
        event(0.4, "cmp1", "verify", "succeeded"),
        event(0.5, "cmp2", "apply", "started"),
        event(0.9, "cmp2", "apply", "failed"),
    ]
    steps = measured(stream(1000, lost=[*range(45, 48), *range(60, 70), *range(95, 98), 700])).by_step(events)
    assert {key: part.lost for key, part in steps.items()} == {("ovn", "cmp1"): 3, ("ovn", "cmp2"): 13}
