"""One plain Debian machine for the modules of this package, which follow one another on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.conftest import Node, booted
from tests.lab import settings


@pytest.fixture(scope="package")
def machine() -> Iterator[Node]:
    with booted(settings.DEBIAN) as found:
        yield found
