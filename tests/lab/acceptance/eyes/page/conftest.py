"""A real master and Salt's API over it, with nodes on which only what a stage does is simulated."""

from __future__ import annotations

import pytest

from tests.integration.browser import Browser
from tests.integration.conftest import api, cloud, salt_factories_default_root_dir

__all__ = ["api", "browser", "cloud", "salt_factories_default_root_dir"]


@pytest.fixture(scope="module")
def browser(cloud, api):
    """A browser with which nobody is logged in."""
    with Browser(cloud.api) as browser:
        yield browser
