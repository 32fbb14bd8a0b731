"""Stands in for the node: what is "deployed" is a file, so that only the engine and Salt are real."""

import hashlib
import json
from pathlib import Path

from openstack_rollout.node import fresh_pillar
from openstack_rollout.node import share as shares
from openstack_rollout.node.errors import NodeError

VERSIONS = ("1.0.0", "1.0.1", "1.0.2")
PACKAGES = {"ovs": "openvswitch", "system": "bash"}


def facts(fresh=False, refresh=False):
    """As the real one: what the node is now, with the share as it is now."""
    share = shares.of(fresh_pillar.fresh(__opts__, __grains__))
    node = read()
    if node.get("broken_facts"):
        raise NodeError("NODE_ERROR", "simulated")
    if "facts" in node:
        return node["facts"]
    at = {stage: node["at"].get(stage, "1.0.0") for stage in share["stages"]}
    return {
        "schema": 5,
        "id": __opts__["id"],
        "target": share["target"],
        "roles": share["roles"],
        "os_family": "Debian",
        "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "containers": {
            stage: {
                "running": True,
                "healthy": True,
                "image_id": version,
                "digests": [f"sha256:{hashlib.sha256(f'{stage} {version}'.encode()).hexdigest()}"],
                "labels": {},
                "unit": f"{stage}.service",
            }
            for stage, version in at.items()
            if stage not in PACKAGES
        },
        "managed": [stage for stage in at if stage not in PACKAGES],
        "carried": {},
        "packaged": {},
        "images": [service["image"] for service in share["services"]],
        "packages": {PACKAGES[stage]: [version] for stage, version in at.items() if stage in PACKAGES},
        "floors": {},
        "held": [],
        "newer": {},
        "offered": {},
        "unfinished": {},
        "openvswitch": None,
        "switch": None,
        "datapath": node.get("health", []),
        "reboot": [],
        "reboot_without_effect": [],
        "settings": {},
        "next_boot": None,
        "stateful": {},
        "virtual_addresses": {},
        "bootc": None,
        "minion": "none",
        "configuration": [],
        "live_patches": {},
        "migrations": [],
        "pending": [],
        "legacy_units": {},
        "checks": [],
    }


def wanted(stage):
    """The version that the node's share wants of a stage; of a rollback it has no version, but what ran."""
    share = shares.of_stage(__pillar__, stage)
    if not share.get("rollback"):
        return share["target"]
    if stage in PACKAGES:
        return share["packages"].get(PACKAGES[stage], read()["at"].get(stage))
    images = [one["image"] for one in share["services"]]
    known = {f"sha256:{hashlib.sha256(f'{stage} {one}'.encode()).hexdigest()}": one for one in VERSIONS}
    return known[images[0].partition("@")[2]] if images else read()["at"].get(stage)


def read():
    """The simulated node (dict)."""
    return json.loads(_path().read_text()) if _path().exists() else {"at": {}}


def set_stage(stage, version):
    """Bring a stage to a version."""
    node = read()
    node["at"][stage] = version
    _path().write_text(json.dumps(node))


def begun(stage):
    """Note that a stage is at work, for as long as its node's file says."""
    node = read()
    node.setdefault("begun", []).append(stage)
    _path().write_text(json.dumps(node))


def _path():
    return Path(__opts__["cachedir"]) / "simulated_node.json"
