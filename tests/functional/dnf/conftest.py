"""One machine with dnf for the modules of this package, which follow one another on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.conftest import Node, booted


@pytest.fixture(scope="package")
def machine() -> Iterator[Node]:
    with booted() as found:
        yield found
