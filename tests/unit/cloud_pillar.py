"""A valid pillar to start from: the shipped catalogue and page, two releases, and a node's facts."""

import copy
from functools import cache
from pathlib import Path

import yaml

from openstack_rollout.declared import facts as schema
from openstack_rollout.declared import share
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.services import BACKEND_MAPS
from openstack_rollout.declared.share import Place

PILLAR = Path(__file__).resolve().parents[2] / "pillar" / "openstack"
OLD, NEW = "1.0.0", "1.0.1"

#: What a node tells on which there is nothing to tell of.
QUIET = {
    "floors": {},
    "held": [],
    "newer": {},
    "offered": {},
    "unfinished": {},
    "openvswitch": None,
    "switch": None,
    "datapath": [],
    "reboot": [],
    "reboot_without_effect": [],
    "settings": {},
    "next_boot": None,
    "stateful": {},
    "packaged": {},
    "virtual_addresses": {"addresses": {}, "running": False, "unknown": ""},
    "bootc": None,
    "minion": "none",
    "configuration": [],
    "live_patches": {},
    "migrations": [],
    "pending": [],
    "legacy_units": {},
    "checks": [],
}


def digest(version):
    """A digest that differs by version."""
    return "sha256:" + {OLD: "a", NEW: "b"}.get(version, "c") * 64


def reference(key, version):
    """The reference that a key has in a release of this pillar."""
    return f"registry.example/{key.removesuffix('_image').replace('_', '-')}@{digest(version)}"


@cache
def _read():
    merged = {}
    for name in ("services.sls", "deployers.sls", "releases/init.sls", "init.sls"):
        merged |= yaml.safe_load((PILLAR / name).read_text())["openstack"]
    return merged


def shipped():
    """The repository's own pillar, as Salt merges it, without any release."""
    return copy.deepcopy(_read())


def packaged(openstack):
    """A pillar with what its service types are called where they are packages, as it is shipped."""
    names = yaml.safe_load((PILLAR / "packaged.sls").read_text())["openstack"]["service_types"]
    types = copy.deepcopy(openstack["service_types"])
    for kind, entry in names.items():
        types[kind] |= entry
    return openstack | {"service_types": types}


def images(openstack, version):
    """Every known image key."""
    keys = {entry["image"] for entry in openstack["service_types"].values()} | set(
        openstack["auxiliary_images"]
    )
    return {
        key: {"default": reference(key, version)} if key in BACKEND_MAPS else reference(key, version)
        for key in sorted(keys)
    }


def valid():
    """A pillar that an update may begin with: target 1.0.1."""
    openstack = shipped()
    openstack["service_defaults"] |= {"definition": "declared", "start": "image"}
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


def model(openstack=None, **keys):
    """The model of a pillar, the valid one by default, with some keys changed; what is not checked here is
    checked in tests/unit/declared.
    """
    return Model.model_validate({**(valid() if openstack is None else openstack), **keys})


def node(*roles, os_family="RedHat", zone=None):
    """A node of these roles."""
    return Place(tuple(roles), zone, os_family)


def facts_at(openstack, version, where, name="node1", **changes):
    """What a node tells that is at a release of a pillar (a mapping); changes replace whole keys."""
    declared = model(openstack)
    wanted = share.desired(declared, version, where)
    own = share.share(declared, where)
    installed = {one: [what] for some in wanted["packages"].values() for one, what in some.items()}
    return {
        "schema": schema.SCHEMA,
        "id": name,
        "target": own["target"],
        "roles": list(where.roles),
        "os_family": where.os_family,
        "boot_id": "0",
        "containers": {
            service["container"]: {
                "running": True,
                "healthy": True,
                "image_id": service["image"][-60:],
                "digests": [service["image"].rpartition("@")[2]],
                "labels": {},
                "unit": service["unit"],
                "exit_code": 0,
                "names": [service["image"]],
            }
            for service in wanted["services"]
        },
        "managed": [one["container"] for one in wanted["services"] if one["definition"] == "declared"],
        "carried": {
            one["container"]: {
                "carrier": "foreign_quadlet",
                "unit": f"edpm_{one['container']}.service",
                "image": one["image"],
                "masked": False,
            }
            for one in wanted["services"]
            if one["definition"] == "found"
        },
        "images": sorted({service["image"] for service in wanted["services"]}),
        "packages": installed,
        **QUIET,
        "openvswitch": {"unit": "openvswitch.service", "enabled": True, "active": True},
        **changes,
    }
