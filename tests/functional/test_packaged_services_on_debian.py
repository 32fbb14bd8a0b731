"""Services that are packages, on a plain Debian machine of their own: the whole story, with apt."""

from __future__ import annotations

import pytest

from tests.lab import settings

from .apt import test_packaged_services as of_apt
from .dnf.test_packaged_services import *  # noqa: F403 - the tests are the same

pytestmark = pytest.mark.long  # in short: dnf has all of it, and apt what it has its own part in
LAB_PROFILE = settings.DEBIAN
story, monkeypatch_module = of_apt.story, of_apt.monkeypatch_module
