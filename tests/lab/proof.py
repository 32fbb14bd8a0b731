"""What the lab's machines are, asked of podman, rpm and systemctl: the evidence of the tests and the demo.

Nothing here reads our own modules' return values; what is wanted comes from the release's file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from . import settings
from .cloud import Lab

#: what runs on a node, by the first letters of its name: container → image key. Written down here, not asked
#: of the catalogue that is on trial.
CONTAINERS = {
    "ctl": {
        "ovn_controller": "ovn_controller_image",
        "ovn_nb_db": "ovn_nb_dbcluster_image",
        "ovn_sb_db": "ovn_sb_dbcluster_image",
        "ovn_northd": "ovn_northd_image",
        "rabbitmq": "rabbitmq_image",
        "mariadb": "mariadb_image",
        "memcached": "infra_memcached_image",
        "keystone": "keystone_api_image",
        "placement_api": "placement_api_image",
        "glance_api": "glance_api_image",
        "neutron_api": "neutron_api_image",
        "nova_api": "nova_api_image",
        "nova_conductor": "nova_conductor_image",
        "nova_scheduler": "nova_scheduler_image",
        "nova_novnc": "nova_novnc_image",
    },
    "gtw": {
        "ovn_controller": "ovn_controller_image",
        "ovn_agent": "edpm_neutron_ovn_agent_image",
        "node_exporter": "edpm_node_exporter_image",
    },
    "cmp": {
        "ovn_controller": "ovn_controller_image",
        "ovn_metadata_agent": "edpm_neutron_metadata_agent_image",
        "nova_compute": "nova_compute_image",
        "ceilometer_agent_compute": "ceilometer_compute_image",
        "node_exporter": "edpm_node_exporter_image",
    },
    "sto": {"node_exporter": "edpm_node_exporter_image"},
}
#: the same of the profile with a real OpenStack, whose networks are of neutron's own agents
_AGENT = {"neutron_ovs_agent": "neutron_openvswitch_agent_image"}
_OPENSTACK = {
    "ctl": {
        "rabbitmq": "rabbitmq_image",
        "mariadb": "mariadb_image",
        "keystone": "keystone_api_image",
        "placement_api": "placement_api_image",
        "glance_api": "glance_api_image",
        "neutron_api": "neutron_api_image",
        "nova_api": "nova_api_image",
        "nova_conductor": "nova_conductor_image",
        "nova_scheduler": "nova_scheduler_image",
    },
    "gtw": _AGENT
    | {
        "neutron_l3_agent": "neutron_l3_agent_image",
        "neutron_dhcp": "edpm_neutron_dhcp_agent_image",
        "node_exporter": "edpm_node_exporter_image",
    },
    "cmp": _AGENT | {"nova_compute": "nova_compute_image", "node_exporter": "edpm_node_exporter_image"},
}
#: of three controllers with real clusters
_CONTROLLERS = {
    "ctl": {
        container: key
        for container, key in CONTAINERS["ctl"].items()
        if not container.startswith(("nova_", "neutron_"))
    }
}

#: of a compute in a cloud whose controllers are of packages: it has no OVN
_BESIDE_PACKAGES = {
    container: key for container, key in CONTAINERS["cmp"].items() if not container.startswith("ovn_")
}


def containers(lab: Lab, node: str) -> dict[str, str]:
    """container → image key, of what has to run on a node of the lab's profile."""
    if lab.profile in settings.PACKAGED and lab.nodes[node].debian:
        return {}
    if lab.profile == settings.BOTH:
        return _BESIDE_PACKAGES
    return {settings.OPENSTACK: _OPENSTACK, settings.CONTROLLERS: _CONTROLLERS}.get(lab.profile, CONTAINERS)[
        node[:3]
    ]


def running_digests(lab: Lab, node: str) -> dict[str, str]:
    """container name → digest of the image it runs, of the containers that run on the node."""
    listed = json.loads(lab.exec(node, ["podman", "ps", "--format", "json"]).stdout or "[]")
    names = [container["Names"][0] for container in listed]
    if not names:
        return {}
    inspected = json.loads(lab.exec(node, ["podman", "inspect", *names]).stdout)
    return {entry["Name"]: entry["ImageDigest"] for entry in inspected}


