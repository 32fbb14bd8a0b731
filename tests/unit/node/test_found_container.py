"""found_container: which container a name stands for, and the end of a replacement whose run was killed."""

from __future__ import annotations

import pytest

from openstack_rollout.node import found_container, replacements
from openstack_rollout.node.errors import NodeError

IMAGE = "registry.example/keystone@sha256:" + "a" * 64
RUNS = {"id": "new", "running": True, "exit_code": 0, "restarts": 0, "image_id": "id", "health_check": False}
UNIT = "kolla-keystone-container.service"
BUNDLE, HERE = "haproxy-bundle", "haproxy-bundle-podman-1"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(replacements, "FOLDER", tmp_path)


GUARDED = {"guard": "galera", "turn": True, "timeout": 0}


class Node:
    """What a settled container needs of a node; `did` is what was done, in order."""

    def __init__(self, now, ended=None, beside=None):
        self.did = []
        self.salt = {
            "docker_engine.containers": lambda: {"keystone": now, **(beside or {})},
            "docker_engine.container": {"keystone": now, **(beside or {})}.get,
            "docker_engine.image_ids": lambda references: {IMAGE: "id"},
            "docker_engine.healthy": lambda container: now["healthy"],
            "docker_engine.log": lambda container, since: "",
            "galera.progress": lambda container: None,
            "quadlet.ended": lambda unit: ended,
            "quadlet.log": lambda unit, since: "",
            **{
                name: self._noted(name)
                for name in (
                    *(f"docker_container.{one}" for one in ("accept", "put_back", "discard")),
                    *(f"unit_hold.{one}" for one in ("hold", "release")),
                    *(f"galera.{one}" for one in ("before_stop", "after_start", "pending", "undo")),
                    *(f"controller_turn.{one}" for one in ("take", "give")),
                )
            },
        }

    def settle(self, unit="", **how):
        token = {
            "unit": unit,
            "engine": "docker_engine",
            "definition": None,
            "next": "new",
            "previous": "old",
        }
        replacements.begin("keystone", "docker_container", token)
        begun = replacements.pending("keystone")
        now = self.salt["docker_engine.containers"]().get("keystone")
        how = {"guard": "none", "turn": False, "timeout": 9, **how}
        one = found_container.described("keystone", begun, now, **how)
        found_container.settle(self.salt, one, IMAGE, begun)
        return self.did

    def _noted(self, name):
        return lambda *_: self.did.append(name)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(found_container.container_change, "_STAYS_UP", 0)


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
    did = Node(now, ended).settle(unit)
    assert [one for one in did if one.startswith("docker_container.")] == [f"docker_container.{end}"]
    assert replacements.pending("keystone") is None


def test_a_next_one_that_runs_and_is_not_sound_is_taken_away_under_its_guard_and_in_its_turn():
    sick = {**RUNS, "health_check": True, "healthy": False}
    assert Node(sick).settle(UNIT, **GUARDED) == [
        "controller_turn.take",
        "galera.before_stop",
        "docker_container.put_back",
        "unit_hold.release",
        "galera.after_start",
        "controller_turn.give",
    ]


def test_a_next_one_that_copies_what_it_needs_is_left_alone():
    node = Node({**RUNS, "health_check": True, "healthy": False})
    node.salt["galera.progress"] = lambda container: {"what": "it is fed", "mark": [1], "copies": True}
    with pytest.raises(NodeError) as stalled:
        node.settle(UNIT, **GUARDED)
    assert stalled.value.reason == "COPY_STALLED" and node.did == []
    assert replacements.pending("keystone")["carrier"] == "docker_container"


def test_what_does_not_run_is_started_again_without_a_turn_and_ends_the_work_of_its_guard():
    did = Node({**RUNS, "running": False}).settle(UNIT, **GUARDED)
    assert did[:2] == ["galera.pending", "docker_container.put_back"] and did[-1] == "galera.after_start"


def test_a_next_one_beside_which_the_previous_one_runs_is_not_sound():
    did = Node(RUNS, beside={"keystone-previous": {**RUNS, "id": "old"}}).settle(UNIT)
    assert [one for one in did if one.startswith("docker_container.")] == ["docker_container.put_back"]


def test_a_container_that_its_deployer_made_anew_stays_and_what_was_kept_goes():
    assert Node({**RUNS, "id": "anew"}).settle(UNIT) == ["docker_container.discard"]
    assert replacements.pending("keystone") is None


def test_a_replacement_that_cannot_be_put_back_stays_recorded():
    node = Node({**RUNS, "running": False})

    def fails(*_):
        raise NodeError("NODE_ERROR", "the disk is full")

    node.salt["docker_container.put_back"] = fails
    with pytest.raises(NodeError):
        node.settle(UNIT)
    assert replacements.pending("keystone")


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
