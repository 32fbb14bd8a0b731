"""The image of a container that somebody else deployed: which container a name stands for on a node."""

from __future__ import annotations

import pytest

from openstack_rollout.node import found_container, replacements

BUNDLE, HERE = "haproxy-bundle", "haproxy-bundle-podman-1"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(replacements, "FOLDER", tmp_path)


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
