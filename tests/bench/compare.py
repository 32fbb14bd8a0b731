"""What benchmarks share: one measurement of two commits in one run, as ratios, and held against bounds."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]

Figures = dict[str, float]


def measured(tree: Path, script: Path, *arguments: str) -> Figures:
    """What a script prints as JSON that measures a checkout (tree), in a process of its own."""
    command = [sys.executable, str(script), str(tree), *arguments]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=tree).stdout
    return dict(json.loads(told.splitlines()[-1]))  # before it, what programs print that it started


def checked_out(commit: str, folder: Path) -> Path:
    """A commit's files below a folder."""
    tree, archive = folder / commit, folder / "tree.tar"
    subprocess.run(["git", "archive", f"--output={archive}", commit], check=True, cwd=CHECKOUT)
    with tarfile.open(archive) as files:
        files.extractall(tree, filter="data")
    return tree


def ratios(before: Iterable[Figures], now: Iterable[Figures], shown: Iterable[str]) -> list[Figures]:
    """What the shown figures are now of what they were before, size by size; those that both have."""
    earlier = {one["nodes"]: one for one in before}
    return [
        {"nodes": one["nodes"]}
        | {
            name: round(one[name] / old, 3)
            for name in shown
            if name in one and (old := earlier[one["nodes"]].get(name))
        }
        for one in now
        if one["nodes"] in earlier
    ]


def beyond(figures: Iterable[Figures], bounds: Mapping[str, float], of: str = "") -> list[str]:
    """The figures that are above their bounds, one line each. of (str): what they are a part of, if any."""
    return [
        f"{one['nodes']:.0f} nodes: {name} is {one[name]:.3g}{of and f' of {of}'}, more than {most:g}"
        for one in figures
        for name, most in bounds.items()
        if one.get(name, 0.0) > most
    ]


def table(figures: Sequence[Figures], compared: Iterable[Figures], shown: Iterable[str]) -> str:
    """The shown figures, each with its ratio in brackets where there is one."""
    of = {one["nodes"]: one for one in compared}
    lines = [f"{'':24}" + "".join(f"{one['nodes']:>18.0f}" for one in figures)]
    for name in shown:
        cells = []
        for one in figures:
            ratio = of.get(one["nodes"], {}).get(name)
            figure = f"{one[name]:.3g}" if name in one else "-"
            cells.append(figure + (f" ({ratio:.2f})" if ratio is not None else ""))
        lines.append(f"{name:24}" + "".join(f"{cell:>18}" for cell in cells))
    return "\n".join(lines)


def about() -> dict[str, Any]:
    """The commit, the date and the machine, and what else that had to do (its load) when this is asked."""
    head = ["git", "describe", "--always", "--dirty"]
    described = subprocess.run(head, capture_output=True, text=True, check=True, cwd=CHECKOUT)
    return {
        "commit": described.stdout.strip(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load": [round(one, 1) for one in os.getloadavg()],
        },
    }


def leave(name: str, told: Mapping[str, Any]) -> None:
    """Write figures into build/NAME.json, with what they were measured on."""
    build = CHECKOUT / "build"
    build.mkdir(exist_ok=True)
    (build / f"{name}.json").write_text(json.dumps({**about(), **told}, indent=2) + "\n", encoding="utf-8")
