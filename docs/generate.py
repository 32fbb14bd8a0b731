"""Make the generated pages of the reference: `python docs/generate.py` writes them.

commands.md comes from the docstrings of _runners/, _modules/ and _states/; reasons.md from errors.REASONS and
from docs/raised.py. tests/unit/test_docs.py fails while a page is not current.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
REFERENCE = CHECKOUT / "docs" / "reference"
UTILS = CHECKOUT / "_utils"
MADE = "This page is made by `python docs/generate.py`; do not edit it."

ROOMS = {
    "_runners": (
        "Runners",
        "What the master offers operators. Type them on the master.",
        "salt-run {name}",
    ),
    "_modules": (
        "Execution modules",
        "What a node can tell or do. Most are called by the states and by a run; those that only look may be"
        " typed at any time.",
        "{name}",
    ),
    "_states": (
        "States",
        "What a node must be. The files of `salt/openstack/` use them; nobody else has to.",
        "{name}",
    ),
}


def reasons() -> str:
    """The page of reasons."""
    words, raised = _reasons()
    lines = [
        "# Reasons",
        "",
        "A run that is refused or pauses says why by one of these words. Alert on the word; read the remedy.",
        f"{MADE}",
        "",
        "A *refusal* comes before anything is touched. A *pause* lets nodes in flight finish and starts no"
        " other; running again is resuming. [Stuck or paused](../how-to/stuck-or-paused.md) says how.",
        "",
        "| word | when | what was touched | remedy |",
        "|---|---|---|---|",
    ]
    for word, remedy in words.items():
        one = raised[word]
        lines.append(f"| `{word}` | {_cell(one.when)} | {_cell(one.touched)} | {_cell(remedy)} |")
    return "\n".join(lines) + "\n"


def commands() -> str:
    """The page of commands."""
    text = [
        "# Commands",
        "",
        f"Every function of the runners, modules and states, from its docstring. {MADE}",
        "",
        "A runner that refuses prints one line, `REASON: what is wrong and where`, with the remedy:"
        " [reasons](reasons.md).",
        "",
        "The exit status of a runner is 0 when the work is done, 1 when it was refused or the run"
        " paused, and 2 for wrong use. A runner or function that does not exist is answered by Salt itself:"
        " one line, and exit status 0. Inside an orchestration wrong use is 1, as every failed step.",
        "",
        "`--out=json` gives the facts of `rollout.survey`, `rollout.status`,"
        " `rollout.plan`, `rollout.report`, `workload.risks` and `workload.drained` to programs.",
    ]
    for room, (title, words, shown) in ROOMS.items():
        text += ["", f"## {title}", "", words]
        for path in sorted((CHECKOUT / room).glob("*.py")):
            text += _module(path, shown)
    return "\n".join(text) + "\n"


PAGES = {"commands.md": commands, "reasons.md": reasons}


def functions(room: str) -> set[str]:
    """The names, `module.function`, that Salt's loader makes of a folder's public functions."""
    return {
        f"{_name(path, tree)}.{name}"
        for path in sorted((CHECKOUT / room).glob("*.py"))
        for tree in [ast.parse(path.read_text(encoding="utf-8"))]
        for name, _ in _public(tree)
    }


def _reasons() -> tuple[Mapping[str, str], Mapping[str, Any]]:
    """The reasons with their remedies, and when each is given with what was touched."""
    sys.path[:0] = found = [str(UTILS), str(CHECKOUT / "docs")]
    try:
        from raised import RAISED  # noqa: PLC0415

        from openstack_rollout.errors import REASONS  # noqa: PLC0415 - neither is installed
    finally:
        del sys.path[: len(found)]
    lacking, gone = set(REASONS) - set(RAISED), set(RAISED) - set(REASONS)
    if lacking or gone:
        raise LookupError(f"docs/raised.py: RAISED lacks {sorted(lacking)}, has too many {sorted(gone)}")
    return REASONS, RAISED


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _public(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Each public function of a file, by the name under which Salt has it."""
    aliases: Mapping[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__func_alias__":
            aliases = ast.literal_eval(node.value)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield aliases.get(node.name, node.name), node


def _name(path: Path, tree: ast.Module) -> str:
    """What Salt calls a file: several may have one virtual name."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__virtualname__":
            return str(ast.literal_eval(node.value))
    return path.stem


def _module(path: Path, shown: str) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = list(_public(tree))
    if not found:
        return []
    module = _name(path, tree)
    text = []
    if module == path.stem:  # others of its name follow it
        text = ["", f"### {path.stem}", "", *_markdown(ast.get_docstring(tree) or "")]
    for name, node in found:
        called = shown.format(name=f"{module}.{name}")
        text += ["", f"#### `{called}`", ""]
        if arguments := _arguments(path, tree, node):
            text += [f"Arguments: {arguments}", ""]
        text += _markdown(ast.get_docstring(node) or "")
    return text


def _arguments(path: Path, tree: ast.Module, node: ast.FunctionDef) -> str:
    """The arguments of a function with their defaults."""
    positional = [*node.args.posonlyargs, *node.args.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(node.args.defaults))
    pairs = [*zip(positional, [*defaults, *node.args.defaults], strict=True)]
    pairs += zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    words = [
        f"`{one.arg}`" if value is None else f"`{one.arg.rstrip('_')}={_constant(path, tree, value)}`"
        for one, value in pairs
    ]
    return ", ".join(words)


def _constant(path: Path, tree: ast.Module, value: ast.expr) -> str:
    """A default as a reader needs it: a constant of this file, or of one of ours, by its value."""
    text = ast.unparse(value)
    owner, _, name = text.rpartition(".")
    places: list[ast.Module] = [] if owner else [tree]
    for node in tree.body:
        if not (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("openstack_rollout")):
            continue
        for alias in node.names:
            if (alias.asname or alias.name) != (owner or name):
                continue
            module = f"{node.module}.{alias.name}" if owner else str(node.module)
            file = UTILS.joinpath(*module.split(".")).with_suffix(".py")
            if file.exists():
                places.append(ast.parse(file.read_text(encoding="utf-8")))
    for place in places:
        for node in place.body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            if [ast.unparse(target) for target in targets] == [name]:
                return ast.unparse(node.value)  # type: ignore[attr-defined]
    return text


def _markdown(docstring: str) -> list[str]:
    """A docstring of Salt's kind as Markdown: code blocks fenced, arguments as a list."""
    found: list[str] = []
    lines = docstring.splitlines()
    while lines:
        line = lines.pop(0)
        if line == "CLI Example:":
            while lines and not lines[0]:
                lines.pop(0)
            continue
        if code := re.fullmatch(r"\.\. code-block:: (\w+)", line):
            block = _indented(lines)
            found += [f"```{'console' if code[1] == 'bash' else code[1]}", *block, "```"]
        elif re.fullmatch(r"[a-z_]+", line) and lines and lines[0].startswith("    "):
            found.append(f"* `{line}`: {' '.join(filter(None, _indented(lines)))}")
        else:
            found.append(line)
    tidy = re.sub(r"\n{3,}", "\n\n", "\n".join(found))
    return tidy.strip("\n").split("\n")


def _indented(lines: list[str]) -> list[str]:
    """Take the indented block that follows, blank lines within it too."""
    block: list[str] = []
    while lines and (not lines[0] or lines[0].startswith("    ")):
        block.append(lines.pop(0))
    while block and not block[-1]:
        block.pop()
        lines.insert(0, "")
    return textwrap.dedent("\n".join(block)).strip("\n").split("\n")


def main() -> int:
    """Write the pages."""
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
