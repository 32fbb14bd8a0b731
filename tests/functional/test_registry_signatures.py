"""Signatures in a real registry, in cosign's form: what the master says before anything is touched."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from openstack_rollout.on_salt import registry
from tests.functional.registry_server import PASSWORD, USER, Registry

MINE, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
SIGNED, UNSIGNED, WRONG, ELSEWHERE = "ns/signed", "ns/unsigned", "ns/wrong", "ns/elsewhere"


def public(key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A registry with a login, and images that are signed in all ways that there are."""
    server = Registry(tmp_path_factory.mktemp("registry")).start()
    names = (SIGNED, UNSIGNED, WRONG, ELSEWHERE)
    server.digests = {name: server.push(name, "1", name) for name in names}
    server.sign(SIGNED, server.digests[SIGNED], MINE)
    server.sign(WRONG, server.digests[WRONG], OTHER)
    server.sign(ELSEWHERE, server.digests[ELSEWHERE], MINE, of=SIGNED)
    server.guard()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def plain_http(served, monkeypatch):
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(served.registries_conf))


def problems(served, keys, place=""):
    login = {"username": USER, "password": PASSWORD}
    declared = {served.address: login, f"{served.address}{place}": {**login, "signed_by": keys}}
    wanted = {name: f"{served.address}/{name}@{digest}" for name, digest in served.digests.items()}
    return registry.problems(wanted, reach=lambda _: declared)


def test_what_is_not_signed_by_a_key_for_its_own_name_is_refused(served):
    found = problems(served, [public(MINE)])
    assert {reason for reason, _ in found} == {"SIGNATURE_WRONG"}
    assert {line.partition(":")[0] for _, line in found} == {UNSIGNED, WRONG, ELSEWHERE}


def test_one_of_several_keys_is_enough_and_another_path_asks_for_none(served):
    refused = {line.partition(":")[0] for _, line in problems(served, [public(OTHER), public(MINE)], "/ns")}
    assert refused == {UNSIGNED, ELSEWHERE}
    assert problems(served, [public(MINE)], "/others") == []
