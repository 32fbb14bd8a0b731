"""Load a Salt module of ours as plain Python, with the dunders that Salt's loader would give it.

Modules and states share file names, so each is loaded anew under a name of its own.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

_CHECKOUT = Path(__file__).resolve().parents[2]


def load(kind: str, name: str, **dunders) -> ModuleType:
    """The file _<kind>/<name>.py as a fresh module.

    kind: modules, states or runners. dunders: salt, opts, grains, pillar, context; empty where not given.
    """
    path = _CHECKOUT / f"_{kind}" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"tested_{kind}_{name}", path)
    module = importlib.util.module_from_spec(spec)
    for dunder in ("salt", "opts", "grains", "pillar", "context"):
        setattr(module, f"__{dunder}__", dunders.get(dunder, {}))
    spec.loader.exec_module(module)
    return module


class Commands:
    """Stands in for cmd.run_all: answers by the longest beginning of the command that it knows."""

    def __init__(self, answers: dict[str, dict | str] | None = None):
        self.answers = answers or {}
        self.ran: list[list[str]] = []

    def __call__(self, command, **options):
        """Record the command and answer; what is not known succeeds without a word."""
        assert isinstance(command, list), "an argument list, never a shell string"
        assert options.get("python_shell") is False
        self.ran.append(command)
        line = " ".join(command)
        known = [start for start in self.answers if line.startswith(start)]
        answer = self.answers[max(known, key=len)] if known else ""
        found = {"retcode": 0, "stdout": "", "stderr": "", "pid": 1}
        return found | (answer if isinstance(answer, dict) else {"stdout": answer})

    def lines(self) -> list[str]:
        """The commands that ran, one string each."""
        return [" ".join(command) for command in self.ran]
