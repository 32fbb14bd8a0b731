"""Fixtures of the lab suites: a cloud of real machines, torn down for certain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import operator
from .cloud import Lab


@pytest.fixture(scope="package")
def cloud() -> Iterator[Lab]:
    """The small cloud of the short suite, brought to 1.0.0 ad hoc and shared by its modules."""
    with operator.installed("small") as lab:
        yield lab
