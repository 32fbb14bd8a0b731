"""state_file: whole or not at all, and for its owner alone."""

from __future__ import annotations

import json
import os
from numbers import Real
from pathlib import Path

import pytest

from openstack_rollout.records import state_file
from openstack_rollout.records.state_file import StateFile


def test_what_was_written_is_read_until_it_is_forgotten(tmp_path):
    file = StateFile(tmp_path / "new" / "state.json")
    assert file.read() is None and file.read_or_none() is None
    file.write({"a": 1})
    file.write({"b": [2]})
    assert file.read() == {"b": [2]} == StateFile(file.path).read_or_none()
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.forget()
    file.forget()
    assert file.read() is None


def test_a_damaged_file_is_an_error_only_where_it_matters(tmp_path):
    file = StateFile(tmp_path / "state.json")
    file.path.write_text("{")
    assert file.read_or_none() is None
    with pytest.raises(ValueError):
        file.read()
    assert StateFile(tmp_path).read_or_none() is None


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("5", "no JSON object"),
        ('["pid"]', "no JSON object"),
        ("{}", "pid is no int"),
        ('{"pid": null}', "pid is no int"),
        ('{"pid": 1, "since": "x"}', "since is no Real"),
    ],
)
def test_a_file_of_another_form_is_a_damaged_one(tmp_path, written, wrong):
    file = StateFile(tmp_path / "state.json", {"pid": int, "since": Real})
    file.path.write_text(written)
    with pytest.raises(ValueError, match=wrong):
        file.read()
    assert file.read_or_none() is None


def test_a_write_that_fails_leaves_the_old_content(tmp_path):
    file = StateFile(tmp_path / "state.json")
    file.write({"a": 1})
    with pytest.raises(TypeError):
        file.write({"a": object()})
    assert json.loads(file.path.read_text()) == {"a": 1}


def test_a_text_is_replaced_whatever_a_dead_writer_left(tmp_path):
    file = tmp_path / "policy"
    (tmp_path / ".policy.new").write_text("half")
    (tmp_path / ".policy.new").chmod(0o400)
    state_file.replace(file, "whole", 0o755)
    assert file.read_text() == "whole" and file.stat().st_mode & 0o777 == 0o755
    assert [one.name for one in tmp_path.iterdir()] == ["policy"]


def test_what_a_power_cut_keeps_is_written_before_it_has_its_name(tmp_path, monkeypatch):
    file = tmp_path / "state.json"
    synced = []

    def sync(descriptor):
        place = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        synced.append((place.name, place.read_text(), file.exists()))

    monkeypatch.setattr(state_file.os, "fsync", sync)
    state_file.replace(file, "whole")
    assert synced == [(".state.json.new", "whole", False)]
