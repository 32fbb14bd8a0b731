"""Where the masters and minions of these tests live."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.integration.salt_api import Client, Daemon
from tests.integration.simulated_cloud import SimulatedCloud


@pytest.fixture(scope="session")
def salt_factories_default_root_dir() -> Iterator[Path]:
    """A folder for each test process, since two may have a minion of one name; short, for unix sockets."""
    with tempfile.TemporaryDirectory(prefix="salt-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def cloud(salt_factories, tmp_path_factory) -> Iterator[SimulatedCloud]:
    """The cloud of every module of a test process that does not need one of its own."""
    with started(salt_factories, tmp_path_factory.mktemp("pillar")) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def api(cloud):
    """Salt's API over that cloud, with the page written: its daemon, whose `client` is a new program."""
    with served(cloud) as api:
        yield api


@contextmanager
def started(factories, pillar: Path) -> Iterator[SimulatedCloud]:
    """A simulated cloud that runs. pillar: a folder for its own."""
    cloud = SimulatedCloud(factories, pillar)
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()


@contextmanager
def served(cloud: SimulatedCloud) -> Iterator[Api]:
    """Salt's API over a cloud."""
    page = cloud.run("rollout.page", f"output={cloud.api['rollout_api']['app']}")
    assert page.returncode == 0, page.stdout
    daemon = cloud.master.salt_api_daemon(factory_class=Daemon)
    daemon.start()
    try:
        yield Api(daemon, lambda: Client(cloud.api))
    finally:
        daemon.terminate()


class Api(NamedTuple):
    """The daemon, and what makes a program that speaks to it."""

    daemon: Any
    client: Callable[[], Client]
