"""Whom an update probes, as operators write it."""

from __future__ import annotations

import pytest
import yaml

from openstack_rollout.declared.audit import MOST, Audit
from openstack_rollout.declared.model import Model
from tests.unit.declared.test_gates import refused


def model(text):
    return Model.model_validate({"audit": yaml.safe_load(text)})


def test_nobody_is_probed_unless_it_is_said():
    assert Model.model_validate({}).audit is None
    assert Model.model_validate({"audit": None}).audit is None


def test_what_is_said():
    found = model(
        "{servers: [web 1], addresses: [203.0.113.7, '2001:db8::7'], tcp_port: 22, node: ctl1}"
    ).audit
    assert (found.servers, found.addresses) == (["web 1"], ["203.0.113.7", "2001:db8::7"])
    assert (found.tcp_port, found.node, found.interval, found.per_second) == (22, "ctl1", 1.0, 50)


def test_more_addresses_than_may_be_probed_as_often_are_probed_less_often():
    audit = Audit(addresses=["203.0.113.7"], interval=0.5, per_second=10)
    assert (audit.apart(1), audit.apart(5), audit.apart(100)) == (0.5, 0.5, 10.0)
    assert all(number / audit.apart(number) <= 10 for number in range(1, MOST + 1))


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ("{}", "", "chooses nobody: give servers or addresses"),
        ("{tcp_port: 22}", "", "chooses nobody"),
        ("{servers: [], addresses: []}", "", "chooses nobody"),
        ("{server: [a]}", ":server", "servers"),
        ("{addresses: [203.0.113.0/24]}", ":addresses:0", "IP address, without a prefix"),
        ("{addresses: [web.example]}", ":addresses:0", "IP address"),
        ("{addresses: [203.0.113.7:22]}", ":addresses:0", "no IP address"),
        ("{addresses: [224.0.0.1]}", ":addresses:0", "no address of one machine"),
        ("{addresses: [0.0.0.0]}", ":addresses:0", "no address of one machine"),
        ("{addresses: [255.255.255.255]}", ":addresses:0", "no address of one machine"),
        ("{addresses: ['fe80::1']}", ":addresses:0", "link-local"),
        ("{addresses: [203.0.113.7, 203.0.113.7]}", ":addresses:1", "is there twice"),
        ("{addresses: 203.0.113.7}", ":addresses", "a list"),
        ("{servers: [a, b, a]}", ":servers:2", "is there twice"),
        ("{servers: ['']}", ":servers:0", "string"),
        ('{servers: ["a\\nb"]}', ":servers:0", "one line"),
        ("{servers: [a], tcp_port: 0}", ":tcp_port", "from 1 to 65535"),
        ("{servers: [a], tcp_port: '22'}", ":tcp_port", "whole number"),
        ("{servers: [a], interval: 0}", ":interval", "from 0.1 to 60"),
        ("{servers: [a], interval: .nan}", ":interval", "number of seconds"),
        (f"{{servers: [a], interval: 1{'0' * 400}}}", ":interval", "number of seconds"),
        ("{servers: [a], interval: 1s}", ":interval", "number of seconds"),
        ("{servers: [a], interval: true}", ":interval", "number of seconds"),
        ("{servers: [a], per_second: 501}", ":per_second", "from 1 to 500"),
        ("{servers: [a], node: 'ctl*'}", ":node", "the id of one minion"),
        ("{servers: [a], node: ''}", ":node", "string"),
        ("[a]", "", "mapping"),
        ("true", "", "mapping"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_key(text, key, says):
    ((where, line),) = refused(lambda: model(text))
    assert where == f"audit{key}" and says in line


def test_too_many_are_refused():
    many = [f"server-{number}" for number in range(MOST + 1)]
    ((where, line),) = refused(lambda: Model.model_validate({"audit": {"servers": many}}))
    assert where == "audit" and f"{MOST} are allowed" in line
