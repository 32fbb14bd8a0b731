"""A node that is out of date, broken or in wrong hands: it is that node's own failure, never the cloud's."""

from __future__ import annotations

import dataclasses

import pytest

from openstack_rollout.errors import RolloutError
from tests.unit.simulated_fleet import CONTAINERS, Cloud, Master, digest, refusal

EVIL = "evil.example/x@sha256:" + "e" * 64
BAD = "compute2"


def without(*keys):
    return lambda facts: {key: value for key, value in facts.items() if key not in keys}


def with_(**changed):
    return lambda facts: facts | changed


def elsewhere(facts):
    """Containers whose image is at another host, as a node might make a master pull or look it up."""
    containers = {name: one | {"image": EVIL, "image_id": EVIL} for name, one in facts["containers"].items()}
    return facts | {"containers": containers}


NONSENSE = {
    "no target, no containers": without("target", "containers"),
    "nothing": lambda facts: {},
    "no mapping": lambda facts: [facts],
    "a string": lambda facts: "Minion did not return",
    "lists for mappings": with_(containers=[], packages=["bash"], newer=[]),
    "a huge answer": with_(datapath=["x" * 4000] * 1000),
    "another schema": with_(schema=1),
    "no schema": without("schema"),
    "extra keys": with_(services={"ovn": {"image": EVIL, "container": "ovn", "local": False}}),
    "images in containers": elsewhere,
    "the facts of a neighbour": with_(id="compute1"),
    "roles that there are not": with_(roles=["emperor"]),
    "deep nesting": with_(containers={"ovn": {"running": {"a": {"b": {"c": []}}}}}),
}
OUT_OF_PLACE = {
    "roles of others": with_(roles=["controller"]),
    "more roles": with_(roles=["controller", "compute"]),
    "no role": with_(roles=[]),
}
# Facts in form: what they say is weighed by the master's own share.
LIES = {
    "versions of tomorrow": with_(packages={"bash": ["99.0"], "openvswitch": ["99.0"]}),
    "images of its own": with_(images=[EVIL, "registry.example/ovn:latest"]),
    "services that it does not have": with_(
        checks=[{"service": "control_plane", "call": "rm.rf", "lines": [EVIL]}], pending=["x"], managed=["y"]
    ),
}

forged = pytest.mark.parametrize(
    ("forge", "reason"),
    [
        *(pytest.param(forge, "FACTS_INVALID", id=name) for name, forge in NONSENSE.items()),
        *(pytest.param(forge, "NODE_ERROR", id=name) for name, forge in OUT_OF_PLACE.items()),
        pytest.param(with_(target="1.0.0"), "TARGET_CHANGED", id="another target"),
    ],
)


class Forging(Cloud):
    """One compute answers what it likes."""

    def __init__(self, forge, **policy):
        super().__init__(controller=3, compute=4)
        self.forge = forge
        self.policy("compute", **policy)

    def facts_of(self, name):
        facts = super().facts_of(name)
        return self.forge(facts) if name == BAD else facts


class Recording(Master):
    """Notes every reference that the registry is asked for."""

    def __init__(self, cloud, folder):
        super().__init__(cloud, folder)
        self.asked = set()

    def ports(self):
        def registry(images):
            self.asked |= set(images.values())
            return []

        return dataclasses.replace(super().ports(), registry=registry)


def the_registry_is_asked_for_what_is_declared(cloud, master):
    declared = {f"registry.example/{stage}@{digest(stage, '1.0.1')}" for stage in CONTAINERS}
    assert master.asked and master.asked <= declared


def reached(cloud):
    return {name for name, node in cloud.nodes.items() if set(node.at.values()) == {"1.0.1"}}


