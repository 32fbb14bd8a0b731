"""Faults on three controllers with real clusters: each is named in time, the next update converges."""

from __future__ import annotations

import pytest

from ... import settings
from ...faults import controllers
from ...faults.matrix import Matrix

LAB_PROFILE = settings.CONTROLLERS


@pytest.fixture(scope="module")
def matrix(cloud) -> Matrix:
    """The controllers at their first release."""
    return Matrix(cloud, controllers.KEY)


@pytest.mark.parametrize("fault", controllers.FAULTS, ids=lambda fault: fault.identifier)
def test_a_fault(matrix, fault):
    matrix.suffer(fault)
