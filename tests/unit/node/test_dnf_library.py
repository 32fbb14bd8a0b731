"""Asking dnf's library: its answers, and its errors under the reason that they stand for."""

from __future__ import annotations

import json
import sys

import pytest

from openstack_rollout.node import commands, dnf_library
from openstack_rollout.node.errors import NodeError
from tests.unit.loading import Commands


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Asks a dnf whose Python answers so."""
    program = tmp_path / "dnf"
    program.write_text("#!/usr/libexec/platform-python -s\n")
    monkeypatch.setattr(dnf_library, "_DNF", (tmp_path / "none", program))
    monkeypatch.setattr(dnf_library, "_PATIENCE", 0.05)
    monkeypatch.setattr(dnf_library, "_LOOK_EVERY", 0.01)

    def ask(answer):
        commands = Commands({"/usr/libexec/platform-python -s -I ": answer})
        return dnf_library.ask({"cmd.run_all": commands}, {"ask": "state"})

    return ask


def test_the_python_that_dnf_names_answers(asked):
    assert asked(json.dumps({"answer": {"doubles": []}})) == {"doubles": []}


@pytest.mark.parametrize(
    ("kinds", "text", "reason"),
    [
        (["RepoError", "Error"], "x", "REPOSITORY_BROKEN"),
        (["RepoError", "Error"], "Status code: 403 for https://cdn.example/x", "REPOSITORY_LOGIN"),
        (["ProcessLockError", "LockError", "Error"], "x", "PACKAGE_LOCKED"),
        (["Error"], "No space left on device", "DISK_FULL"),
        ([], "Traceback", "PACKAGE_FAILED"),
    ],
)
def test_its_errors_have_the_reason_of_their_kind(asked, kinds, text, reason):
    with pytest.raises(NodeError) as refused:
        asked(json.dumps({"error": text, "kinds": kinds}))
    assert refused.value.reason == reason


def test_a_lock_is_waited_for_but_not_for_ever(asked, monkeypatch):
    locked = json.dumps({"error": "x", "kinds": ["LockError", "Error"]})
    answers = iter([locked, locked, json.dumps({"answer": {"doubles": []}})])
    ran = []

    def run(salt, command, **options):
        ran.append(options["timeout"])
        return commands.Result(0, next(answers), "")

    monkeypatch.setattr(dnf_library, "_PATIENCE", 60.0)
    monkeypatch.setattr(dnf_library.commands, "run", run)
    assert dnf_library.ask({}, {"ask": "state"}) == {"doubles": []}
    assert len(ran) == 3 and all(ran)


def test_an_answer_that_is_none_is_a_failure(asked):
    with pytest.raises(NodeError) as refused:
        asked({"retcode": 1, "stdout": "", "stderr": "no module named dnf"})
    assert refused.value.reason == "PACKAGE_FAILED" and "no module named dnf" in refused.value.text


def test_a_node_without_dnf_4_cannot_tell(tmp_path, monkeypatch):
    program = tmp_path / "dnf5"
    program.write_bytes(b"\x7fELF")
    monkeypatch.setattr(dnf_library, "_DNF", (program,))
    with pytest.raises(NodeError) as refused:
        dnf_library.ask({}, {})
    assert refused.value.reason == "PACKAGE_FAILED"


def test_the_program_imports_nothing_of_the_minions(tmp_path):
    names = {line.split()[1].partition(".")[0] for line in dnf_library._PROGRAM.read_text().splitlines()
             if line.startswith(("import ", "from "))}  # fmt: skip
    assert names - set(sys.stdlib_module_names) == {"dnf", "hawkey", "libdnf"}


def test_a_question_that_another_program_answers_is_asked_there(tmp_path, monkeypatch):
    program = tmp_path / "dnf"
    program.write_text("#!/usr/libexec/platform-python\n")
    monkeypatch.setattr(dnf_library, "_DNF", (program,))
    run = Commands({"/usr/libexec/platform-python": json.dumps({"answer": []})})
    dnf_library.ask({"cmd.run_all": run}, {"ask": "sources"})
    dnf_library.ask({"cmd.run_all": run}, {"ask": "state"})
    assert [line.rpartition("/")[2] for line in run.lines()] == ["ask_dnf_sources.py", "ask_dnf.py"]
    assert all(path.exists() for path in dnf_library._OTHERS.values())
