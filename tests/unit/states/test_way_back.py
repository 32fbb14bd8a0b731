"""way_back as a state: packages and files are kept before a run, and files come back."""

from __future__ import annotations

import os

import pytest

from openstack_rollout.node import kept_files
from openstack_rollout.node.errors import NodeError
from tests.unit.loading import load


def state(test=False, **functions):
    return load("states", "way_back", salt=functions, opts={"test": test})


@pytest.fixture
def conf(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_files, "FOLDER", tmp_path / "files")
    path = tmp_path / "nova.conf"
    path.write_text("password = old\n")
    path.chmod(0o640)
    return path


def test_what_is_due_is_kept_and_what_is_not_is_a_warning():
    asked = []
    functions = {
        "system_packages.plan": lambda depth, kept: {"upgrade": {"bash": "2"}},
        "way_back.due": lambda stages, also: {**also, "curl": "2"},
        "way_back.keep_files": lambda run, files, touched: asked.append((run, files, touched)),
        "way_back.keep": lambda run, due, exclude, touched: (
            asked.append((run, due, exclude, touched))
            or {"kept": {"bash": "1"}, "missing": {"curl": "nowhere"}}
        ),
    }
    answer = state(**functions).kept(
        "r1", depth="upgrade", exclude=("kernel",), files=("/etc/x",), touched=True
    )
    assert answer["result"] is True and answer["changes"] == {}
    assert asked == [("r1", {"bash": "2", "curl": "2"}, ["kernel"], True), ("r1", ["/etc/x"], True)]
    assert answer["warnings"] == ["no way back for curl (nowhere)"]
    asked.clear()
    assert state(True, **functions).kept("r1", depth="upgrade")["result"] is True and asked == []


@pytest.mark.parametrize(
    "broken", ["system_packages.plan", "way_back.due", "way_back.keep", "way_back.keep_files"]
)
@pytest.mark.parametrize("error", [NodeError("DISK_FULL", "no space left"), OSError("no space left")])
def test_no_run_fails_for_what_cannot_be_kept(broken, error):
    def full(*_):
        raise error

    functions = {
        "system_packages.plan": lambda depth, kept: {"upgrade": {}},
        "way_back.due": lambda stages, also: {"a": "1"},
        "way_back.keep": lambda *_: {"kept": {}, "missing": {}},
        "way_back.keep_files": lambda *_: [],
        broken: full,
    }
    answer = state(**functions).kept("r1", depth="upgrade")
    assert answer["result"] is True and "no space left" in answer["warnings"][0]


def test_former_images_are_held_and_told_before():
    asked = []
    functions = {
        "way_back.former_images": lambda moving, wanted: [f"{name}-{wanted}" for name in moving],
        "way_back.hold_images": lambda run, images: asked.append((run, images)) or images[:1],
    }
    predicted = state(True, **functions).images_held("r1", {"a": "x", "b": "y"}, ("a",))
    assert predicted["result"] is True and predicted["changes"] == {} and asked == []
    assert "2 former images" in predicted["comment"]
    answer = state(**functions).images_held("r1", {"a": "x", "b": "y"}, ("a",))
    assert answer["result"] is True and answer["changes"] == {} and "warnings" not in answer
    assert asked == [("r1", ["a-['a']", "b-['a']"])]


@pytest.mark.parametrize("broken", ["way_back.former_images", "way_back.hold_images"])
@pytest.mark.parametrize("error", [NodeError("NODE_ERROR", "no locks"), KeyError("no locks")])
def test_no_run_fails_for_an_image_that_cannot_be_held(broken, error):
    def fails(*_):
        raise error

    functions = {
        "way_back.former_images": lambda *_: ["a"],
        "way_back.hold_images": lambda *_: ["a"],
        broken: fails,
    }
    answer = state(**functions).images_held("r1", {"a": "x"})
    assert answer["result"] is True and "no locks" in answer["warnings"][0]


def test_of_a_run_that_has_touched_the_node_no_file_is_kept(conf):
    assert load("modules", "way_back").keep_files("r1", [str(conf)], touched=True) == []
    assert kept_files.former("r1", str(conf)) is None


def test_a_file_comes_back_as_it_was(conf):
    assert kept_files.keep("r1", [str(conf)]) == [str(conf)]
    conf.write_text("password = new\n")
    conf.chmod(0o600)
    assert kept_files.keep("r1", [str(conf)]) == []  # a run that goes on
    predicted = state(test=True).file_restored(str(conf), "r1")
    assert predicted["result"] is None and conf.read_text() == "password = new\n"
    assert "password" not in str(predicted)
    assert state().file_restored(str(conf), "r1")["changes"]
    assert conf.read_text() == "password = old\n" and conf.stat().st_mode & 0o777 == 0o640
    assert conf.stat().st_uid == os.getuid()
    assert state().file_restored(str(conf), "r1")["changes"] == {}


def test_a_file_that_was_not_there_goes(conf):
    other = conf.with_name("other.conf")
    kept_files.keep("r1", [str(other)])
    other.write_text("new")
    assert state().file_restored(str(other), "r1")["result"] is True and not other.exists()
    assert state().file_restored(str(other), "r1")["changes"] == {}


@pytest.mark.parametrize("gone", [False, True])
def test_a_file_that_was_not_kept_is_a_failure(conf, gone):
    if gone:
        kept_files.keep("r9", [str(conf)])
        (kept_files.FOLDER / "r9" / "0.txt").unlink()
    assert kept_files.former("r9", str(conf)) is None
    answer = state().file_restored(str(conf), "r9")
    assert answer["result"] is False and answer["reason"] == "NODE_ERROR"


def test_only_the_last_runs_are_kept_and_by_their_owner_alone(conf):
    for number in range(9):
        kept_files.keep(f"2026113{number}-010203-abcd", [str(conf)])
    there = sorted(one.name for one in kept_files.FOLDER.iterdir())
    assert len(there) == kept_files.RUNS and there[-1] == "20261138-010203-abcd"
    assert all(one.stat().st_mode & 0o077 == 0 for one in (kept_files.FOLDER / there[-1]).glob("*.txt"))
