"""way_back: what a run keeps on a node, and what the node tells of it."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from openstack_rollout.node import kept_packages
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.storage import Room
from tests.unit.loading import load


class Node:
    """What is installed, and a cache that has every file."""

    def __init__(self, place):
        self.place, self.installed = (
            place,
            {"a": ["1"], "b": ["1"], "kernel": ["5"], "salt-minion": ["3008.2"]},
        )
        self.full, self.kernel, self.missing, self.kept = False, "5.14.0-1", {}, []

    def keep(self, service, packages, exclude, patience):
        assert 0 < patience <= 300
        if self.full:
            raise NodeError("DISK_FULL", "no space left on device")
        folder = kept_packages.FOLDER / service
        folder.mkdir(parents=True, exist_ok=True)
        had = {name: self.installed[name][0] for name in packages if name in self.installed}
        had = {**had, **(kept_packages.of(service).packages if kept_packages.of(service).begun else {})}
        files = {name: str(folder / f"{name}.rpm") for name in had if name not in self.missing}
        for path in files.values():
            (folder / path).write_text("file")
        self.kept.append(sorted(packages))
        kept_packages.write(service, kept_packages.Kept(had, files, dict(self.missing)))
        return {"kept": had, "missing": dict(self.missing)}

    def begin(self, service, listened):
        kept_packages.write(service, kept_packages.of(service)._replace(begun=True))

    def module(self):
        salt = {
            "package_set.installed": lambda: self.installed,
            "package_set.changes": lambda packages, stage: {
                "install": {name: one for name, one in packages.items() if [one] != self.installed.get(name)},
                "remove": ["b"] if stage == "ovs" else [],
            },
            "kept_packages.keep": self.keep,
            "kept_packages.begin": self.begin,
            "podman.containers": lambda known=False: {},
            "podman.local_images": lambda known=False: {"id1": ["registry.example/x@sha256:1"]},
            "bootc.status": lambda: None,
        }
        module = load("modules", "way_back", salt=salt)
        module._RECORD = self.place / "way-back.json"
        module.os = SimpleNamespace(uname=lambda: SimpleNamespace(release=self.kernel))
        return module


@pytest.fixture
def node(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_packages, "FOLDER", tmp_path / "packages")
    return Node(tmp_path)


def test_what_a_run_moves_is_due_with_the_stream_that_goes_but_not_salts_own(node):
    due = node.module().due({"ovs": {"a": "2"}, "system": {"salt-minion": "3008.3"}}, {"c": "1"})
    assert due == {"a": "2", "b": "1", "c": "1"}


def test_what_moved_is_told_with_what_it_was(node):
    module = node.module()
    assert module.keep("r1", {"a": "2"})["kept"] == {"a": "1"}
    node.installed |= {"a": ["2"], "new": ["1"], "kernel": ["5", "6"], "salt-minion": ["3008.3"]}
    assert module.kept("r1") == {
        **{"schema": 1, "known": True, "images": [], "missing": {}, "others": [], "cannot": {}},
        "packages": {"a": {"had": "1", "has": ["2"]}},
    }


def test_a_run_that_goes_on_keeps_what_was_there_when_it_began(node):
    module = node.module()
    module.keep("r1", {"a": "2", "b": "2"})
    node.installed["a"] = ["2"]
    module.keep("r1", {"b": "2"})
    node.installed["b"] = ["2"]
    told = module.kept("r1")
    assert {name: one["had"] for name, one in told["packages"].items()} == {"a": "1", "b": "1"}
    assert told["missing"] == {}


def test_the_next_run_that_moves_something_takes_its_place_and_one_that_moves_nothing_does_not(node):
    module = node.module()
    module.keep("r1", {"a": "2"})
    node.installed["a"] = ["2"]
    module.keep("r2", {})
    assert module.kept("r1")["packages"] and not module.kept("r2")["packages"]
    module.keep("r3", {"b": "2"})
    node.installed["b"] = ["2"]
    assert module.kept("r1")["packages"] == {} and list(module.kept("r3")["packages"]) == ["b"]
    assert kept_packages.at_hand({"a": "1", "b": "1"}).keys() == {"b"}


def test_a_run_that_moves_nothing_is_seen_and_one_that_never_asked_is_not(node):
    module = node.module()
    module.keep("r1", {"a": "2"})
    module.keep("r2", {})
    assert [module.kept(run)["known"] for run in ("r1", "r2", "r3")] == [True, True, False]
    for number in range(99):
        module.keep(f"x{number}", {})
    assert module.kept("r1")["packages"] == {} and not module.kept("r2")["known"]


@pytest.mark.parametrize("goes_on", [False, True])
def test_what_cannot_be_written_down_is_not_made_up_when_the_run_goes_on(node, monkeypatch, goes_on):
    """A disk that was full when the run began, and had room once it had moved the node."""
    module = node.module()
    if not goes_on:
        with monkeypatch.context() as patched:
            patched.setattr(module.StateFile, "write", lambda *_: (_ for _ in ()).throw(OSError("full")))
            with pytest.raises(NodeError, match="NODE_ERROR"):
                module.keep("r1", {"a": "2"})
    else:
        module.keep("r1", {"a": "2"})
    node.installed["a"] = ["2"]
    told = module.keep("r1", {"b": "2"}, touched=True)
    assert ("had moved the node" in str(told["missing"])) is not goes_on
    assert module.kept("r1")["known"] is goes_on
    assert list(module.kept("r1")["packages"]) == (["a"] if goes_on else [])


def test_what_is_nowhere_is_told_with_the_cause(node):
    node.missing = {"a": "no repository has it, nor the cache"}
    module = node.module()
    module.keep("r1", {"a": "2"})
    node.installed |= {"a": ["2"], "b": ["2"]}  # the second by somebody else
    told = module.kept("r1")
    assert told["missing"] == {"a": "no repository has it, nor the cache"}
    assert list(told["packages"]) == ["a"] and told["others"] == ["b"]


@pytest.mark.parametrize("full", ["before", "meanwhile"])
def test_without_room_nothing_is_kept_and_that_is_told(node, monkeypatch, full):
    module = node.module()
    if full == "before":
        monkeypatch.setattr(module.storage, "room", lambda folder: Room("/", 2**30, None))
    else:
        node.full = True
    assert module.keep("r1", {"a": "2"})["missing"].keys() == {"a"}
    assert node.kept == []
    node.installed["a"] = ["2"]
    assert module.kept("r1")["missing"] == {"a": "it was not kept"}


def test_another_kernel_than_before_is_told_of_the_system_stage(node):
    module = node.module()
    module.keep("r1", {"a": "2"})
    node.kernel = "5.14.0-2"
    assert module.kept("r1")["cannot"] == {"system": ["kernel 5.14.0-2 is in use, 5.14.0-1 was before"]}


def test_images_are_told_that_are_local(node):
    references = ["registry.example/x@sha256:1", "registry.example/x@sha256:2"]
    assert node.module().kept("r1", references)["images"] == ["registry.example/x@sha256:1"]


def test_a_damaged_record_is_none(node):
    module = node.module()
    module._RECORD.write_text("{")
    assert module.kept("r1")["packages"] == {}
    assert module.keep("r1", {"a": "2"})["kept"]


def test_packages_that_are_at_hand_need_no_repository(node):
    module = node.module()
    module.keep("r1", {"a": "2"})
    assert kept_packages.at_hand({"a": "1"}) == {"a": str(kept_packages.FOLDER / ".run" / "a.rpm")}
    assert kept_packages.at_hand({"a": "2"}) == {}
    os.unlink(kept_packages.FOLDER / ".run" / "a.rpm")
    assert kept_packages.at_hand({"a": "1"}) == {}


R = "registry.example/x"
OLD, NEW, ODD = "1" * 64, "2" * 64, "3" * 64


def former(moving, wanted=(), **containers):
    """The former images of a node whose containers have these images."""
    salt = {
        "podman.containers": lambda known=False: {
            name: {"image_id": image, "running": True} for name, image in containers.items()
        },
        "podman.named_images": lambda known=False: {f"{R}:old": OLD, f"{R}@sha256:2": NEW},
        "podman.image_ids": lambda some, known=False: {one: NEW for one in some if one == f"{R}@sha256:2"},
        "quadlet.managed": lambda: {name: f"{name}.service" for name in containers if name != "found"},
        "foreign_quadlet.carried": lambda: {"found": {"unit": "found.service", "image": f"{R}:old"}},
        "pacemaker_bundle.carried": lambda: {
            "galera-podman-0": {"unit": "", "image": "pcmklatest", "bundle": "galera"}
        },
    }
    return load("modules", "way_back", salt=salt).former_images(moving, wanted)


def test_an_image_is_former_that_a_container_has_and_is_not_to_have():
    new = f"{R}@sha256:2"
    assert former({"nova": new}, nova=OLD) == [OLD]
    assert former({"nova": new}, nova=NEW) == [], "it has moved"
    assert former({"nova": f"{R}@sha256:9"}, nova=NEW) == [NEW], "the next one is not pulled yet"
    assert former({"nova": new}) == [], "it is not here"
    assert former({"galera": new}, **{"galera-podman-0": OLD}) == [OLD]
    assert former({"found": new}) == [OLD], "one that does its work once, and ended"
    assert former({"nova": new, "found": new}, nova=OLD, found=ODD) == [OLD, ODD]


def test_the_image_of_a_container_of_ours_that_goes_is_a_former_one():
    new = f"{R}@sha256:2"
    assert former({"nova": new}, ["nova"], nova=NEW, orphan=ODD) == [ODD]
    assert former({"nova": new}, [], nova=NEW, orphan=ODD) == [], "no stage of this run removes it"


def test_without_podman_no_image_is_held():
    assert load("modules", "way_back").former_images({"nova": f"{R}@sha256:2"}) == []
