"""Alerts and silences of Alertmanager, by what goes over the wire; a real one is in tests/integration."""

from __future__ import annotations

import pytest

from openstack_rollout.declared.matchers import read
from openstack_rollout.monitoring import alertmanager
from openstack_rollout.monitoring.contract import NoAnswer

ALERTS = "/api/v2/alerts"
MATCHES = [read('severity=~"critical|page"'), read('alertname!="Watch\\"dog"')]


def alert(name, **status):
    return {
        "labels": {"alertname": name},
        "startsAt": "2026-11-30T01:02:03.000Z",
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], **status},
    }


def test_alerts_are_asked_for_by_matchers(server):
    server.says(ALERTS, [alert("A"), alert("B", state="unprocessed")])
    found = alertmanager.alerts(server.access, MATCHES, silenced=False, inhibited=True)
    assert [one.labels["alertname"] for one in found] == ["A", "B"]
    assert found[0].since.startswith("2026-11-30T01:02:03")
    assert server.asked[0][2] == {
        "active": ["true"],
        "silenced": ["false"],
        "inhibited": ["true"],
        "unprocessed": ["true"],
        "filter": ['severity=~"critical|page"', 'alertname!="Watch\\"dog"'],
    }


def test_who_tells_of_silenced_alerts_anyway_is_not_taken_at_its_word(server):
    server.says(ALERTS, [alert("A", state="suppressed", silencedBy=["x"]), alert("B", inhibitedBy=["y"])])
    assert alertmanager.alerts(server.access, MATCHES, silenced=False, inhibited=False) == []
    assert len(alertmanager.alerts(server.access, MATCHES, silenced=True, inhibited=True)) == 2


@pytest.mark.parametrize(
    "told",
    [{}, None, ["x"], [{}], [{"labels": {"a": 1}, "status": {"state": "active"}}],
     [{"labels": {}, "status": {"state": "on"}}], [{"labels": {}}]],
)  # fmt: skip
def test_what_makes_no_sense_tells_nothing(server, told):
    server.says(ALERTS, told)
    with pytest.raises(NoAnswer):
        alertmanager.alerts(server.access, MATCHES, silenced=False, inhibited=False)
