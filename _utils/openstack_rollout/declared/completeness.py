"""Whether a definition of the catalogue can start a real image, and what it lacks.

The images of OpenStack (tcib's, kolla's) start kolla_start, which copies what config.json names and then runs
the command that stands there. Without KOLLA_CONFIG_STRATEGY or config.json it fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

FOUND, DECLARED = "found", "declared"
_STRATEGY = "KOLLA_CONFIG_STRATEGY"
_CONFIG = PurePosixPath("/var/lib/kolla/config_files/config.json")
_CHECKS = PurePosixPath("/openstack")


def lacks(entry: Mapping[str, Any]) -> list[str]:
    """What a merged entry lacks to be declared: one line for each; [] also where it is found.

    entry (dict): a service of the catalogue, as all layers together have it.
    """
    if entry.get("definition", FOUND) != DECLARED or entry.get("start") == "image":
        return []
    return list(_lacks(entry))


def _lacks(entry: Mapping[str, Any]) -> Iterator[str]:
    container = (entry.get("quadlet") or {}).get("Container") or {}
    mounted = [PurePosixPath(one) for one in _targets(container)]
    if not any(key in container for key in ("Exec", "Entrypoint")):
        if not any(one.partition("=")[0] == _STRATEGY for one in _words(container, "Environment")):
            yield f"quadlet:Container:Environment has no {_STRATEGY}"
        if not any(_CONFIG.is_relative_to(one) for one in mounted):
            yield f"quadlet:Container:Volume has nothing at {_CONFIG}"
    command = (entry.get("health") or {}).get("command") or []
    # The folder is empty in such an image: the deployer mounts the checks there.
    checks = PurePosixPath(command[0]) if command else PurePosixPath()
    if checks.is_relative_to(_CHECKS) and not any(checks.is_relative_to(one) for one in mounted):
        yield (f"quadlet:Container:Volume has nothing at {_CHECKS}, where health:command is")


def _targets(container: Mapping[str, Any]) -> Iterator[str]:
    """Where volumes and mounts of a container go, inside of it."""
    for volume in _listed(container, "Volume"):
        parts = volume.split(":")
        yield parts[1] if len(parts) > 1 else parts[0]
    for mount in _listed(container, "Mount"):
        options = dict(one.partition("=")[::2] for one in mount.split(","))
        yield from (options[key] for key in ("destination", "dst", "target") if key in options)


def _words(container: Mapping[str, Any], key: str) -> Iterator[str]:
    for value in _listed(container, key):
        yield from (word.strip("\"'") for word in value.split())


def _listed(container: Mapping[str, Any], key: str) -> list[str]:
    value = container.get(key)
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]
