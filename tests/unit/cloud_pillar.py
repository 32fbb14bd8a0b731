"""A valid pillar to start from: the shipped catalogue and page, two releases with every image, a node."""

import copy
from functools import cache
from pathlib import Path

import yaml

from openstack_rollout import catalog

PILLAR = Path(__file__).resolve().parents[2] / "pillar" / "openstack"
OLD, NEW = "1.0.0", "1.0.1"


def digest(version):
    """A digest that differs by version."""
    return "sha256:" + {OLD: "a", NEW: "b"}.get(version, "c") * 64


def reference(key, version):
    """The reference that a key has in a release of this pillar."""
    return f"registry.example/{key.removesuffix('_image').replace('_', '-')}@{digest(version)}"


@cache
def _read():
    merged = {}
    for name in ("services.sls", "releases/init.sls", "init.sls"):
        merged |= yaml.safe_load((PILLAR / name).read_text())["openstack"]
    return merged


def shipped():
    """The repository's own pillar, as Salt merges it, without any release."""
    return copy.deepcopy(_read())


def images(openstack, version):
    """Every known image key."""
    return {
        key: {"default": reference(key, version)} if key in catalog.BACKEND_MAPS else reference(key, version)
        for key in sorted(catalog.known_image_keys(openstack))
    }


def valid():
    """A pillar that an update may begin with: target 1.0.1."""
    openstack = shipped()
    openstack["target_version"] = NEW
    openstack["releases"] = {
        version: {
            "images": images(openstack, version),
            "packages": {
                "openstack-selinux": f"0.8-{version}",
                "openvswitch3.4" if version == OLD else "openvswitch3.5": f"3-{version}",
                "lab-openvswitch": f"3-{version}",
                "kernel-core": f"5-{version}",
                "curl": {"RedHat": f"7-{version}", "Debian": f"8-{version}"},
            },
        }
        for version in (OLD, NEW)
    }
    return openstack


def node(*roles, os_family="RedHat", zone=None):
    """A node of these roles."""
    return {"id": "node1", "roles": list(roles), "zone": zone, "os_family": os_family}


def measured_at(openstack, version, of_node, **changes):
    """What a node measures that is at a release."""
    from openstack_rollout import release

    desired = release.resolve(openstack, version, of_node)
    installed = {name: [one] for packages in desired["packages"].values() for name, one in packages.items()}
    return {
        "containers": {
            service["container"]: {
                "running": True,
                "image_id": "sha256:" + service["image"][-60:],
                "healthy": True,
            }
            for service in desired["services"]
        },
        "images": {
            ref: ref[-60:]
            for ref in {service["image"] for service in desired["services"]}
            | set(release.references(openstack, of_node))
        },
        "packages": installed,
        "openvswitch": {"unit": "openvswitch.service", "enabled": True, "active": True},
        **changes,
    }
