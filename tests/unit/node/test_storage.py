"""storage: a file system that lacks room is named, with what it has and what is needed."""

from __future__ import annotations

import pytest

from openstack_rollout.node import storage
from openstack_rollout.node.errors import NodeError


def test_room_where_there_is_enough(tmp_path):
    assert storage.lacking(str(tmp_path), "an image", size=1, files=1) == ""


def test_a_lack_names_the_file_system_what_is_free_and_what_is_needed(tmp_path):
    huge = 2**62
    with pytest.raises(NodeError) as error:
        storage.require_room(str(tmp_path), "an image", size=huge)
    assert error.value.reason == "DISK_FULL"
    now = storage.room(str(tmp_path))
    assert str(huge) in error.value.text and f"{now.system} " in error.value.text


def test_a_folder_that_is_still_to_be_made_is_where_its_parent_is(tmp_path):
    assert storage.room(str(tmp_path / "a" / "b")).system == storage.room(str(tmp_path)).system


def test_files_count_too(tmp_path):
    files = storage.room(str(tmp_path)).files
    if files is None:
        pytest.skip("this file system has no limit on files")
    assert storage.lacking(str(tmp_path), "an image", size=1, files=2**62) != ""
