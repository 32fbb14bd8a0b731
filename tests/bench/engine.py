"""`make bench-engine`: what the engine, the journal and the screens cost for simulated clouds, in one run.

Each size is measured in a process of its own, in CPU seconds. What else the machine does can make these half
as long again: the yardstick, a piece of work that is always the same, tells. The same sizes of another commit
are measured in the same run, by the same code, and compared as ratios. Prints a table, and what is above its
bound, and leaves all figures in build/bench-engine.json.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench import compare
from tests.bench.compare import CHECKOUT, Figures

#: Of these figures less is better; the others are sizes.
SHOWN = ("engine_ms_a_node", "journal_cpu_s", "events_mb", "memory_mb", "plan_cpu_s", "dry_run_cpu_s",
         "status_cpu_s", "report_cpu_s", "history_cpu_s", "watch_ms_an_event", "no_op_cpu_s",
         "yardstick_cpu_s")  # fmt: skip
#: What they are to be at most, for up to 10,000 nodes.
BOUNDS = {"engine_ms_a_node": 3.0, "journal_cpu_s": 60.0, "events_mb": 100.0, "memory_mb": 300.0,
          "plan_cpu_s": 1.0, "status_cpu_s": 2.0, "watch_ms_an_event": 5.0, "no_op_cpu_s": 5.0}  # fmt: skip
_SCRIPT = Path(__file__).with_name("simulated_update.py")


def measured(tree: Path, nodes: int) -> Figures:
    """The figures of a checkout for so many nodes."""
    print(f"{tree.name}: {nodes} nodes", file=sys.stderr, flush=True)
    return compare.measured(tree, _SCRIPT, str(nodes))


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
            tree = compare.checked_out(given.against, Path(folder))
            before = [measured(tree, nodes) for nodes in sizes if nodes <= given.against_most]
    compared = compare.ratios(before, figures, SHOWN)
    over = compare.beyond(figures, BOUNDS)
    told = {"against": given.against, "figures": figures, "before": before, "ratios": compared, "over": over}
    compare.leave("bench-engine", told)
    print(compare.table(figures, compared, SHOWN), *over, sep="\n")


if __name__ == "__main__":
    main()