def installed(lab: Lab, node: str) -> dict[str, list[str]]:
    """package name → installed versions (version-release), by rpm; on plain Debian by dpkg."""
    by_rpm = ["rpm", "-qa", "--queryformat", "%{NAME} %{VERSION}-%{RELEASE}\\n"]
    by_dpkg = ["dpkg-query", "--show"]
    output = lab.exec(node, by_dpkg if lab.nodes[node].debian else by_rpm).stdout
    packages: dict[str, list[str]] = {}
    for line in sorted(output.splitlines()):
        name, _, version = line.replace("\t", " ").partition(" ")
        if version:  # dpkg also names what was removed
            packages.setdefault(name.partition(":")[0], []).append(version)
    return packages


def storage_damage(lab: Lab, node: str) -> list[str]:
    """What `podman system check` finds wrong, one line each.

    It looks for no layer in an additional image store, and calls those missing that are there.
    """
    checked = lab.exec(node, ["podman", "system", "check"], check=False, timeout=300)
    shared = f"{settings.IMAGE_STORE_IN_NODE}/overlay"
    there = set(lab.exec(node, ["ls", shared], check=False).stdout.split())
    said = [line.strip() for line in (checked.stdout + checked.stderr).splitlines()]
    missing = {f"* layer {layer}: layer is missing" for layer in there}
    found = [line for line in said if line.startswith("*") and line not in missing]
    return found if found or not checked.returncode or missing.intersection(said) else said


def fingerprint(lab: Lab, nodes: Iterable[str] | None = None) -> dict:
    """What an update could change on each node (all): container start times, images, packages, switch."""
    found = {}
    for node in lab.nodes if nodes is None else nodes:
        started = lab.exec(
            node, ["podman", "ps", "-a", "--no-trunc", "--format", "{{.Names}} {{.ImageID}} {{.StartedAt}}"]
        )
        switch = lab.exec(node, ["systemctl", "show", "-p", "MainPID", "--value", "ovs-vswitchd.service"])
        found[node] = (sorted(started.stdout.splitlines()), installed(lab, node), switch.stdout.strip())
    return found


def assert_cloud_at(lab: Lab, version: str) -> list[str]:
    """Each node runs the release's digests and packages, its switch enabled and active; one line a node."""
    return [assert_node_at(lab, node, version) for node in lab.nodes]


def assert_node_at(lab: Lab, node: str, version: str) -> str:
    """Raise AssertionError where the node is not at the release, naming the thing; else a line of facts."""
    wanted = lab.releases[version]
    family = "Debian" if lab.nodes[node].debian else "RedHat"
    numbers = {
        name: number.get(family) if isinstance(number, dict) else number
        for name, number in wanted["packages"].items()
    }
    digests = {
        container: wanted["images"][key].partition("@")[2] for container, key in containers(lab, node).items()
    }
    running = running_digests(lab, node) if digests else {}
    assert running == digests, f"{node} runs {running}, release {version} has {digests}"
    packages = installed(lab, node)
    for name, number in numbers.items():
        if number and name in packages:
            assert number in packages[name], (
                f"{node}: {name} is {packages[name]}, release {version} has {number}"
            )
    managed = sum(bool(number) and name in packages for name, number in numbers.items())
    if lab.profile in settings.PACKAGED and lab.nodes[node].role == "controller":  # it has no switch
        return f"{node}: {managed} packages at their versions"
    unit = "openvswitch-switch.service" if lab.nodes[node].debian else "openvswitch.service"
    for question in ("is-enabled", "is-active"):
        answer = lab.exec(node, ["systemctl", question, unit], check=False).stdout.strip()
        assert answer in {"enabled", "active"}, f"{node}: {unit} {question}: {answer}"
    return (
        f"{node}: {len(running)} containers at the digests of {version},"
        f" {managed} packages at their versions, openvswitch enabled and active"
    )
