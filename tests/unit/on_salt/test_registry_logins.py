"""Logins of registries: for whom they are, kept for a short while, named where they cannot be read."""

from __future__ import annotations

import json

import pytest
import salt.config

from openstack_rollout.declared import share
from openstack_rollout.on_salt import registry_logins
from tests.unit.cloud_pillar import model, node, valid

SECRET = "s3cret"
IMAGE = "registry.example/nova:1"


@pytest.fixture
def opts(tmp_path, monkeypatch):
    monkeypatch.setattr(registry_logins, "_known", {})
    monkeypatch.setenv("ROLLOUT_PULLS", f"{SECRET}\n")
    config = tmp_path / "master"
    config.write_text("osenv: {driver: env}\n")
    return dict(salt.config.master_config(str(config)))


def login(variable="ROLLOUT_PULLS", **more):
    return {"username": "me", "password": f"sdb://osenv/{variable}", **more}


def declared(**registries):
    return model(valid() | {"registries": {name.replace("_", "."): one for name, one in registries.items()}})


def test_the_login_of_what_is_asked_for_alone(opts):
    found = declared(registry_example=login(mirrors=["m.example"]), m_example=login(), x_example=login())
    mine = {"username": "me", "password": SECRET}
    expected = {"m.example": mine, "registry.example": {**mine, "mirrors": ["m.example"]}}
    assert registry_logins.of(opts, found, [IMAGE]) == expected
    assert registry_logins.of(opts, found, ["y.example/x:1"]) == {}


def test_a_node_is_told_of_the_registries_of_its_own_images(opts):
    found = declared(registry_example=login(), x_example=login())
    told = registry_logins.of_share(opts, found, share.share(found, node("compute")))
    assert list(told) == ["openstack_registries"] and list(told["openstack_registries"]) == [
        "registry.example"
    ]
    assert SECRET not in json.dumps(share.share(found, node("compute")))
    assert registry_logins.of_share(opts, found, share.share(found, node())) == {}
    assert registry_logins.of_share(opts, declared(), share.share(found, node("compute"))) == {}


@pytest.mark.parametrize("address", ["sdb://osenv/ROLLOUT_NOT_SET", "sdb://no_profile/x"])
def test_what_cannot_be_read_is_named_and_asked_for_again_soon(opts, monkeypatch, address):
    found = declared(registry_example={"username": "me", "password": address})
    ((_, told),) = registry_logins.of(opts, found, [IMAGE]).items()
    assert list(told) == ["unreadable"]
    assert "openstack:registries:registry.example:password" in told["unreadable"]
    assert address in told["unreadable"]


def test_a_secret_is_read_once_for_many_nodes_and_anew_after_a_while(opts, monkeypatch):
    read, clock = [], [1000.0]
    monkeypatch.setattr(
        registry_logins.sdb_secrets, "read", lambda *_: read.append(1) or f"{SECRET}{len(read)}"
    )
    monkeypatch.setattr(registry_logins.time, "monotonic", lambda: clock[0])
    found = declared(registry_example=login())

    def password():
        return registry_logins.of(opts, found, [IMAGE])["registry.example"]["password"]

    assert [password(), password()] == [f"{SECRET}1"] * 2
    clock[0] += registry_logins.KEPT
    assert password() == f"{SECRET}2"
