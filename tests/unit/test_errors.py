"""Every reason that code on a node can raise is one of the list, and none stands in a text alone."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from openstack_rollout.errors import REASONS, one_line

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = CHECKOUT / "_utils" / "openstack_rollout"
FILES = [
    *sorted((CHECKOUT / "_modules").glob("*.py")),
    *sorted((CHECKOUT / "_states").glob("*.py")),
    *sorted((PACKAGE / "node").rglob("*.py")),
]
# What looks like a reason and is none, of those that node code passes about.
OTHER_WORDS = {
    "CONTAINERS_REGISTRIES_CONF",
    "REGISTRY_AUTH_FILE",
    "SYSTEMD_OFFLINE",
    "OPENSTACK_ROLLOUT_HELD",
    "DEBIAN_FRONTEND",
    "LC_ALL",
    "NEEDRESTART_MODE",
    "NEEDRESTART_SUSPEND",
    "NO_PUBKEY",
    "OVS_RUNDIR",
    "PODMAN_SYSTEMD_UNIT",
    "SC_CLK_TCK",
}
OTHER_WORDS |= {"OPENSTACK_ROLLOUT_HELD", "QUADLET_UNIT_DIRS", "SYSTEMD_LOG_TARGET", "SYSTEMD_OFFLINE"}
WORD = re.compile(r"[A-Z]+(?:_[A-Z]+)+")
LED = re.compile(r"[A-Z]+(?:_[A-Z]+)+: ")


def calls(tree, *names):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in names:
                yield node


def beginning(node):
    """The text with which a string, or an f-string, begins."""
    if isinstance(node, ast.JoinedStr) and node.values:
        return beginning(node.values[0])
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def reasons_of(tree):
    """The literal reasons of a file's errors, and the expressions where the reason is none."""
    literal, others = set(), set()
    for call in calls(tree, "NodeError", "RolloutError"):
        first = call.args[0]
        (literal if isinstance(first, ast.Constant) else others).add(
            first.value if isinstance(first, ast.Constant) else ast.unparse(first)
        )
    return literal, others


def words_of(tree):
    """All constants of a file that look like a reason."""
    return {one.value for one in ast.walk(tree) if isinstance(one, ast.Constant)
            and isinstance(one.value, str) and WORD.fullmatch(one.value)}  # fmt: skip


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def named(paths):
    return {str(path.relative_to(CHECKOUT)): path for path in paths}


@pytest.mark.parametrize("path", named(FILES).values(), ids=named(FILES))
def test_every_reason_of_node_code_is_named(path):
    tree = parsed(path)
    literal, others = reasons_of(tree)
    assert literal <= set(REASONS)
    # A variable has one of the constants of node code, which the last line proves; another error, or the
    # master's refusal in a share, has a reason that was looked at before.
    assert [one for one in others if not re.search(r"^(reason|found)$|\.reason$|\['reason'\]$", one)] == []
    assert words_of(tree) <= set(REASONS) | OTHER_WORDS


@pytest.mark.parametrize("path", named(FILES).values(), ids=named(FILES))
def test_no_reason_stands_in_a_text_alone(path):
    tree = parsed(path)
    led = [beginning(one) for call in calls(tree, "CommandExecutionError") for one in call.args]
    led += [
        beginning(one.value)
        for one in ast.walk(tree)
        if isinstance(one, ast.keyword) and one.arg == "comment"
    ]
    led += [beginning(one) for call in calls(tree, "answer") for one in call.args[2:3]]
    assert [text for text in led if LED.match(text)] == []


@pytest.mark.parametrize("path", named(FILES).values(), ids=named(FILES))
def test_nothing_is_decided_by_a_reason_in_a_text(path):
    """Neither `text.startswith("REASON…")` nor `"REASON" in text`."""
    tree = parsed(path)
    asked = [
        beginning(one)
        for call in calls(tree, "startswith", "search", "match", "partition")
        for one in call.args
    ]
    asked += [beginning(one.left) for one in ast.walk(tree) if isinstance(one, ast.Compare)
              and isinstance(one.ops[0], ast.In)]  # fmt: skip
    words = {reason.partition("_")[0] + "_" for reason in REASONS}
    assert [text for text in asked if any(text.startswith(word) for word in words)] == []


def test_the_test_finds_what_it_looks_for():
    tree = ast.parse(
        'raise NodeError(word, "x")\nraise errors.NodeError("MADE_UP", f"y")\nx = "PACKAGE_FELL"'
    )
    assert reasons_of(tree) == ({"MADE_UP"}, {"word"}) and words_of(tree) == {"MADE_UP", "PACKAGE_FELL"}
    (call,) = calls(ast.parse('CommandExecutionError(f"OVS_FAILED: {x}")'), "CommandExecutionError")
    assert LED.match(beginning(call.args[0]))
    assert len(FILES) > 50


@pytest.mark.parametrize("limit", [120, 400])
def test_a_long_message_keeps_what_was_done_and_why_it_failed(limit):
    line = one_line(
        f"podman pull registry.example/a: {'Trying again. ' * 90}no space left on device", limit=limit
    )
    assert len(line) == limit and line.startswith("podman pull ") and line.endswith("no space left on device")
    assert one_line("short\n and whole", limit=limit) == "short and whole"


def test_a_line_has_nothing_that_a_terminal_obeys():
    said = "\x1b[1;31mError:\x1b[0m no \x1b]0;all is well\x07space\x1b[2J\x9b2J left\x00 \u202eon /var\r\b"
    assert one_line(said) == "Error: no space 2J left on /var"
