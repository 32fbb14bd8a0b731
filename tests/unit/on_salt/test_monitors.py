"""Logins of a monitoring, as Salt's sdb has them."""

from __future__ import annotations

import pytest
import salt.config

from openstack_rollout.declared.monitoring import Monitoring
from openstack_rollout.monitoring import prometheus
from openstack_rollout.monitoring.contract import NoAnswer
from openstack_rollout.on_salt.monitors import SaltMonitor

SECRET = "s3cret"


@pytest.fixture
def opts(tmp_path):
    config = tmp_path / "master"
    config.write_text("osenv: {driver: env}\n")
    return dict(salt.config.master_config(str(config)))


@pytest.fixture
def asked(monkeypatch):
    """With what Prometheus is asked."""
    found = []
    monkeypatch.setattr(prometheus, "series", lambda access, query: found.append(access) or [])
    return found


def monitor(opts, **login):
    server = {"address": "https://prometheus.example", "cacert": "/ca.pem", "read_timeout": 3, **login}
    return SaltMonitor(opts, Monitoring.model_validate({"prometheus": server}))


def test_secrets_are_read_when_something_is_asked(opts, asked, monkeypatch):
    one = monitor(opts, token="sdb://osenv/ROLLOUT_TOKEN")
    monkeypatch.setenv("ROLLOUT_TOKEN", f"{SECRET}\n")
    one.series("up")
    assert (asked[0].token, asked[0].login, asked[0].cacert, asked[0].read) == (SECRET, None, "/ca.pem", 3.0)
    monitor(opts, username="me", password="sdb://osenv/ROLLOUT_TOKEN").series("up")
    assert asked[1].login == ("me", SECRET) and asked[1].token == ""


@pytest.mark.parametrize("address", ["sdb://osenv/ROLLOUT_NOT_SET", "sdb://no_profile/x"])
def test_a_secret_that_is_not_there_is_named_by_its_key(opts, asked, address):
    with pytest.raises(NoAnswer) as error:
        monitor(opts, token=address).series("up")
    assert "openstack:monitoring:prometheus:token" in error.value.message and address in error.value.message
    assert asked == []


def test_what_a_driver_says_is_not_passed_on(opts, monkeypatch):
    def raises(*_, **__):
        raise ValueError(f"the token {SECRET} has expired")

    monkeypatch.setattr("salt.utils.sdb.sdb_get", raises)
    with pytest.raises(NoAnswer) as error:
        monitor(opts, token="sdb://osenv/X").series("up")
    assert SECRET not in str(error.value)
