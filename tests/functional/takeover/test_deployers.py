"""The deployers' own code on a real machine: what it leaves is what a takeover begins with."""

from __future__ import annotations

import json

import pytest

from tests.lab.deployers import unknown

from .conftest import BY, EDPM, FOREIGN, KOLLA, ONE_SHOT, TRIPLEO, called

TEXT = 'a b=c "d" $HOME 100% \\e'


def inspected(node, container: str) -> dict:
    """What podman tells of a container."""
    return json.loads(node.out(["podman", "inspect", container]))[0]


def environment(told: dict) -> dict[str, str]:
    return dict(line.split("=", 1) for line in told["Config"]["Env"])


def mounts(told: dict) -> dict[str, str]:
    """Where -> what is mounted there."""
    return {one["Destination"].rstrip("/"): one.get("Name") or one["Source"] for one in told["Mounts"]}


@pytest.mark.parametrize("deployer", BY, ids=called)
def test_every_service_runs_by_its_deployers_unit(deployed, deployer):
    units = [deployer.unit(name) for name in BY[deployer]]
    assert deployed.out(["systemctl", "is-active", *units]).split() == ["active"] * len(units)
    long_running = set(BY[deployer]) - {ONE_SHOT}
    assert long_running <= set(deployed.started())
    digests = {deployed.digest(name) for name in long_running}
    assert len(digests) == len(long_running)


def test_tripleos_containers_are_created_by_podmans_command_line(deployed):
    told = {name: inspected(deployed, name) for name in TRIPLEO}
    assert all(one["Config"]["CreateCommand"][:3] == ["podman", "container", "run"] for one in told.values())
    assert all(one["Config"]["Labels"]["managed_by"] == "tripleo_ansible" for one in told.values())
    assert all(one["Config"]["Healthcheck"]["Test"][1] == "/openstack/healthcheck" for one in told.values())
    assert told["memcached"]["Config"]["User"] == "memcached"
    assert list(told["memcached"]["HostConfig"]["Tmpfs"]) == ["/tmp"]
    assert environment(told["keystone"])["LAB_TEXT"] == TEXT
    assert told["keystone"]["HostConfig"]["ExtraHosts"] == ["identity.example:192.0.2.10"]
    assert told["cinder_volume"]["HostConfig"]["Privileged"]
    assert told["cinder_volume"]["HostConfig"]["IpcMode"] == "host"
    assert mounts(told["cinder_volume"])["/var/lib/cinder/conversion"] == "cinder_conversion"
    assert told["logrotate_crond"]["HostConfig"]["PidMode"] == "host"
    assert told["logrotate_crond"]["HostConfig"]["NetworkMode"] == "none"


def test_kollas_containers_are_created_by_podmans_api(deployed):
    told = {name: inspected(deployed, name) for name in KOLLA}
    assert not any(one["Config"].get("CreateCommand") for one in told.values())
    assert all(mounts(one)["/var/log/kolla"] == "kolla_logs" for one in told.values())
    assert all(environment(one)["KOLLA_CONFIG_STRATEGY"] == "COPY_ALWAYS" for one in told.values())
    assert environment(told["cron"])["LAB_TEXT"] == TEXT
    assert told["cron"]["Config"]["Labels"]["lab.note"] == "kept, with = and spaces"
    agent = told["neutron_ovn_vpn_agent"]
    assert {"CAP_SYS_PTRACE", "CAP_NET_ADMIN"} <= set(agent["EffectiveCaps"])
    assert agent["HostConfig"]["PidMode"] == "host"
    assert agent["Config"]["Healthcheck"]["Test"] == ["CMD-SHELL", "/openstack/healthcheck"]
    assert {"Name": "RLIMIT_CORE", "Soft": 0, "Hard": 0} in agent["HostConfig"]["Ulimits"]
    assert told["neutron_ovn_metadata_agent"]["HostConfig"]["CgroupMode"] == "host"


def test_edpms_containers_are_quadlets_with_a_prefix_in_the_units_name_alone(deployed):
    assert not set(deployed.started()) & {f"edpm_{name}" for name in EDPM}
    told = {name: inspected(deployed, name) for name in EDPM if name != ONE_SHOT}
    assert all(one["Config"]["Labels"]["PODMAN_SYSTEMD_UNIT"] for one in told.values())
    assert "# config_hash=" in deployed.out(["cat", "/etc/containers/systemd/edpm_frr.container"])
    assert told["nova_compute"]["Config"]["User"] == "nova"
    assert mounts(told["ovn_controller"])["/openstack"] == "/var/lib/openstack/healthchecks/ovn_controller"
    assert told["node_exporter"]["Config"]["Healthcheck"]["Test"][1] == "/openstack/healthcheck node_exporter"
    assert environment(told["frr"])["LAB_TEXT"] == "a b=c $HOME 100% done"
    assert {"CAP_NET_ADMIN", "CAP_SYS_ADMIN"} <= set(told["frr"]["EffectiveCaps"])
    assert "/var/tmp" in told["frr"]["HostConfig"]["Tmpfs"]


def test_a_tool_that_nobody_knows_runs_a_container_with_a_name_of_the_catalogue(deployed):
    assert deployed.out(["systemctl", "is-active", unknown.UNIT]) == "active"
    assert FOREIGN in deployed.started()
