"""The benchmark of the engine: it measures a small cloud, and compares size by size."""

from pathlib import Path

from tests.bench import engine

CHECKOUT = Path(__file__).resolve().parents[3]


def test_a_cloud_is_measured():
    found = engine.measured(CHECKOUT, 20)
    assert found["nodes"] == 20 and found["events"] > 20
    assert all(found[name] > 0 for name in engine.SHOWN)


def test_figures_are_compared_size_by_size():
    now = [{"nodes": nodes, **dict.fromkeys(engine.SHOWN, 1.0)} for nodes in (100, 1000)]
    before = [{"nodes": 100, **dict.fromkeys(engine.SHOWN, 4.0), "plan_cpu_s": 0.0}]
    found = engine.ratios(before, now)
    assert found == [{"nodes": 100, **{name: 0.25 for name in engine.SHOWN if name != "plan_cpu_s"}}]
    assert "1 (0.25)" in engine.table(now, found)
