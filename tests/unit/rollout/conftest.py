"""What tests of whole runs begin with, where a file makes no cloud of its own."""

import pytest

from tests.unit.simulated_fleet import Cloud, Master


@pytest.fixture
def cloud(request):
    """A cloud at 1.0.0; a module's CLOUD says how many nodes of each role it has."""
    return Cloud(**getattr(request.module, "CLOUD", {"controller": 2, "gateway": 1, "compute": 3}))


@pytest.fixture
def master(cloud, tmp_path):
    """The master of that cloud."""
    return Master(cloud, tmp_path)
