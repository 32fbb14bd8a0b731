"""The terminal that runs a run: what is typed there, and that nothing is heard where nobody sits."""

import os
import pty
import select

import pytest

from openstack_rollout.on_salt.terminal import PROMPT, SaltRunTerminal
from openstack_rollout.records.asked import Coming, Question
from openstack_rollout.screens import questions

COMES = Coming("cmp1", ["drain", "apply"], ["container a: old, not new"], "live_migrate")
QUESTION = Question("node", "services", "", "compute", ["cmp1"], ["services//compute/cmp1"], [COMES])


@pytest.fixture
def sitting():
    """A terminal as salt-run has it, and the end at which somebody sits."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as typed, os.fdopen(os.dup(theirs), "w") as shown:
        yield SaltRunTerminal(questions.text, typed, shown), ours
    os.close(ours)


@pytest.mark.parametrize(
    ("typed", "heard"),
    [
        ("yes", [("confirm", "")]),
        ("Y", [("confirm", "")]),
        ("confirm cmp1", [("confirm", "cmp1")]),
        ("skip cmp1", [("skip", "cmp1")]),
        ("pause", [("pause", "")]),
        ("abort", [("abort", "")]),
        ("skip", []),
        ("abort cmp1", []),
        ("no", []),
        ("", []),
    ],
)
def test_what_is_typed_is_heard(sitting, typed, heard):
    terminal, end = sitting
    assert list(terminal.heard()) == []
    os.write(end, typed.encode() + b"\n")
    assert list(terminal.heard()) == heard
    said = ""
    while select.select([end], [], [], 0.2)[0]:  # what was typed is echoed, too
        said += os.read(end, 1000).decode()
    assert (PROMPT in said) == (not heard)


def test_a_question_is_shown(sitting):
    terminal, end = sitting
    terminal.show(QUESTION)
    text = os.read(end, 2000).decode().replace("\r\n", "\n")
    assert text.startswith(
        "before services, compute (node): cmp1\n  cmp1: drain > apply\n    container a: old, not"
    )
    assert "drained by live_migrate: its servers move" in text and text.endswith(PROMPT)


def test_where_nobody_sits_nothing_is_shown_or_heard(tmp_path):
    path = tmp_path / "typed"
    path.write_text("yes\n")
    with path.open() as typed, (tmp_path / "shown").open("w") as shown:
        terminal = SaltRunTerminal(questions.text, typed, shown)
        terminal.show(QUESTION)
        assert list(terminal.heard()) == []
    assert (tmp_path / "shown").read_text() == ""
