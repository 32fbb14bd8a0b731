"""Faults on a machine that is plain Debian: each is named in time, the next update converges."""

from __future__ import annotations

import pytest

from ... import settings
from ...faults import debian
from ...faults.matrix import Matrix
from ...patches import GENERATIONS, Patches

LAB_PROFILE = settings.DEBIAN


@pytest.fixture(scope="module")
def matrix(cloud) -> Matrix:
    """The machine with packages of a vendor, of which there are newer ones."""
    vendor = Patches(cloud)
    vendor.publish(GENERATIONS[0])
    vendor.install_first(debian.NODE, [debian.PLAIN])
    vendor.publish(GENERATIONS[1])
    return Matrix(cloud, debian.KEY)


@pytest.mark.parametrize("fault", debian.FAULTS, ids=lambda fault: fault.identifier)
def test_a_fault(matrix, fault):
    matrix.suffer(fault)
