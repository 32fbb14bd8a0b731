"""What tests of whole runs begin with, where a file makes no cloud of its own."""

import pytest

from tests.unit.simulated_fleet import Cloud, Master


@pytest.fixture
def cloud():
    return Cloud(controller=2, gateway=1, compute=3)


@pytest.fixture
def master(cloud, tmp_path):
    return Master(cloud, tmp_path)
