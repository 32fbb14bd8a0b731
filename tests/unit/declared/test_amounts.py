"""Batches: numbers of nodes, and percentages of them."""

import pytest

from openstack_rollout.declared import amounts


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
    assert amounts.batch_size(batch, count) == size


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
        amounts.batch_size(batch, 10)
