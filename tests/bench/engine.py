"""`make bench-engine`: what the engine, the journal and the screens cost for simulated clouds, in one run.

Each size is measured in a process of its own, in CPU seconds: what else the machine does matters little. The
same sizes of another commit are measured in the same run, by the same code, and compared as ratios. Prints a
table, and leaves all figures in build/bench-engine.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.bench import about

CHECKOUT = Path(__file__).resolve().parents[2]
#: Of these figures less is better; the others are sizes.
SHOWN = ("engine_ms_a_node", "journal_cpu_s", "events_mb", "memory_mb", "plan_cpu_s", "dry_run_cpu_s",
         "status_cpu_s", "report_cpu_s", "history_cpu_s", "watch_ms_an_event", "no_op_cpu_s")  # fmt: skip

Figures = dict[str, float]


def measured(tree: Path, nodes: int) -> Figures:
    """The figures of a checkout for so many nodes."""
    script = Path(__file__).with_name("simulated_update.py")
    command = [sys.executable, str(script), str(tree), str(nodes)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tree).stdout
    print(f"{tree.name}: {nodes} nodes are measured", file=sys.stderr)
    return dict(json.loads(told))


def checked_out(commit: str, folder: Path) -> Path:
    """A commit's files below a folder."""
    tree, archive = folder / commit, folder / "tree.tar"
    subprocess.run(["git", "archive", f"--output={archive}", commit], check=True, cwd=CHECKOUT)
    with tarfile.open(archive) as files:
        files.extractall(tree, filter="data")
    return tree


def ratios(before: Iterable[Figures], now: Iterable[Figures]) -> list[Figures]:
    """What the figures are now of what they were before, size by size."""
    earlier = {one["nodes"]: one for one in before}
    return [
        {"nodes": one["nodes"]}
        | {name: round(one[name] / old[name], 3) for name in SHOWN if (old := earlier[one["nodes"]])[name]}
        for one in now
        if one["nodes"] in earlier
    ]


def table(figures: list[Figures], compared: list[Figures]) -> str:
    """The figures, each with its ratio in brackets where there is one."""
    of = {one["nodes"]: one for one in compared}
    lines = [f"{'':20}" + "".join(f"{one['nodes']:>18.0f}" for one in figures)]
    for name in SHOWN:
        cells = []
        for one in figures:
            ratio = of.get(one["nodes"], {}).get(name)
            cells.append(f"{one[name]:.3g}" + (f" ({ratio:.2f})" if ratio is not None else ""))
        lines.append(f"{name:20}" + "".join(f"{cell:>18}" for cell in cells))
    return "\n".join(lines)


def main() -> None:
    """Measure, compare, print, and leave it in a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", default="100,1000,10000", help="sizes of the clouds")
    parser.add_argument("--against", default="", help="the commit to compare with")
    parser.add_argument("--against-most", type=int, default=1000, help="its largest cloud")
    given = parser.parse_args()
    sizes = [int(one) for one in given.nodes.split(",")]
    figures = [measured(CHECKOUT, nodes) for nodes in sizes]
    before: list[Figures] = []
    if given.against:
        with tempfile.TemporaryDirectory() as folder:
            tree = checked_out(given.against, Path(folder))
            before = [measured(tree, nodes) for nodes in sizes if nodes <= given.against_most]
    compared = ratios(before, figures)
    build = CHECKOUT / "build"
    build.mkdir(exist_ok=True)
    told = {
        **about.about(),
        "against": given.against,
        "figures": figures,
        "before": before,
        "ratios": compared,
    }
    (build / "bench-engine.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    print(table(figures, compared))


if __name__ == "__main__":
    main()
