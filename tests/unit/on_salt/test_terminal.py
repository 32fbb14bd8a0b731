"""The terminal that runs a run: what is typed there, and that nothing is heard where nobody sits."""

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from openstack_rollout.on_salt.terminal import PROMPT, SaltRunTerminal
from openstack_rollout.records.asked import Coming, Question
from openstack_rollout.screens import questions

#: In a session of its own on a terminal: a run in the background, as `salt-run rollout.run &` in a shell.
IN_THE_BACKGROUND = """
import fcntl, os, sys, termios, time
from openstack_rollout.on_salt.terminal import SaltRunTerminal
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
run = os.fork()
if not run:
    os.setpgid(0, 0)
    terminal = SaltRunTerminal(lambda question: "asked")
    terminal.show(__import__("tests.unit.on_salt.test_terminal", fromlist=["x"]).QUESTION)
    heard = []
    for _ in range(20):
        heard += terminal.heard()
        time.sleep(0.05)
    os._exit(len(heard))
status = os.waitpid(run, os.WUNTRACED)[1]
if os.WIFSTOPPED(status):
    os.kill(run, 9)
    os.waitpid(run, 0)
sys.exit(3 if os.WIFSTOPPED(status) else os.WEXITSTATUS(status))
"""
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


def test_what_was_typed_before_a_question_was_shown_is_no_answer_to_it(sitting):
    terminal, end = sitting
    os.write(end, b"yes\nyes\n")
    terminal.show(QUESTION)
    assert list(terminal.heard()) == []
    os.write(end, b"skip cmp1\n")
    assert list(terminal.heard()) == [("skip", "cmp1")]


def test_what_is_typed_for_a_shell_neither_answers_nor_stops_a_run_in_its_background():
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", IN_THE_BACKGROUND]
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{root}:{root / '_utils'}"}
    run = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    shown = ""
    while "asked" not in shown:
        shown += os.read(ours, 1000).decode()
    os.write(ours, b"yes\n")
    assert run.wait(60) == 0, shown
    os.close(ours)


def test_where_nobody_sits_nothing_is_shown_or_heard(tmp_path):
    path = tmp_path / "typed"
    path.write_text("yes\n")
    with path.open() as typed, (tmp_path / "shown").open("w") as shown:
        terminal = SaltRunTerminal(questions.text, typed, shown)
        terminal.show(QUESTION)
        assert list(terminal.heard()) == []
    assert (tmp_path / "shown").read_text() == ""
