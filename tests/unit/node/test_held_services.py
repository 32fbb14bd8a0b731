"""Package scripts that leave services as they are: by policy-rc.d, and by what systemctl is told."""

from __future__ import annotations

import os
import subprocess

import pytest

from openstack_rollout.node import held_services
from tests.unit import policy_rc


@pytest.fixture
def policy(tmp_path, monkeypatch):
    return policy_rc.kept_in(tmp_path, monkeypatch)


def asked(policy, *words):
    return subprocess.run([policy, *words], check=False, cwd="/").returncode


def test_no_service_is_touched_meanwhile_and_everything_is_as_before_afterwards(policy):
    before = dict(os.environ)
    with held_services.all_held(debian=True):
        assert asked(policy, "mariadb.service", "restart") == 101 == asked(policy, "ssh", "start", "2")
        assert os.environ["SYSTEMD_OFFLINE"] == "1"
    assert dict(os.environ) == before and not policy.exists()


def test_where_there_is_no_such_policy_systemctl_alone_is_told(policy):
    with held_services.all_held(debian=False):
        assert not policy.exists() and os.environ["SYSTEMD_OFFLINE"] == "1"
    assert "SYSTEMD_OFFLINE" not in os.environ


def test_one_in_the_other_holds_what_either_holds(policy):
    with held_services.denied(["ovs-*"]):
        with held_services.all_held(debian=True):
            assert asked(policy, "cron.service", "restart") == 101
        assert (asked(policy, "cron.service", "restart"), asked(policy, "ovs-vswitchd", "stop")) == (0, 101)
    assert not policy.exists()


def test_a_transaction_of_another_process_takes_the_denial_with_it(policy):
    before = dict(os.environ)
    environment = held_services.stand(debian=True)
    assert dict(os.environ) == before and asked(policy, "cron.service", "restart") == 0
    denied = subprocess.run([policy, "cron", "restart"], check=False, env=os.environ | environment, cwd="/")
    assert denied.returncode == 101 and environment["SYSTEMD_OFFLINE"] == "1"
    assert held_services.tidy() and not policy.exists()
    assert held_services.stand(debian=False) == {"SYSTEMD_OFFLINE": "1"} and not policy.exists()
