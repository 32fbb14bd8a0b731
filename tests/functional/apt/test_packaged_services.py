"""Services that are packages, on a plain Debian machine: the same story, with apt."""

from __future__ import annotations

import pytest

from ..dnf import test_packaged_services as story_of
from ..dnf.test_packaged_services import *  # noqa: F403 - the tests are the same
from ..packaged import LIBRARY


@pytest.fixture(scope="module")
def story(node, monkeypatch_module):
    again = ["apt-get", "--quiet", "--yes", "--reinstall", "install", LIBRARY]
    monkeypatch_module.setattr(story_of, "AGAIN", again)
    return story_of.Story(node, True, ["apt-get", "--quiet", "--yes", "install"])


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch
