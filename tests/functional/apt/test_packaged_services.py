"""Services that are packages, on a plain Debian machine: of the same story what apt has its own part in."""

from __future__ import annotations

import pytest

from ..dnf import test_packaged_services as story_of
from ..dnf.test_packaged_services import *  # noqa: F403 - the tests are the same, in their order
from ..packaged import LIBRARY

# With apt too, these are in the whole story: ../test_packaged_services_on_debian.py.
del test_one_that_no_longer_listens_or_answers_goes_back_as_well  # noqa: F821
del test_one_that_was_stopped_is_started_and_one_that_was_switched_off_stays_so  # noqa: F821
del test_what_has_no_way_back_is_told_beforehand_and_when_it_was_needed  # noqa: F821
del test_what_is_of_one_unit_moves_together_and_restarts_it_once  # noqa: F821


@pytest.fixture(scope="module")
def story(node, monkeypatch_module):
    again = ["apt-get", "--quiet", "--yes", "--reinstall", "install", LIBRARY]
    monkeypatch_module.setattr(story_of, "AGAIN", again)
    return story_of.Story(node, True, ["apt-get", "--quiet", "--yes", "install"])


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch
