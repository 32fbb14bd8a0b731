"""OVN's northbound database after its servers: a real Raft cluster gets the schema of their image."""

from __future__ import annotations

import json

import pytest

from openstack_rollout.node import guarding
from tests.lab import base
from tests.lab.enclosure import wait_for
from tests.unit.loading import load

from .members import members

NODES = {"one": 7001, "two": 7002, "three": 7003}
DATABASE, SCHEMA, OLD = "OVN_Northbound", "/usr/share/ovn/ovn-nb.ovsschema", "/old.ovsschema"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Three servers, whose database has a schema that is older than that of their image, and a row."""
    with members(base.ensure(), tmp_path_factory.mktemp("ovsdb")) as found:
        schema = json.loads((found.root / SCHEMA.lstrip("/")).read_text())
        del schema["tables"]["NB_Global"]["columns"]["ipsec"], schema["cksum"]
        (found.root / OLD.lstrip("/")).write_text(json.dumps(schema | {"version": "7.0.0"}))
        first = f"tcp:127.0.0.1:{NODES['one']}"
        for name, port in NODES.items():
            found.add(name)
            own = f"tcp:127.0.0.1:{port}"
            made = ["join-cluster", f"/{name}.db", DATABASE, own, first]
            if name == "one":
                made = ["create-cluster", "/one.db", OLD, own]
            found.exec(name, ["ovsdb-tool", *made])
            start(found, name)
            assert wait_for(lambda name=name: version(found, name), 60, 0.5), name
        found.exec("two", ["ovn-nbctl", "--db=unix:/two.sock", "--no-leader-only", "ls-add", "net"])
        yield found


@pytest.fixture
def guard(cluster, tmp_path):
    module = load("modules", "ovsdb_cluster", salt=cluster.functions(), grains={"id": "ctl"})
    module._STEPS = guarding.Steps(tmp_path)
    return module


def start(cluster, name):
    control, remote = f"--unixctl=/{name}.ctl", f"--remote=punix:/{name}.sock"
    cluster.start(
        name, ["ovsdb-server", "-vconsole:warn", "--log-file=/dev/null", control, remote, f"/{name}.db"]
    )


def start_again(cluster, name):
    """Start a server that was asked to exit."""
    assert wait_for(lambda: not cluster.pids(name), 30), "it runs on"
    start(cluster, name)


def version(cluster, name):
    client = ["ovsdb-client", "--timeout=5", "--no-leader-only", "get-schema-version"]
    return cluster.exec(name, [*client, f"unix:/{name}.sock", DATABASE], check=False).stdout.strip()


def test_the_database_has_the_schema_of_its_image_once_a_server_is_back(cluster, guard):
    wanted = json.loads((cluster.root / SCHEMA.lstrip("/")).read_text())["version"]
    assert guard.schema("two") == {"database": DATABASE, "has": "7.0.0", "wants": wanted, "file": SCHEMA}
    token = guard.before_stop("two")
    start_again(cluster, "two")
    assert wanted in guard.after_start("two", token, 60)
    assert wait_for(lambda: {version(cluster, name) for name in NODES} == {wanted}, 30, 0.5)
    listed = ["ovn-nbctl", "--db=unix:/three.sock", "--no-leader-only", "--bare", "--columns=name", "list"]
    assert cluster.exec("three", [*listed, "Logical_Switch"]).stdout.strip() == "net"
    token = guard.before_stop("three")
    start_again(cluster, "three")
    assert "schema" not in guard.after_start("three", token, 60)
