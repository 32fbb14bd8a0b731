"""What nodes tell in a survey, for tests: containers as each deployer runs them."""

from __future__ import annotations

from openstack_rollout.declared import deployed
from tests.unit.cloud_pillar import shipped

RUNNING = {"load": "loaded", "active": "active", "sub": "running", "enabled": "enabled", "type": "simple"}
MASKED = {"load": "masked", "active": "inactive", "sub": "dead", "enabled": "masked", "type": ""}
FAILED = RUNNING | {"active": "failed", "sub": "failed"}
DEAD = RUNNING | {"active": "inactive", "sub": "dead"}
ONESHOT = DEAD | {"type": "oneshot"}
UNITS = {name: table["unit"] for name, table in shipped()["deployers"].items()}


def digest(letter):
    """A digest that is one letter again and again."""
    return f"sha256:{letter * 64}"


def container(repository="nova-compute", letter="a", **keys):
    """A container as a node tells of it, that runs an image of a registry."""
    name = f"registry.example/{repository}"
    return {
        "engine": "podman",
        "running": True,
        "exit_code": 0,
        "created": "2026-01-01T00:00:00Z",
        "image": f"{name}:18.0",
        "image_id": letter * 64,
        "digests": [f"{name}@{digest(letter)}"],
        "labels": {},
        "unit": None,
        "unit_state": None,
        "carrier": "",
        "definition": "",
        **keys,
    }


def of(deployer, name, repository=None, letter="a", **keys):
    """{name: a container that a deployer runs in its unit}."""
    unit = UNITS[deployer].replace("{}", name)
    found = container(repository or name.replace("_", "-"), letter, unit=unit, unit_state=RUNNING, **keys)
    return {name: found}


def local(repository="own"):
    """The keys of a container whose image no registry has."""
    return {"image": f"localhost/{repository}:1", "digests": [f"localhost/{repository}@{digest('f')}"]}


def packages(version="2-1", vendor="Debian OpenStack", names=(), **versions):
    """Installed packages as a node tells of them: names at one version, and others by their own."""
    found = {name: [version] for name in names} | {
        name.replace("_", "-"): [one] if isinstance(one, str) else one for name, one in versions.items()
    }
    return {name: {"versions": one, "vendor": vendor} for name, one in sorted(found.items())}


def packaged(node, names, units, family="Debian", containers=(), **versions):
    """What a node tells whose services are packages: their names, and their units as they are or by state."""
    states = units if isinstance(units, dict) else dict.fromkeys(units, RUNNING)
    found = answer(node, *containers, os_family=family, packages=packages(names=names, **versions))
    found["units"] |= {f"{unit}.service": state for unit, state in states.items()}
    return found


def answer(node="cmp1", *containers, **keys):
    """What a node tells: mappings of containers, and what a test changes."""
    merged = {name: one for some in containers for name, one in some.items()}
    return {
        "schema": deployed.SCHEMA,
        "id": node,
        "os_family": "RedHat",
        "engines": {"podman": "5.4.2"},
        "containers": merged,
        "managed": [],
        "units": {one["unit"]: one["unit_state"] for one in merged.values() if one["unit_state"]},
        "packages": {},
        "trouble": [],
        **keys,
    }


def told(**answers):
    """What each of some nodes tells, read: node=[containers] or node=answer."""
    read = {}
    for node, one in answers.items():
        read[node] = deployed.read(node, one if isinstance(one, dict) else answer(node, *one))
    return read