@forged
def test_the_others_are_updated_and_the_node_is_named(tmp_path, forge, reason):
    cloud = Forging(forge, max_failures=1)
    master = Recording(cloud, tmp_path)
    error = refusal(master.update)
    assert error.reason == "FAILURE_BUDGET" and error.nodes == (BAD,)
    assert master.run.state == "incomplete" and f"{BAD} ({reason})" in master.run.message
    assert reached(cloud) == set(cloud.nodes) - {BAD}
    record = master.journal.node(master.run.id, BAD)
    assert (record.state, record.reason) == ("failed", reason) and BAD in record.message
    assert BAD not in cloud.statuses("apply")
    the_registry_is_asked_for_what_is_declared(cloud, master)


@forged
def test_without_a_budget_begin_is_refused_under_the_nodes_own_reason(tmp_path, forge, reason):
    cloud = Forging(forge, max_failures=0)
    master = Recording(cloud, tmp_path)
    error = refusal(master.update)
    assert (error.reason, error.nodes) == (reason, (BAD,)) and BAD in error.message
    assert master.run is None and cloud.applied == []
    the_registry_is_asked_for_what_is_declared(cloud, master)  # the other conditions are looked at, too


@pytest.mark.parametrize("forge", LIES.values(), ids=LIES)
@pytest.mark.parametrize("budget", [0, 1])
def test_a_lie_in_form_brings_nothing_but_the_nodes_own_update(tmp_path, forge, budget):
    cloud = Forging(forge, max_failures=budget)
    master = Recording(cloud, tmp_path)
    try:
        master.update()
    except RolloutError as error:
        # The node is never proven: that is its own failure, found by the proof after its update.
        assert error.nodes == (BAD,) and error.reason in ("NOT_AT_RELEASE", "FAILURE_BUDGET"), error
        assert master.run.reason in ("NOT_AT_RELEASE", "FAILURE_BUDGET")
        if budget:
            assert f"{BAD} (NOT_AT_RELEASE)" in master.run.message
    if budget:
        assert reached(cloud) >= set(cloud.nodes) - {BAD}
    the_registry_is_asked_for_what_is_declared(cloud, master)


def test_an_image_that_a_node_claims_to_have_is_pulled_all_the_same_where_it_is_not_the_declared_one(
    tmp_path,
):
    cloud = Forging(LIES["images of its own"], max_failures=1)
    master = Recording(cloud, tmp_path)
    master.update()
    assert BAD in cloud.statuses("prefetch") and EVIL not in master.asked


def test_a_node_that_turns_forger_under_way_fails_alone(tmp_path):
    cloud = Forging(lambda facts: facts, max_failures=1)
    master = Recording(cloud, tmp_path)

    def turn():
        if BAD in cloud.statuses("apply", stage="ovn"):
            cloud.forge = with_(containers=[])

    master.before_poll = turn
    error = refusal(master.update)
    assert error.reason == "FAILURE_BUDGET" and f"{BAD} (FACTS_INVALID)" in error.message
    assert reached(cloud) == set(cloud.nodes) - {BAD}
    cloud.forge, master.before_poll = lambda facts: facts, lambda: None
    assert master.update()["state"] == "completed" and reached(cloud) == set(cloud.nodes)


def of_a_newer_release(facts):
    """As a node answers that runs all of a release that the others have not."""
    containers = {
        name: one | {"digests": [digest(name, "1.0.2")]} for name, one in facts["containers"].items()
    }
    return facts | {"containers": containers, "packages": {key: ["1.0.2"] for key in facts["packages"]}}


def test_a_node_that_claims_a_newer_release_stops_nobody_but_itself(tmp_path):
    cloud = Forging(of_a_newer_release, max_failures=1)
    master = Master(cloud, tmp_path)
    ended = refusal(master.update)
    assert ended.reason == "FAILURE_BUDGET" and f"{BAD} (DOWNGRADE_REFUSED)" in ended.message
    assert {tuple(set(node.at.values())) for name, node in cloud.nodes.items() if name != BAD} == {("1.0.1",)}
    alone = Forging(of_a_newer_release, max_failures=0)
    refused = refusal(Master(alone, tmp_path / "alone").rollout().begin)
    assert refused.reason == "DOWNGRADE_REFUSED" and refused.nodes == (BAD,)
    assert alone.applied == []
