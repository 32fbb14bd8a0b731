"""kept_packages: which versions are kept before a move, from where, and what is told when there is no way."""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import dnf_library, kept_packages
from tests.unit.loading import Commands, load

TO = {"api": "2"}


class Node:
    """A node with dnf: what is installed, what its cache has, what repositories have."""

    def __init__(self, place, offered=("api", "lib"), cached=()):
        self.place, self.offered, self.cached = place, set(offered), set(cached)
        self.installed = {"api": ["1"], "lib": ["1"], "kernel": ["1", "2"]}
        self.comes, self.asked, self.away = {"lib": "2", "new": "2", "kernel": "3"}, [], False
        (place / "cache").mkdir()

    def ask(self, salt, question, longest):
        self.asked.append(question)
        if self.away:
            raise CommandExecutionError("dnf's library does not answer")
        found = []
        for name in question["packages"]:
            path = self.place / "cache" / f"{name}-{self.installed[name][0]}.noarch.rpm"
            if name in self.cached or (question["fetch"] and name in self.offered):
                path.write_text(name)
            row = {"name": name, "arch": "noarch", "version": self.installed[name][0], "problem": ""}
            there = str(path) if path.exists() else ""
            found.append(row | {"path": there, "offered": name in self.offered})
        return {"packages": found}

    def module(self, answers=None):
        salt = {
            "package_set.installed": lambda: self.installed,
            "package_set.along": lambda packages, exclude: self.comes,
            "cmd.run_all": Commands(answers),
        }
        return load("modules", "kept_packages", salt=salt, grains={"os_family": "RedHat", "osarch": "x86_64"})


@pytest.fixture
def node(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_packages, "FOLDER", tmp_path / "kept")

    def make(**how):
        found = Node(tmp_path, **how)
        monkeypatch.setattr(dnf_library, "ask", found.ask)
        return found

    return make


def test_what_moves_and_what_comes_along_is_kept_but_not_what_is_new(node):
    one = node(cached=["api"])
    module = one.module()
    assert module.due("s", TO) == {"keep": {"api": "1", "lib": "1"}, "missing": {}}
    assert not kept_packages.FOLDER.exists()
    assert module.keep("s", TO) == {"kept": {"api": "1", "lib": "1"}, "missing": {}}
    assert sorted(module.status("s")["files"]) == ["api", "lib"]
    assert [question["fetch"] for question in one.asked] == [False, False, True]
    assert one.asked[-1]["packages"] == ["lib"]  # the other one was in the cache


def test_a_second_time_nothing_is_fetched_nor_asked(node):
    one = node()
    module = one.module()
    module.keep("s", TO)
    asked = len(one.asked)
    assert module.due("s", TO) == {"keep": {}, "missing": {}}
    assert module.keep("s", TO) == {"kept": {}, "missing": {}} and len(one.asked) == asked
    assert sorted(module.status("s")["files"]) == ["api", "lib"]


def test_what_neither_repository_nor_cache_has_is_told_beforehand(node):
    module = node(offered=["lib"]).module()
    why = {"api": "no repository has it, nor the cache"}
    assert module.due("s", TO) == {"keep": {"lib": "1"}, "missing": why}
    assert module.keep("s", TO) == {"kept": {"lib": "1"}, "missing": why}
    assert module.status("s")["missing"] == why


def test_what_is_left_in_the_cache_only_counts_when_it_is_whole(node):
    one = node(offered=[], cached=["api"])
    assert one.module().due("s", TO)["keep"] == {"api": "1"}
    damaged = one.module({"rpm -K": {"retcode": 1}})
    assert "api" in damaged.due("s", TO)["missing"]


def test_a_package_manager_that_cannot_be_asked_is_no_failure_but_told(node):
    one = node()
    one.away = True
    missing = one.module().keep("s", TO)["missing"]
    assert missing == dict.fromkeys(("api", "lib"), "dnf's library does not answer")


def test_an_unproven_move_keeps_what_was_before_it(node):
    """Its run died after the packages had moved: they are not what it goes back to."""
    one = node()
    module = one.module()
    module.keep("s", TO)
    module.begin("s", [8774], [8774])
    module.begin("s", [1])  # the run after it finds other ports
    one.installed |= {"api": ["2"]}
    assert module.status("s")["back"] == {"api": "1"}
    module.keep("s", {"api": "3"})
    now = module.status("s")
    assert now["packages"]["api"] == "1" and now["listened"] == [8774] and "api" in now["files"]
    assert now["spoke"] == [8774]


def test_a_move_that_moved_nothing_or_went_back_keeps_nothing_old(node):
    one = node()
    module = one.module()
    module.keep("s", TO)
    module.begin("s", [])
    one.installed |= {"api": ["2"]}
    one.installed |= {"api": ["1"]}
    module.ended("s")
    assert not module.status("s")["begun"]
    one.installed |= {"api": ["1.5"], "lib": ["1.5"]}  # somebody else
    assert module.keep("s", TO)["kept"] == {"api": "1.5", "lib": "1.5"}
    assert module.status("s")["packages"] == {"api": "1.5", "lib": "1.5"}
    module.forget("s")
    assert module.status("s")["packages"] == {}


def test_nothing_to_move_keeps_nothing(node):
    module = node().module()
    assert module.keep("s", {}) == {"kept": {}, "missing": {}} and not kept_packages.FOLDER.exists()
