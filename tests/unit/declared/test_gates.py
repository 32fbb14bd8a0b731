"""Gates, and the servers of a monitoring, as operators write them."""

from __future__ import annotations

import pytest
import yaml
from pydantic import ValidationError

from openstack_rollout.declared import translation
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.problems import path

SERVERS = """
monitoring:
  prometheus: {address: "https://prometheus.example:9090/base/", cacert: /etc/pki/ca.pem, token: sdb://vault/a/b}
  alertmanager: {address: "http://[::1]:9093", username: me, password: "sdb://env/PASSWORD"}
"""
SECRET = "s3cret"


def model(policy, servers=SERVERS):
    return Model.model_validate(
        {**(yaml.safe_load(servers) or {}), "policies": {"compute": yaml.safe_load(policy)}}
    )


def refused(make):
    with pytest.raises(ValidationError) as error:
        make()
    found = [(path(place), line) for place, line in translation.problems(error.value, Model)]
    assert all(SECRET not in line for _, line in found)
    return found


def test_gates_of_a_role():
    found = model(
        """
        gates:
          errors: {query: 'sum(rate(x{code=~"5.."}[5m]))', at_most: 0.01, failure_limit: 2, interval: 20}
          calm: {alerts: ['severity="critical"', "cluster = cloud1"], watchdog: ['alertname="Watchdog"']}
          none: null
        """
    ).policies.compute
    assert list(found.gates) == ["errors", "calm"] and found.gates["errors"].at_most == 0.01
    assert [one.text for one in found.gates["calm"].alerts] == ['severity="critical"', 'cluster="cloud1"']


def test_servers():
    found = model("{}").monitoring
    assert found.prometheus.address == "https://prometheus.example:9090/base"
    assert found.alertmanager.password == "sdb://env/PASSWORD"


@pytest.mark.parametrize(
    ("gate", "key", "says"),
    [
        ("{}", "", "either a query or alerts"),
        ("{query: up, alerts: ['a=b'], at_most: 1}", "", "either a query or alerts"),
        ("{query: up}", "", "at_least or at_most"),
        ("{query: '', at_most: 1}", ":query", "empty string"),
        ("{query: up, at_most: '0.01'}", ":at_most", "without quotes"),
        ("{query: up, at_most: 1e-3}", ":at_most", "YAML reads 1e-3 as text"),
        ("{query: up, at_most: true}", ":at_most", "a number"),
        ("{query: up, at_most: .inf}", ":at_most", "a number"),
        ("{query: up, at_most: .nan}", ":at_most", "a number"),
        (f"{{query: up, at_most: 1{'0' * 400}}}", ":at_most", "a number"),
        ("{query: up, at_least: 2, at_most: 1}", ":at_most", "nothing is good"),
        ("{query: up, at_most: 1, watchdog: ['a=b']}", ":watchdog", "is of alerts"),
        ("{query: up, at_most: 1, silenced: true}", ":silenced", "is of alerts"),
        ("{alerts: ['a=b'], at_most: 1}", ":at_most", "is of a query"),
        ("{alerts: []}", ":alerts", "every alert"),
        ("{alerts: 'a=b'}", ":alerts", "a list"),
        ("{alerts: [a]}", ":alerts:0", "no matcher"),
        ("{alerts: ['a==b=~']}", ":alerts:0", None),
        ("{alerts: ['a=\"b']}", ":alerts:0", "no matcher"),
        ("{alerts: [1]}", ":alerts:0", "in quotes"),
        ("{alerts: ['a!=b']}", ":alerts", "absent"),
        ("{query: up, at_most: 1, consecutive_success: 6, interval: 15}", ":timeout", "75 or more"),
        ("{query: up, at_most: 1, failure_limit: 5, interval: 15}", ":timeout", "75 or more"),
        ("{query: up, at_most: 1, interval: 0}", ":interval", "1"),
        ("{query: up, at_most: 1, failure_limits: 2}", ":failure_limits", "did you mean failure_limit"),
    ],
)
def test_a_gate_that_cannot_be_meant(gate, key, says):
    if says is None:
        assert model(f"{{gates: {{g: {gate}}}}}")
        return
    ((where, line), *more) = refused(lambda: model(f"{{gates: {{g: {gate}}}}}"))
    assert where == f"policies:compute:gates:g{key}" and says in line and not more


@pytest.mark.parametrize(
    ("server", "key", "says"),
    [
        ("{}", ":address", "missing"),
        (f"{{address: 'https://me:{SECRET}@x'}}", ":address", "has a login in it"),
        ("{address: prometheus.example}", ":address", "address of a server"),
        ("{address: 'https://x/api/v1/query'}", ":address", "leave out what begins with /api"),
        ("{address: 'https://x?a=b'}", ":address", "more than an address"),
        ("{address: 'https://x:99999'}", ":address", "address of a server"),
        ("{address: 1}", ":address", "address of a server"),
        (f"{{address: 'https://x', token: {SECRET}}}", ":token", "sdb://"),
        (f"{{address: 'https://x', username: a, password: {SECRET}}}", ":password", "sdb://"),
        ("{address: 'https://x', username: a}", "", "password is missing"),
        ("{address: 'https://x', password: 'sdb://a/b'}", "", "username is missing"),
        (
            "{address: 'https://x', username: a, password: 'sdb://a/b', token: 'sdb://a/c'}",
            ":token",
            "in place",
        ),
        ("{address: 'http://x', cacert: /ca.pem}", ":cacert", "not https"),
        ("{address: 'https://x', cacert: ca.pem}", ":cacert", "absolute"),
        ("{address: 'https://x', verify: false}", ":verify", "unknown"),
    ],
)
def test_a_server_that_cannot_be_meant(server, key, says):
    ((where, line), *_) = refused(lambda: model("{}", f"monitoring: {{prometheus: {server}}}"))
    assert where == f"monitoring:prometheus{key}" and says in line


def test_who_has_a_gate_needs_a_server():
    found = refused(lambda: model("{gates: {e: {query: up, at_most: 1}, a: {alerts: ['a=b']}}}", ""))
    assert [where for where, _ in found] == ["policies:compute:gates:e", "policies:compute:gates:a"]
    assert "openstack:monitoring:prometheus" in found[0][1]
    assert "openstack:monitoring:alertmanager" in found[1][1]
