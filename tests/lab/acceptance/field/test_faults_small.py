"""Faults on a small cloud: each is named in time, nothing is lost, the next update converges."""

from __future__ import annotations

import pytest

from ... import operator
from ...faults import small
from ...faults.matrix import Matrix

LAB_PROFILE = "small"


@pytest.fixture(scope="module")
def matrix(cloud) -> Matrix:
    """The small cloud, once updated: its packages are its first release's."""
    return Matrix(cloud, small.KEY)


@pytest.mark.parametrize("fault", small.FAULTS, ids=lambda fault: fault.identifier)
def test_a_fault(cloud, matrix, fault):
    matrix.suffer(fault)


def test_no_secret_got_anywhere(cloud, matrix):
    """What the hooks had among their arguments is in no status, no report and no log of the master."""
    told = [
        cloud.master(["salt-run", f"rollout.{what}", "--out=json"]).stdout for what in ("status", "report")
    ]
    logs = [path.read_text(errors="replace") for path in (cloud.home / "logs").glob("*.log")]
    assert not any(small.TOKEN in text for text in (*told, *logs))
    assert operator.status(cloud)["run"]["state"] == "completed"
