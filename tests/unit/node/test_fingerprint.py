"""Whether files are as they were."""

from __future__ import annotations

from openstack_rollout.node import fingerprint


def test_it_changes_with_a_file_and_with_the_question(tmp_path):
    (tmp_path / "a").write_text("1")
    patterns = [f"{tmp_path}/*"]
    first = fingerprint.of(patterns)
    assert first == fingerprint.of(patterns) != fingerprint.of(patterns, "other")
    (tmp_path / "b").touch()
    assert fingerprint.of(patterns) != first


def test_nothing_to_go_by_is_told(tmp_path):
    assert fingerprint.of([f"{tmp_path}/none"], "x") == ""
