"""Where the masters and minions of these tests live."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def salt_factories_default_root_dir() -> Iterator[Path]:
    """A folder for each test process, since two may have a minion of one name; short, for unix sockets."""
    with tempfile.TemporaryDirectory(prefix="salt-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
