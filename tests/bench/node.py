"""`make bench-node`: what an update of a small cloud of real machines takes, this commit against another.

Both boot the same profile of the lab, one after the other in one run: each with its own files of the lab and
of the product, and by the same measurement (small_update.py). Wants root, and a machine that has nothing else
to do. Prints a table, and what is above its bound, and leaves all figures in build/bench-node.json.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench import compare
from tests.bench.compare import CHECKOUT

SHOWN = ("update_s", "update_cpu_s", "no_op_s", "no_op_cpu_s", "state_apply_s", "state_apply_cpu_s",
         "control_plane_job_s", "away_s", "bare_restarts_s", "away_of_bare_restarts")  # fmt: skip
#: What is aimed at: of what it was before, and of itself.
RATIOS = {"update_s": 0.5, "no_op_s": 0.4, "no_op_cpu_s": 0.5, "state_apply_s": 0.4,
          "control_plane_job_s": 0.45}  # fmt: skip
BOUNDS = {"away_of_bare_restarts": 1.2}
_SCRIPT = Path(__file__).with_name("small_update.py")


def main() -> None:
    """Measure both, compare, print, and leave it in a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", default="", help="the commit to compare with")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-node-") as folder:
        trees = [compare.checked_out(given.against, Path(folder))] if given.against else []
        found = []
        for tree in (*trees, CHECKOUT):
            print(f"-- {tree.name}", file=sys.stderr, flush=True)
            found.append(compare.measured(tree, _SCRIPT))
    before, now = found[:-1], found[-1:]
    compared = compare.ratios(before, now, SHOWN)
    over = [*compare.beyond(compared, RATIOS, "before"), *compare.beyond(now, BOUNDS)]
    told = {"against": given.against, "figures": now, "before": before, "ratios": compared, "over": over}
    compare.leave("bench-node", told)
    print(compare.table(now, compared, SHOWN), *over, sep="\n")


if __name__ == "__main__":
    main()
