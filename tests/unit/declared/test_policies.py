"""Batches and defaults of a role."""

import pytest

from openstack_rollout.declared import policies
from openstack_rollout.declared.policies import ComputePolicy, ControllerPolicy, GatewayPolicy, Policies
from tests.unit.declared import pillars


@pytest.mark.parametrize(
    ("batch", "count", "size"),
    [
        (1, 4, 1),
        (3, 4, 3),
        (9, 4, 9),
        ("50%", 4, 2),
        ("50%", 5, 2),
        ("10%", 4, 1),
        ("100%", 4, 4),
        ("1%", 0, 1),
        ("99%", 10_000, 9900),
    ],
)
def test_batch_size(batch, count, size):
    assert policies.batch_size(batch, count) == size


@pytest.mark.parametrize(
    "batch",
    [
        0, -1, True, None, "", "0%", "00%", "05%", "101%", "150%", "-5%", "5", "x%", "5.5%", 1.5, "٥%x",
            "٥%", "5%\n", " 5%",
        "5 %", "%", 10_001, 10**400, 10**4000, [], {}, b"5%", float("nan"),
    ],
)  # fmt: skip
def test_batches_that_are_none(batch):
    with pytest.raises(ValueError, match="give a number of nodes from 1"):
        policies.batch_size(batch, 10)


def test_defaults_are_safe_and_the_pillar_wins():
    default = Policies()
    for role in ("controller", "gateway", "compute", "storage"):
        policy = default.of(role)
        assert (policy.batch, policy.max_failures, policy.canary, policy.per_zone) == (1, 0, 0, 0)
        assert (policy.drain, policy.reboot_occupied, policy.drains_before) == ("none", False, None)
    said = Policies.model_validate({"compute": {"batch": "10%", "canary": 1}, "gateway": None})
    assert said.compute == ComputePolicy(batch="10%", canary=1)
    assert said.gateway == GatewayPolicy() and said.controller == ControllerPolicy()
    assert not said.speak_to_openstack
    assert Policies(gateway=GatewayPolicy(drain="move_routers")).speak_to_openstack


def test_the_stages_before_which_nodes_are_drained():
    assert ComputePolicy(drain_before=["system"]).drains_before == frozenset({"system"})
    assert ComputePolicy(drain_before=[]).drains_before == frozenset()
    assert ControllerPolicy().drains_before is None


@pytest.mark.parametrize(
    ("groups", "line"),
    [
        (
            ["az1", "az9"],
            "openstack:policies:compute:groups: 'az9' is no zone of openstack:zones, did you mean az1?",
        ),
        (["az1", "az1"], "openstack:policies:compute:groups:1: 'az1' is there twice"),
        (["G@rack:r1"], "openstack:policies:compute:groups:0: 'G@rack:r1'"),
        ({"rack1": "I@rack:r1"}, "openstack:policies:compute:groups:rack1: 'I@rack:r1' matches by pillar"),
        ({"rack1": ["cmp1"]}, "openstack:policies:compute:groups:rack1: "),
        ({"rack 1": "cmp1"}, "openstack:policies:compute:groups:'rack 1': "),
        ({1: "cmp1"}, "openstack:policies:compute:groups:1: 1 is a number: put it in quotes"),
        (
            "az1",
            "openstack:policies:compute:groups: has to be a list of zones, or a mapping of names to compound",
        ),
        ([{"name": "rack1"}], "openstack:policies:compute:groups:0: "),
    ],
)
def test_groups_that_cannot_be_meant_are_refused_by_their_key(groups, line):
    openstack = {
        **pillars.valid(),
        "zones": {"az1": "G@zone:az1"},
        "policies": {"compute": {"groups": groups}},
    }
    found = pillars.lines(openstack)
    assert len(found) == 1 and line in found[0], found


def test_groups_of_a_role_of_the_operators_own():
    openstack = {
        **pillars.valid(),
        "roles": {"network": {"target": "net*", "plane": "data_plane", "like": "gateway"}},
        "policies": {"network": {"groups": ["az7"]}},
    }
    assert "policies:network:groups: 'az7' is no zone" in pillars.lines(openstack)[0]
