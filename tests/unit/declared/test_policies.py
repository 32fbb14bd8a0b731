"""Batches and defaults of a role."""

import pytest

from openstack_rollout.declared import policies
from openstack_rollout.declared.policies import ComputePolicy, ControllerPolicy, GatewayPolicy, Policies


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
