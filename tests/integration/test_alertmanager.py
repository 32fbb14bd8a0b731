"""What a real Alertmanager makes of our silences."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from openstack_rollout.declared.matchers import read
from openstack_rollout.monitoring.alertmanager import Silences, alerts
from openstack_rollout.monitoring.contract import Access, NoAnswer, NotFound
from tests.integration.monitoring_servers import PASSWORD, USER, Servers

MATCHES = [read('instance=~"cmp\\\\-1(:[0-9]+)?"'), read("alertname=HostDown"), read('severity!="page"')]


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    servers = Servers(tmp_path_factory.mktemp("monitoring"), {"HostDown": "host_down > 0"})
    try:
        servers.metrics = {f'host_down{{instance="cmp-{number}:9100"}}': 1 for number in (1, 2)}
        yield servers.start()
    finally:
        servers.stop()


@pytest.fixture
def access(servers):
    declared = servers.declared["alertmanager"]
    return Access("Alertmanager", declared["address"], declared["cacert"], (USER, PASSWORD))


def firing(access, silenced=False):
    found = alerts(access, [read('severity="critical"')], silenced=silenced, inhibited=False)
    return sorted(one.labels["instance"] for one in found)


def test_a_silence_from_its_making_to_its_end(servers, access):
    servers.until(lambda: firing(access) == ["cmp-1:9100", "cmp-2:9100"], "they do not fire")
    ours = Silences(access)
    made = ours.create(MATCHES, "a node is in flight", 10)
    assert firing(access) == ["cmp-2:9100"]  # that node's alone, and at once
    assert firing(access, silenced=True) == ["cmp-1:9100", "cmp-2:9100"]
    (before,) = servers.silences()
    assert ours.prolong(made, 300) == made  # in place: a second one would be left by who dies between
    (after,) = servers.silences()
    assert after["endsAt"] > before["endsAt"] and after["matchers"] == before["matchers"]
    assert [(one.id, one.comment) for one in ours.ours()] == [(made, "a node is in flight")]
    ours.expire(made)
    assert servers.silences() == [] and ours.ours() == [] and len(firing(access)) == 2
    ours.expire(made)  # again is nothing
    assert ours.prolong(made, 300) is None
    with pytest.raises(NotFound):
        ours.prolong("00000000-0000-0000-0000-000000000000", 300)
    ours.expire("00000000-0000-0000-0000-000000000000")


def test_a_silence_ends_by_itself_also_where_the_master_has_another_time(servers, access):
    ahead = Silences(access, clock=lambda: time.time() + 3600)
    ahead.create(MATCHES, "an hour ahead", 3)
    assert len(servers.silences()) == 1
    servers.until(lambda: not servers.silences(), "it does not end")
    behind = Silences(access, clock=lambda: time.time() - 3600)
    behind.expire(behind.create(MATCHES, "an hour behind", 60))


def test_who_is_not_let_in_and_whose_certificate_is_not_trusted(access):
    with pytest.raises(NoAnswer) as error:
        firing(replace(access, login=(USER, "wrong")))
    assert not error.value.passes and "401" in error.value.message
    with pytest.raises(NoAnswer) as error:
        firing(replace(access, cacert=""))
    assert not error.value.passes and "certificate" in error.value.message
