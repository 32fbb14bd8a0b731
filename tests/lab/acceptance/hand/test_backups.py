"""Backups of three controllers with real clusters: what they have is destroyed, restored, and compared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ... import operator, proof, settings
from ...enclosure import wait_for
from ..test_control_plane import CONTROLLERS

LAB_PROFILE = settings.CONTROLLERS
pytestmark = pytest.mark.timeout(3600)
_KEY = "/etc/openstack-rollout-backup.key"
_FILE = "/etc/lab-backup.conf"
_TABLES = "lab_backup.rows_of_the_moment"
_UUID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_GRANTS = "SHOW GRANTS FOR lab_backup@'%'"


def database(cloud, node: str, statement: str) -> list[str]:
    """What a member of the database answers, a line each."""
    command = [
        "podman",
        "exec",
        "mariadb",
        "mariadb",
        "--batch",
        "--skip-column-names",
        "--execute",
        statement,
    ]
    return cloud.exec(node, command).stdout.splitlines()


def rows(cloud, node: str) -> list[str]:
    return database(
        cloud, node, f"SET SESSION wsrep_sync_wait = 1; SELECT id, said, HEX(raw) FROM {_TABLES} ORDER BY id"
    )


def northbound(cloud, *arguments: str) -> str:
    remotes = ",".join(f"tcp:{cloud.nodes[name].address}:6641" for name in CONTROLLERS)
    return cloud.exec(
        "ctl1", ["podman", "exec", "ovn_nb_db", "ovn-nbctl", f"--db={remotes}", *arguments]
    ).stdout


def definitions(cloud) -> dict:
    told = cloud.exec("ctl1", ["podman", "exec", "rabbitmq", "rabbitmqctl", "-q", "export_definitions", "-"])
    found = json.loads(told.stdout)
    return {kind: sorted(map(json.dumps, found[kind])) for kind in ("vhosts", "users", "policies")}


@contextmanager
def connected(cloud, node: str, to: str) -> Iterator[str]:
    """A client of a node that is connected to another member; the address that it comes from."""
    waits = ["podman", "exec", "mariadb", "mariadb", f"--host={cloud.nodes[to].address}"]
    unit = ["systemd-run", "--quiet", "--collect", "--unit=lab-client", *waits, "--execute=SELECT SLEEP(900)"]
    own = cloud.nodes[node].address
    cloud.exec(node, unit)
    try:
        seen = f"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE HOST LIKE '{own}:%'"
        assert wait_for(lambda: database(cloud, to, seen) != ["0"], 60), "no client is connected"
        yield own
    finally:
        cloud.exec(node, ["systemctl", "stop", "lab-client.service"])


@pytest.fixture(scope="module")
def saved(cloud) -> dict:
    """Rows that were committed on several members, and a backup of that moment, encrypted."""
    for node in CONTROLLERS:
        cloud.exec(node, ["tee", _KEY], stdin="a passphrase of the lab")
        cloud.exec(node, ["chmod", "600", _KEY])
    cloud.set_pillar(target_version="1.0.1", backup={"key_file": _KEY})
    database(cloud, "ctl1", "CREATE DATABASE lab_backup")
    database(cloud, "ctl1", f"CREATE TABLE {_TABLES} (id INT PRIMARY KEY, said VARCHAR(99), raw BLOB)")
    for number in range(300):
        node = CONTROLLERS[number % 3]
        values = f"({number}, 'row {number} of {node}: \\'ä\\'', UNHEX('00FF{number:04X}'))"
        database(cloud, node, f"INSERT INTO {_TABLES} VALUES {values}")
    database(cloud, "ctl1", "CREATE USER lab_backup@'%' IDENTIFIED BY 'lab'")
    database(cloud, "ctl1", "GRANT SELECT ON lab_backup.* TO lab_backup@'%'")
    cloud.exec("ctl1", ["podman", "exec", "rabbitmq", "rabbitmqctl", "add_vhost", "lab-backup"])
    northbound(cloud, "ls-add", "lab-backup")
    cloud.exec("ctl1", ["tee", _FILE], stdin="as it was")
    cloud.exec("ctl1", ["chmod", "640", _FILE])
    found = {"rows": rows(cloud, "ctl3"), "definitions": definitions(cloud)}
    done = cloud.master(["salt-run", "rollout.backup", "--out=json"], timeout=operator.PATIENCE)
    return found | json.loads(done.stdout)


def test_a_backup_has_every_part_proven_and_nothing_in_the_clear(cloud, saved):
    keeper = saved["nodes"]["ctl1"]
    assert set(keeper) == {
        "galera", "galera_accounts", "OVN_Northbound", "OVN_Southbound", "rabbitmq", "files",
    }, keeper  # fmt: skip
    assert set(saved["nodes"]) == set(CONTROLLERS)
    place = f"/var/lib/openstack-rollout/backups/{saved['name']}"
    for part in keeper.values():
        print(part["file"], part["bytes"], part["proven"])
        path = f"{place}/{part['file']}"
        assert cloud.exec("ctl1", ["sha256sum", path]).stdout.split()[0] == part["sha256"]
        assert cloud.exec("ctl1", ["stat", "-c", "%a %U", path]).stdout.strip() == "600 root"
        assert cloud.exec("ctl1", ["grep", "-c", "rows_of_the_moment", path], check=False).returncode == 1


def test_a_database_that_was_destroyed_is_there_again_row_by_row(cloud, saved):
    database(cloud, "ctl2", f"INSERT INTO {_TABLES} VALUES (999, 'after that moment', NULL)")
    database(cloud, "ctl2", "DROP DATABASE lab_backup")
    restore = ["salt-run", "rollout.restore_backup", saved["name"], "galera"]
    with connected(cloud, "ctl3", to="ctl2") as client:
        refused = cloud.master(restore, timeout=operator.PATIENCE, check=False)
        said = refused.stdout + refused.stderr
        assert refused.returncode == 1 and "nothing was touched" in said and client in said, said
        assert "BACKUP_NOT_RESTORED" in said
        assert database(cloud, "ctl1", "SHOW DATABASES LIKE 'lab_backup'") == []
        done = cloud.master([*restore, "force=True", "--out=json"], timeout=operator.PATIENCE)
        assert client in json.loads(done.stdout)["clients"]
    assert len(saved["rows"]) == 300
    for node in CONTROLLERS:
        assert rows(cloud, node) == saved["rows"], node


def test_an_account_that_was_deleted_is_there_again_with_its_grants(cloud, saved):
    grants = database(cloud, "ctl3", _GRANTS)
    database(cloud, "ctl2", "DROP USER lab_backup@'%'")
    cloud.master(
        ["salt-run", "rollout.restore_backup", saved["name"], "galera_accounts"], timeout=operator.PATIENCE
    )
    assert len(grants) == 2
    for node in CONTROLLERS:
        assert database(cloud, node, f"SET SESSION wsrep_sync_wait = 1; {_GRANTS}") == grants, node


def test_definitions_that_were_deleted_are_there_again(cloud, saved):
    cloud.exec("ctl2", ["podman", "exec", "rabbitmq", "rabbitmqctl", "delete_vhost", "lab-backup"])
    assert definitions(cloud) != saved["definitions"]
    cloud.master(["salt-run", "rollout.restore_backup", saved["name"], "rabbitmq"], timeout=operator.PATIENCE)
    assert definitions(cloud) == saved["definitions"]


def test_switches_that_were_deleted_are_there_again(cloud, saved):
    before = northbound(cloud, "show")
    northbound(cloud, "ls-del", "lab-backup")
    assert "lab-backup" in before and "lab-backup" not in northbound(cloud, "show")
    cloud.master(
        ["salt-run", "rollout.restore_backup", saved["name"], "OVN_Northbound"], timeout=operator.PATIENCE
    )
    assert _UUID.sub("", northbound(cloud, "show")) == _UUID.sub("", before)  # rows have new ones


def test_a_file_that_was_overwritten_is_there_again_with_its_rights(cloud, saved):
    cloud.exec("ctl1", ["tee", _FILE], stdin="something else")
    cloud.exec("ctl1", ["chmod", "666", _FILE])
    restore = ["salt-run", "rollout.restore_backup", saved["name"], "files", "node=ctl1", f"paths={_FILE}"]
    cloud.master(restore, timeout=operator.PATIENCE)
    assert cloud.exec("ctl1", ["cat", _FILE]).stdout == "as it was"
    assert cloud.exec("ctl1", ["stat", "-c", "%a %U", _FILE]).stdout.strip() == "640 root"


def test_an_update_takes_one_of_its_own_before_it_touches_a_node(cloud, saved):
    cloud.exec("ctl2", ["chmod", "644", _KEY])
    before = proof.fingerprint(cloud)
    cloud.set_pillar(target_version="1.0.1", backup={"before": True, "key_file": _KEY})
    refused = operator.update(cloud, check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0 and "BACKUP_FAILED" in said and "ctl2" in said and _KEY in said, said
    assert proof.fingerprint(cloud) == before
    cloud.exec("ctl2", ["chmod", "600", _KEY])
    operator.update(cloud)
    proof.assert_cloud_at(cloud, "1.0.1")
    run = operator.status(cloud)["run"]["id"]
    told = json.loads(cloud.master(["salt-run", "rollout.backups", "--out=json"]).stdout)
    assert {node: run in names for node, names in told["nodes"].items()} == dict.fromkeys(CONTROLLERS, True)
