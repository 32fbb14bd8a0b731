"""pulling: a registry that has had enough is asked again later, by each node at a time of its own."""

from __future__ import annotations

import pytest

from openstack_rollout.node import pulling
from openstack_rollout.node.errors import NodeError

IMAGE = "registry.example/nova@sha256:" + "a" * 64


@pytest.fixture
def waited(monkeypatch):
    found = []
    monkeypatch.setattr(pulling.time, "sleep", found.append)
    return found


def engine(*failures):
    left = list(failures)

    def pull(image):
        if left:
            raise NodeError(left.pop(0), "said so")

    return {"podman.pull": pull}, left


def test_a_rate_limit_is_waited_out(waited):
    salt, left = engine("REGISTRY_RATE_LIMIT", "REGISTRY_RATE_LIMIT")
    pulling.pull(salt, "podman", IMAGE)
    assert left == [] and len(waited) == 2 and 15 <= waited[0] < 30 and 45 <= waited[1] < 90


def test_nodes_that_were_refused_together_ask_again_at_different_times(waited, monkeypatch):
    for node in ("cmp1", "cmp2", "cmp3"):
        monkeypatch.setattr(pulling.socket, "gethostname", lambda node=node: node)
        pulling.pull(engine("REGISTRY_RATE_LIMIT")[0], "podman", IMAGE)
    assert len(set(waited)) == 3


def test_it_is_not_asked_for_ever_and_anything_else_fails_at_once(waited):
    with pytest.raises(NodeError, match="REGISTRY_RATE_LIMIT"):
        pulling.pull(engine(*["REGISTRY_RATE_LIMIT"] * 9)[0], "podman", IMAGE)
    assert len(waited) == 3
    waited.clear()
    with pytest.raises(NodeError, match="REGISTRY_LOGIN"):
        pulling.pull(engine("REGISTRY_LOGIN")[0], "podman", IMAGE)
    assert waited == []


def test_a_registry_that_says_for_how_long_is_left_alone_so_long_and_not_for_hours(waited):
    left = [NodeError("REGISTRY_RATE_LIMIT", "x", retry_after=200.0)]

    def pull(image):
        if left:
            raise left.pop()

    pulling.pull({"podman.pull": pull}, "podman", IMAGE)
    assert 200 <= waited[0] <= 400

    def refuses(image):
        raise NodeError("REGISTRY_RATE_LIMIT", "x", retry_after=7200.0)

    waited.clear()
    with pytest.raises(NodeError) as refused:
        pulling.pull({"podman.pull": refuses}, "podman", IMAGE)
    assert waited == [] and refused.value.retry_after == 7200
