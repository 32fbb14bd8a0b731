"""The benchmark of the engine: it measures a small cloud."""

from pathlib import Path

from tests.bench import engine

CHECKOUT = Path(__file__).resolve().parents[3]


def test_a_cloud_is_measured():
    found = engine.measured(CHECKOUT, 20)
    assert found["nodes"] == 20 and found["events"] > 20
    assert all(found[name] > 0 for name in engine.SHOWN)
