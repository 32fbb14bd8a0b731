"""The image that a container had before a run, on a real machine: what an operator's pruning leaves of it."""

from __future__ import annotations

import json

import pytest

METADATA = "edpm_neutron_metadata_agent_image"
CONTAINER = "ovn_metadata_agent"
FIRST, SECOND = "20261130-010203-abcd", "20261130-020304-abcd"
HELD = "prefetch the former images of the run"
PRUNES = (
    ["podman", "image", "prune", "--all", "--force"],
    ["podman", "system", "prune", "--all", "--force"],
)


@pytest.fixture
def former(node, page):
    """The metadata agent has the hotfix, and the operator's page the release's image again."""
    reference = node.images["hotfix"]
    node.edit(custom_images={METADATA: reference})
    node.converge()
    assert node.digest(CONTAINER) == reference.partition("@")[2]
    node.edit()
    yield reference
    if held := volumes(node):
        node.exec(["podman", "volume", "rm", *held])


def prefetch(node, run, test=False):
    """What prefetch of a run answers of former images."""
    pillar = {"openstack_rollout": {"run": run, "stages": ["services"]}}
    answer = node.apply("openstack.prefetch", f"pillar={json.dumps(pillar)}", test=test)
    assert all(one["result"] is not False for one in answer.values()), answer
    assert answer[HELD]["result"] is True and not answer[HELD].get("warnings"), answer[HELD]
    return answer[HELD]


def volumes(node):
    return node.out(["podman", "volume", "ls", "--quiet"]).split()


def is_local(node, image):
    return node.exec(["podman", "image", "exists", image], check=False).returncode == 0


def prune(node):
    for command in PRUNES:
        node.exec(command)


def test_an_image_that_nobody_holds_goes(node, former):
    node.converge()
    prune(node)
    assert not is_local(node, former)


def test_a_former_image_is_held_until_nobody_needs_it(node, former):
    there = set(node.call("openstack_node.facts")["containers"])
    listed = node.out(["podman", "ps", "--all", "--format", "{{.Names}}"])
    prefetch(node, FIRST, test=True)
    assert volumes(node) == []
    prefetch(node, FIRST)
    held = volumes(node)
    assert len(held) == 1 and held[0].startswith(f"openstack-rollout-{FIRST}-")
    node.converge()
    prune(node)
    assert is_local(node, former) and volumes(node) == held
    prefetch(node, FIRST)  # a run that goes on
    prefetch(node, SECOND)  # one that moves nothing
    assert volumes(node) == held
    assert set(node.call("openstack_node.facts")["containers"]) == there
    assert node.out(["podman", "ps", "--all", "--format", "{{.Names}}"]) == listed

    keep = [one for one in node.releases["1.0.0"]["images"].values() if isinstance(one, str)]
    asked = [json.dumps(keep), json.dumps([former.partition("@")[0]])]
    predicted = node.call("surplus.prune", *asked, "test=True")
    assert former in predicted["images"] and volumes(node) == held
    assert node.call("surplus.prune", *asked) == predicted
    assert not is_local(node, former) and volumes(node) == []


def test_a_container_goes_back_to_an_image_that_was_held_though_the_registry_is_down(node, former):
    prefetch(node, FIRST)
    node.converge()
    prune(node)
    node.edit(custom_images={METADATA: former})
    node.lab.stop_registry()
    try:
        node.converge()
    finally:
        node.lab.start_registry()
    assert node.digest(CONTAINER) == former.partition("@")[2]


def test_the_next_run_that_moves_something_takes_its_place(node, former):
    prefetch(node, FIRST)
    node.converge()
    node.edit(custom_images={METADATA: former})
    prefetch(node, SECOND)
    held = volumes(node)
    assert len(held) == 1 and held[0].startswith(f"openstack-rollout-{SECOND}-")
