"""A real master and Salt's API over it, with nodes on which only what a stage does is simulated.

They end with this folder's tests: those beside it have the machine to themselves.
"""

from __future__ import annotations

import pytest

from tests.integration.browser import Browser
from tests.integration.conftest import salt_factories_default_root_dir, served, started

__all__ = ["salt_factories_default_root_dir"]


@pytest.fixture(scope="package")
def cloud(salt_factories, tmp_path_factory):
    """A simulated cloud."""
    with started(salt_factories, tmp_path_factory.mktemp("pillar")) as cloud:
        yield cloud


@pytest.fixture(scope="package")
def api(cloud):
    """Salt's API over it."""
    with served(cloud) as api:
        yield api


@pytest.fixture(scope="module")
def browser(cloud, api):
    """A browser with which nobody is logged in."""
    with Browser(cloud.api) as browser:
        yield browser
