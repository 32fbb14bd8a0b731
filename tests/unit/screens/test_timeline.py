import itertools

import pytest

from openstack_rollout.screens import timeline
from openstack_rollout.screens.timeline import WIDTH, Scale
from tests.unit.screens.accounts import updated


def test_a_long_pause_is_cut_short_and_the_rest_is_even():
    scale = Scale(0.0, 40_000.0, [(1000.0, 39_000.0)])
    assert (scale.x(0.0), scale.x(40_000.0)) == (0.0, WIDTH)
    assert scale.x(39_000.0) - scale.x(1000.0) == pytest.approx(36.0, abs=0.2)
    assert scale.x(1000.0) == pytest.approx(WIDTH - scale.x(39_000.0), abs=0.2)


def test_a_short_pause_is_time_like_any_other():
    scale = Scale(0.0, 1000.0, [(500.0, 510.0)])
    assert scale.x(510.0) - scale.x(500.0) == pytest.approx(10.0, abs=0.2)


def test_very_many_pauses_leave_room_for_what_happened():
    pauses = [(float(at), at + 900.0) for at in range(100, 50_000, 1000)]
    scale = Scale(0.0, 51_000.0, pauses)
    places = [scale.x(float(at)) for at in range(0, 51_000, 50)]
    assert places == sorted(places) and places[-1] <= WIDTH


@pytest.mark.parametrize("length", [0.0, 3.0, 100.0, 3600.0, 30 * 3600.0, 30 * 86400.0])
def test_ticks_are_few_and_apart(length):
    ticks = list(Scale(1_000_000.0, 1_000_000.0 + length, []).ticks())
    assert len(ticks) <= 20 and all(x <= WIDTH - 18 for x, _ in ticks)
    assert all(after[0] - before[0] > 40 for before, after in itertools.pairwise(ticks))


@pytest.mark.parametrize(("computes", "small"), [(3, False), (60, False), (160, True)])
def test_every_bar_is_inside_and_every_node_has_its_row(tmp_path, computes, small):
    data = updated(tmp_path, controller=1, compute=computes)
    drawn = timeline.drawing(data)
    rows = [row for group in drawn["groups"] for row in group["rows"]]
    assert {row["node"] for row in rows} == set(data["nodes"]) and drawn["small"] is small
    for row in rows:
        assert row["bars"]
        for bar in row["bars"]:
            assert bar.x >= 0 and bar.x + bar.width <= WIDTH + 5 and bar.width > 0
            assert row["y"] <= bar.y and bar.y + bar.height <= row["y"] + row["height"] + 0.2
    assert any(bar.kind == "failed" for row in rows for bar in row["bars"])
    assert [bar.kind for bar in drawn["stages"]][:2] == ["prefetch", "prefetch"], "before and after the pause"
