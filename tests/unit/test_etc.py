"""etc/master.large: what it sets exists in this Salt, which passes over what it does not know."""

from pathlib import Path

import pytest
import salt.config
import salt.master
import yaml
from salt.config.worker_pools import DEFAULT_WORKER_POOLS, validate_worker_pools_config

LARGE = yaml.safe_load((Path(__file__).resolve().parents[2] / "etc/master.large").read_text())
COMMANDS = [one for pool in LARGE["worker_pools"].values() for one in pool["commands"] if one != "*"]


@pytest.mark.parametrize("name", LARGE)
def test_salt_knows_each_setting(name):
    assert name in salt.config.VALID_OPTS


def test_salt_takes_the_pools_of_workers():
    assert validate_worker_pools_config({**salt.config.DEFAULT_MASTER_OPTS, **LARGE})


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_of_a_pool_is_one_that_the_master_answers(command):
    answers = {*salt.master.AESFuncs.expose_methods, *salt.master.ClearFuncs.expose_methods}
    of_channels = {one for pool in DEFAULT_WORKER_POOLS.values() for one in pool["commands"]}
    assert command in answers | of_channels
