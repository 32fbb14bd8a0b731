"""Fixtures of the long suites."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import operator
from tests.lab.cloud import Lab


@pytest.fixture(scope="module")
def cloud(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A cloud of its own for each module, brought to 1.0.0 ad hoc; a module's LAB_PROFILE says which."""
    with operator.installed(getattr(request.module, "LAB_PROFILE", "small")) as lab:
        yield lab
