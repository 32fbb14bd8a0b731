"""container_store: where engines keep images, and what is wrong there; podman's own files are read."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest

from openstack_rollout.node import container_store
from tests.unit.loading import Commands

A, B = "a" * 64, "b" * 64


def told(root, **store):
    store = {"graphRoot": str(root), "graphDriverName": "overlay", "imageCopyTmpDir": "/copies", **store}
    return json.dumps({"store": store, "host": {"freeLocks": 2000}})


def podman(root, answer=None):
    run = Commands({"podman info": told(root) if answer is None else answer})
    (found,) = container_store.found({"cmd.run_all": run, "podman.containers": dict})
    return found


@pytest.fixture
def root(tmp_path):
    layers = [
        {"id": "1", "compressed-diff-digest": f"sha256:{A}", "compressed-size": 100, "diff-size": 250},
        {"id": "2", "compressed-diff-digest": f"sha256:{B}", "compressed-size": 100, "diff-size": 350},
        {"id": "3"},  # made here
    ]
    for part, entries in (("images", []), ("layers", layers), ("containers", [])):
        folder = tmp_path / f"overlay-{part}"
        folder.mkdir()
        (folder / f"{part}.json").write_text(json.dumps(entries))
    return tmp_path


def test_a_sound_store_tells_its_layers_and_how_they_grow(root):
    found = podman(root)
    assert (found["root"], found["copies"], found["broken"], found["doubts"]) == (
        str(root),
        "/copies",
        [],
        [],
    )
    assert found["layers"] == [A[:12], B[:12]] and found["grows"] == 3.0


def test_a_store_in_which_nothing_was_pulled_yet_is_sound(tmp_path):
    found = podman(tmp_path / "absent")
    assert (found["broken"], found["layers"], found["grows"]) == ([], [], 0.0)


@pytest.mark.parametrize("part", ["images", "layers", "containers"])
def test_a_list_that_cannot_be_read_is_broken(root, part):
    (root / f"overlay-{part}" / f"{part}.json").write_text('[{"id":')
    (line,) = podman(root)["broken"]
    assert f"{part}.json cannot be read" in line


def test_a_list_that_a_power_cut_emptied_holds_nothing(root):
    (root / "overlay-layers" / "layers.json").write_text("")
    assert podman(root)["broken"] == []


def test_a_layer_that_is_not_whole_is_a_doubt(root):
    layer = {"id": "4" * 64, "flags": {"incomplete": True}}
    (root / "overlay-layers" / "layers.json").write_text(json.dumps([layer]))
    assert podman(root)["doubts"] == ["layer 444444444444 is not whole (podman system check)"]


def test_a_file_system_without_types_is_broken(root):
    said = told(root, graphStatus={"Supports d_type": "false"})
    assert "ftype=0" in podman(root, said)["broken"][0]


@pytest.mark.parametrize(("free", "kind"), [(0, "broken"), (3, "doubts"), (16, None)])
def test_podmans_locks_may_run_out(root, free, kind):
    said = json.loads(told(root)) | {"host": {"freeLocks": free}}
    found = podman(root, json.dumps(said))
    assert [key for key in ("broken", "doubts") if found[key]] == ([kind] if kind else [])


def test_a_read_only_file_system_is_broken(root, monkeypatch):
    flags = SimpleNamespace(f_flag=os.ST_RDONLY)
    monkeypatch.setattr(container_store.os, "statvfs", lambda _: flags)
    assert "read-only" in podman(root)["broken"][0]


@pytest.mark.parametrize("answer", [{"retcode": 125, "stderr": "Error: database is locked"}, "no JSON"])
def test_an_engine_that_does_not_tell_is_broken(root, answer):
    found = podman(root, answer)
    assert "podman does not tell of its store" in found["broken"][0] and found["root"] == ""


def test_docker_is_asked_in_its_own_way(tmp_path):
    known = tmp_path / "image" / "overlay2" / "distribution" / "diffid-by-digest" / "sha256"
    known.mkdir(parents=True)
    (known / A).touch()
    run = Commands({"docker info": json.dumps({"DockerRootDir": str(tmp_path), "Driver": "overlay2"})})
    (found,) = container_store.found({"cmd.run_all": run, "docker_engine.containers": dict})
    assert (found["engine"], found["layers"], found["broken"]) == ("docker", [A[:12]], [])


def test_a_node_without_an_engine_has_no_store():
    assert container_store.found({}) == []
