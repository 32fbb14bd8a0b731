"""What the benchmark makes of a run: each phase gets the packets that were sent in its own windows."""

import contextlib
from types import SimpleNamespace

from tests.lab.bench_network import Bench, Phase, plot, summary, table
from tests.lab.enclosure import LabError
from tests.lab.probe import Measurement

START = 1_000_000.0


def traffic():
    """A pair over 6 s; 30 packets are lost from the second second on."""
    times = [START + number / 100 for number in range(600)]
    packets = [(n, at, None if 100 <= n < 130 else at + 0.001) for n, at in enumerate(times)]
    return Measurement({"a to b": packets}, START, START + 6)


def phases():
    plain = {"cmp1": (START + 0.5, START + 2), "cmp2": (START + 2, START + 2.995)}
    return [
        Phase("ovn", "systemctl restart", plain),
        Phase("ovn", "openstack-rollout", {"cmp1": (START + 3, START + 4.995)}),
    ]


def test_losses_are_put_down_to_the_phase_and_the_node_they_fell_in():
    plain, ours = summary(phases(), traffic())
    assert (plain["lost"], ours["lost"]) == (30, 0)
    assert plain["nodes"]["cmp1"]["lost"] == 30 and plain["nodes"]["cmp2"]["lost"] == 0
    assert round(plain["longest_gap_ms"]) == 310 and ours["longest_gap_ms"] < 11
    assert ours["sent"] == 200
    text = table([plain, ours])
    assert "systemctl restart" in text and "310 ms" in text


def test_what_flows_take_is_told_where_a_phase_is_about_them():
    many = Phase("ovn", "100,000 flows: openstack-rollout with a name that is longer than its column", {
        "cmp1": (START + 3, START + 4.995)}, {"cmp1": (101_234, 9876), "cmp2": (50, None)})  # fmt: skip
    plain, row = summary([phases()[0], many], traffic())
    assert plain["flows"] == {}
    assert row["flows"]["cmp1"] == {"number": 101_234, "longest_computation_ms": 9876}
    head, first, second, note = table([plain, row]).splitlines()
    assert "101234 flows" in note and "9876 ms" in note
    assert head.index("PACKETS") + len("PACKETS") == second.index("200") + 3
    assert len({line.index(" ms  cmp1") for line in (first, second)}) == 1


def test_the_plot_is_written(tmp_path):
    plot(phases(), traffic(), tmp_path / "gaps.png")
    assert (tmp_path / "gaps.png").read_bytes().startswith(b"\x89PNG")


def test_what_was_measured_before_a_phase_that_fails_is_kept(monkeypatch):
    def play(bench):
        bench.phases += phases()
        raise LabError("gtw1: no answer")

    monkeypatch.setattr(Bench, "_play", play)
    bench = Bench.__new__(Bench)
    image = {"1.0.1": {"images": {"ovn_controller_image": "x"}}}
    bench._lab = SimpleNamespace(releases=image, add_release=lambda *_, **__: None)
    bench._probe = contextlib.nullcontext(SimpleNamespace(stop=traffic))
    bench.phases, bench.unfinished = [], ""
    measured = bench.run()
    assert bench.unfinished == "gtw1: no answer"
    assert [row["lost"] for row in summary(bench.phases, measured)] == [30, 0]
