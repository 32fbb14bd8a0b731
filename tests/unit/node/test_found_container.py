"""found_container: which container a name stands for, and the end of a replacement whose run was killed."""

from __future__ import annotations

import pytest

from openstack_rollout.node import found_container, replacements

IMAGE = "registry.example/keystone@sha256:" + "a" * 64
RUNS = {"running": True, "exit_code": 0, "restarts": 0, "image_id": "id", "health_check": False}
UNIT = "kolla-keystone-container.service"
BUNDLE, HERE = "haproxy-bundle", "haproxy-bundle-podman-1"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(replacements, "FOLDER", tmp_path)


@pytest.mark.parametrize(
    ("unit", "now", "ended", "end"),
    [
        ("", RUNS, None, "accept"),
        (UNIT, RUNS, None, "accept"),
        ("", {**RUNS, "image_id": "old"}, None, "put_back"),
        ("", {**RUNS, "running": False}, None, "put_back"),
        # they run at the moment of the question, and have ended before
        ("", {**RUNS, "restarts": 2}, None, "put_back"),
        (UNIT, RUNS, "auto-restart", "put_back"),
    ],
)
def test_the_next_one_is_kept_where_it_is_sound(unit, now, ended, end):
    token = {"unit": unit, "engine": "docker_engine", "definition": None}
    replacements.begin("keystone", "docker_container", token)
    did = []
    salt = {
        "docker_engine.containers": lambda: {"keystone": now},
        "docker_engine.image_ids": lambda references: {IMAGE: "id"},
        "quadlet.ended": lambda unit: ended,
        "docker_container.accept": lambda *_: did.append("accept"),
        "docker_container.put_back": lambda *_: did.append("put_back"),
    }
    found_container.settle(salt, "keystone", IMAGE, replacements.pending("keystone"))
    assert did == [end]
    assert replacements.pending("keystone") is None


def test_a_bundle_stands_for_its_replica_on_this_node():
    salt = {"pacemaker_bundle.replica": lambda name: HERE if name == BUNDLE else ""}
    assert found_container.container_of(salt, BUNDLE) == HERE
    assert found_container.container_of(salt, "nova_compute") == "nova_compute"
    assert found_container.container_of({}, BUNDLE) == BUNDLE


def test_a_replica_whose_replacement_was_begun_need_not_run():
    replacements.begin(HERE, "pacemaker_bundle", {"unit": "", "bundle": BUNDLE})
    replacements.begin("nova_compute", "podman_api", {"unit": "nova.service"})
    salt = {"pacemaker_bundle.replica": lambda name: ""}
    assert found_container.container_of(salt, BUNDLE) == HERE
    replacements.end(HERE)
    assert found_container.container_of(salt, BUNDLE) == BUNDLE
