"""What benchmarks share: ratios size by size, bounds, and tables; and how a child tells its figures."""

import json
import subprocess

from tests.bench import compare

NAMES = ("one_s", "other_s")


def test_figures_are_compared_size_by_size():
    now = [{"nodes": nodes, **dict.fromkeys(NAMES, 1.0)} for nodes in (100, 1000)]
    before = [{"nodes": 100, "one_s": 4.0, "other_s": 0.0}]
    found = compare.ratios(before, now, NAMES)
    assert found == [{"nodes": 100, "one_s": 0.25}]
    assert "1 (0.25)" in compare.table(now, found, NAMES)


def test_a_figure_that_one_commit_alone_has_is_not_compared():
    now, before = [{"nodes": 4, "one_s": 1.0}], [{"nodes": 4, "other_s": 2.0}]
    assert compare.ratios(before, now, NAMES) == [{"nodes": 4}]
    assert compare.table(now, [{"nodes": 4}], NAMES).splitlines()[-1].split() == ["other_s", "-"]


def test_what_is_above_its_bound_is_named():
    figures = [{"nodes": 100, "one_s": 2.0}, {"nodes": 1000, "one_s": 3.5}]
    assert compare.beyond(figures, {"one_s": 3.0}) == ["1000 nodes: one_s is 3.5, more than 3"]
    assert compare.beyond(figures, {"one_s": 3.0}, "before") == [
        "1000 nodes: one_s is 3.5 of before, more than 3"
    ]


def test_the_last_line_of_a_child_has_its_figures(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys; print('built'); print('{\"nodes\": ' + sys.argv[2] + '}')")
    assert compare.measured(tmp_path, script, "20") == {"nodes": 20}


def test_a_commit_has_its_own_files(tmp_path):
    listed = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"], check=True, capture_output=True, text=True,
        cwd=compare.CHECKOUT,
    )  # fmt: skip
    tree = compare.checked_out("HEAD", tmp_path)
    assert sorted(one.name for one in tree.iterdir()) == sorted(listed.stdout.split())


def test_figures_are_left_with_what_they_were_measured_on(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "about", lambda: {"commit": "abc"})
    monkeypatch.setattr(compare, "CHECKOUT", tmp_path)
    compare.leave("bench-x", {"figures": [1]})
    assert json.loads((tmp_path / "build/bench-x.json").read_text()) == {"commit": "abc", "figures": [1]}
    monkeypatch.undo()
    assert compare.about()["machine"]["cores"] and len(compare.about()["machine"]["load"]) == 3
