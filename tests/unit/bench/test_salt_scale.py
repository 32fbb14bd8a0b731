"""`make bench-salt`: its table tells what a node costs, so that one can see whether that stays the same."""

from tests.bench import salt_scale


def test_the_table_tells_what_a_node_costs():
    took = {"exit": 0, "silent": 0, "seconds": 50.0, "master_cpu_s": 20.0, "engine_cpu_s": 5.0, "said": ""}
    found = {"nodes": 100, **{name: took for name, _, _ in salt_scale.COMMANDS}}
    header, *lines = [line.split() for line in salt_scale.table([found]).splitlines()]
    assert [line[1] for line in lines] == ["status", "update", "no_op"]
    row = dict(zip(header, lines[0], strict=True))
    assert row["ms_a_node"] == "500" and row["cpu_ms_a_node"] == "250" and row["silent"] == "0"
