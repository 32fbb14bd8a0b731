"""Silences of alerts, as operators write them in policies."""

from __future__ import annotations

import pytest

from openstack_rollout.declared.silences import names_node, of_node
from tests.unit.declared.test_gates import model, refused


def test_silences_of_a_role():
    found = model(
        """
        alert_silences:
          down:
            matchers:
              - instance=~"{host}(:[0-9]{1,5})?"
              - node="{node}"
              - 'alertname=~"HostDown|Agent\\\\.Down"'
        """
    ).policies.compute.alert_silences["down"]
    first, second, third = (of_node(one, "cmp-1.example.org") for one in found.matchers)
    assert first.value == r"cmp\-1(:[0-9]{1,5})?" and second.value == "cmp-1.example.org"
    assert third.value == r"HostDown|Agent\.Down" and third.text == r'alertname=~"HostDown|Agent\\.Down"'


@pytest.mark.parametrize(
    ("silence", "key", "says"),
    [
        ("{}", ":matchers", "missing"),
        ("{matchers: ['alertname=HostDown']}", ":matchers", "{node} or {host}"),
        ("{matchers: ['instance!=\"{node}\"', 'alertname=HostDown']}", ":matchers", "{node} or {host}"),
        ("{matchers: ['instance=\"{node}\"']}", ":matchers", "every alert of the node"),
        ("{matchers: ['instance=\"{node}\"', 'severity!=page']}", ":matchers", "every alert of the node"),
        ("{matchers: ['instance=~\"{host}.*\"', 'a=b']}", ":matchers", "of other nodes, too, such as node10"),
        ("{matchers: ['instance=~\"{node}|.+\"', 'a=b']}", ":matchers", "of other nodes, too"),
        ("{matchers: ['instance=\"{node}\"', 'alertname=~\".*\"']}", ":matchers", "every alert of the node"),
        ("{matchers: ['instance=\"{node}\"', 'a=b'], stages: [sytem]}", ":stages:0", "did you mean system"),
        ("{matchers: ['instance=\"{node}\"', 'a=b'], ends_within: 5}", ":ends_within", "10"),
    ],
)
def test_a_silence_that_cannot_be_meant(silence, key, says):
    ((where, line), *_) = refused(lambda: model(f"{{alert_silences: {{s: {silence}}}}}"))
    assert where == f"policies:compute:alert_silences:s{key}" and says in line


@pytest.mark.parametrize(
    "matcher",
    [
        "{host}(:[0-9]+)?",
        "(https?://)?{node}(:[0-9]+)?(/.*)?",
        "{host}([.].*)?",
        "(?i:{host})[[:punct:]]?(:\\pN+)?",  # which Alertmanager alone reads
    ],
)
def test_a_pattern_of_one_node_may_have_more_around_it(matcher):
    found = model(f"""{{alert_silences: {{s: {{matchers: ['instance=~"{matcher}"', 'a=b']}}}}}}""")
    assert names_node(found.policies.compute.alert_silences["s"].matchers[0])


def test_silences_need_an_alertmanager():
    silence = "{alert_silences: {s: {matchers: ['instance=\"{node}\"', 'a=b']}}}"
    ((where, line),) = refused(lambda: model(silence, ""))
    assert where == "policies:compute:alert_silences:s" and "openstack:monitoring:alertmanager" in line
