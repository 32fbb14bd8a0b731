"""Updaters of the node itself, on a plain Debian machine: the same story, with apt's own."""

from __future__ import annotations

import pytest

from .. import own_repository
from ..dnf import test_updaters as story_of
from ..dnf.test_updaters import *  # noqa: F403 - the tests are the same
from ..own_repository import Deb

UPDATER = "apt-daily-upgrade"


def publish(node, number: str, seconds: int) -> str:
    script = story_of.ASKS.format(updater=UPDATER, seconds=seconds)
    own_repository.publish_debs(node, [Deb(story_of.NAME, f"{number}-1", scripts={"postinst": script})])
    return f"{number}-1"


@pytest.fixture(scope="module")
def story(node):
    return story_of.Story(node, UPDATER, publish, ["apt-get", "--quiet", "--yes", "install", story_of.NAME])
