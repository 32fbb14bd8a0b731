"""kept_packages: files and a record for each service, and never more than its last move needs."""

from __future__ import annotations

import errno

import pytest

from openstack_rollout.node import kept_packages
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.packages import Source


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_packages, "FOLDER", tmp_path / "kept")
    return tmp_path


def file(place, name, text="x"):
    path = place / name
    path.write_text(text)
    return str(path)


def take(packages, sources):
    found = kept_packages.take("api", packages, sources)
    kept_packages.write("api", found)
    return found


def test_files_are_kept_beside_the_cache_that_may_be_emptied(place):
    cached = file(place, "api_1_all.deb", "one")
    take({"api": "1", "lib": "1"}, {"api": Source(cached), "lib": Source("", "no repository has it")})
    (place / "api_1_all.deb").unlink()
    found = kept_packages.of("api")
    assert found.packages == {"api": "1", "lib": "1"} and found.missing == {"lib": "no repository has it"}
    with open(found.files["api"], encoding="utf-8") as kept:
        assert kept.read() == "one"


def test_only_what_the_last_move_needs_is_kept(place):
    take({"api": "1"}, {"api": Source(file(place, "api_1_all.deb"))})
    folder = kept_packages.FOLDER / "api"
    take({"api": "2"}, {"api": Source(file(place, "api_2_all.deb"))})
    assert sorted(one.name for one in folder.iterdir()) == ["api_2_all.deb", "kept.json"]
    again = kept_packages.of("api")
    take({"api": "2"}, {"api": Source(again.files["api"])})  # it is where it belongs already
    assert kept_packages.of("api").files == again.files
    kept_packages.drop("api")
    kept_packages.drop("api")
    assert not folder.exists() and kept_packages.of("api") == kept_packages.Kept()


def test_a_file_that_went_is_missing_and_a_damaged_record_keeps_nothing(place):
    found = take({"api": "1"}, {"api": Source(file(place, "api_1_all.deb"))})
    kept_packages.Path(found.files["api"]).unlink()
    assert kept_packages.of("api").files == {} and kept_packages.of("api").missing == {
        "api": "its file is gone"
    }
    (kept_packages.FOLDER / "api/kept.json").write_text("{")
    assert kept_packages.of("api") == kept_packages.Kept()


@pytest.mark.parametrize(("number", "reason"), [(errno.ENOSPC, "DISK_FULL"), (errno.EROFS, "NODE_ERROR")])
def test_a_disk_that_refuses_has_its_word(place, monkeypatch, number, reason):
    def refused(*_):
        raise OSError(number, "refused")

    monkeypatch.setattr(kept_packages.os, "link", refused)
    monkeypatch.setattr(kept_packages.shutil, "copy2", refused)
    with pytest.raises(NodeError) as error:
        take({"api": "1"}, {"api": Source(file(place, "api_1_all.deb"))})
    assert error.value.reason == reason


def test_another_file_system_is_copied_from(place, monkeypatch):
    def refused(*_):
        raise OSError(errno.EXDEV, "other device")

    monkeypatch.setattr(kept_packages.os, "link", refused)
    found = take({"api": "1"}, {"api": Source(file(place, "api_1_all.deb", "one"))})
    assert kept_packages.Path(found.files["api"]).read_text() == "one"


def test_what_is_told():
    missing = {"b": "no repository has it", "a": "no repository has it", "c": "its file is gone"}
    assert kept_packages.told(missing) == "a, b (no repository has it); c (its file is gone)"
    kept = kept_packages.Kept({"a": "1", "b": "1", "c": "1"})
    assert kept_packages.due_back(kept, {"a": ["2"], "b": ["1"]}) == {"a": "1"}
