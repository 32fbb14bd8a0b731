"""Batches and defaults of a role."""

import pytest

from openstack_rollout import policy


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
    ],
)
def test_batch_size(batch, count, size):
    assert policy.batch_size(batch, count) == size


@pytest.mark.parametrize(
    "batch", [0, -1, True, None, "", "0%", "101%", "150%", "-5%", "5", "x%", "5.5%", 1.5, "٥%x"]
)
def test_batches_that_are_none(batch):
    with pytest.raises(ValueError, match="give a number of nodes from 1"):
        policy.batch_size(batch, 10)


def test_defaults_are_safe_and_the_pillar_wins():
    assert policy.of_role({}, "compute") == policy.Policy(
        batch=1, max_failures=0, canary=0, soak=0, per_zone=0, drain="none", silence=60
    )
    openstack = {"policies": {"compute": {"batch": "10%", "canary": 1}, "gateway": None}}
    assert policy.of_role(openstack, "compute") == policy.Policy(batch="10%", canary=1)
    assert policy.of_role(openstack, "gateway") == policy.Policy()
