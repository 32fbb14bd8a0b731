"""Fixtures of the lab suites: a cloud of real machines, booted once a module and torn down for certain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import operator, proof
from .cloud import Lab

FIRST = "1.0.0"


@pytest.fixture(scope="module")
def cloud(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A cloud that was brought to 1.0.0 ad hoc; a module sets LAB_PROFILE to get more than `small`."""
    lab = Lab(profile=getattr(request.module, "LAB_PROFILE", "small"))
    lab.down()
    try:
        lab.up()
        operator.install(lab, FIRST)
        proof.assert_cloud_at(lab, FIRST)
        yield lab
    finally:
        lab.down()
