"""Where the masters and minions of these tests live."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.simulated_cloud import SimulatedCloud


@pytest.fixture(scope="session")
def salt_factories_default_root_dir() -> Iterator[Path]:
    """A folder for each test process, since two may have a minion of one name; short, for unix sockets."""
    with tempfile.TemporaryDirectory(prefix="salt-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def cloud(salt_factories, tmp_path_factory) -> Iterator[SimulatedCloud]:
    """The cloud of every module of a test process that does not need one of its own."""
    cloud = SimulatedCloud(salt_factories, tmp_path_factory.mktemp("pillar"))
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()
