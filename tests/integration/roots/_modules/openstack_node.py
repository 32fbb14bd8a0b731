"""Stands in for the node: what is "deployed" is a file, so that only the engine and Salt are real."""

import json
from pathlib import Path

import salt.pillar
from salt.exceptions import CommandExecutionError

STAGES = {
    "controller": ["ovn", "control_plane", "ovs", "system"],
    "compute": ["ovn", "services", "ovs", "system"],
}


def facts(fresh=False, refresh=False):
    """As the real one: differences by stage, from the pillar as it is now and the node as it is now."""
    compiled = salt.pillar.get_pillar(__opts__, __grains__, __opts__["id"], "base").compile_pillar()
    openstack = compiled["openstack"]
    target = openstack["target_version"]
    node = read()
    if node.get("broken_facts"):
        raise CommandExecutionError("NODE_ERROR: simulated")
    role = "controller" if __opts__["id"].startswith("ctl") else "compute"
    at = {stage: node["at"].get(stage, "1.0.0") for stage in STAGES[role]}
    versions = set(at.values())
    return {
        "id": __opts__["id"],
        "roles": [role],
        "zone": node.get("zone"),
        "os_family": "Debian",
        "boot_id": "0",
        "target": target,
        "deployed": versions.pop() if len(versions) == 1 else None,
        "stages": {s: [] if v == target else [f"package {s}: {v}, wants {target}"] for s, v in at.items()},
        "health": node.get("health", []),
        "services": {},
        "packages": {},
        "notes": [],
    }


def read():
    """The simulated node (dict)."""
    return json.loads(_path().read_text()) if _path().exists() else {"at": {}}


def set_stage(stage, version):
    """Bring a stage to a version."""
    node = read()
    node["at"][stage] = version
    _path().write_text(json.dumps(node))


def _path():
    return Path(__opts__["cachedir"]) / "simulated_node.json"
