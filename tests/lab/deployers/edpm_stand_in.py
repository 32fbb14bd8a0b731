"""Lay quadlets as EDPM does: a stand-in, since edpm-ansible is on no package index.

Written from what its files are like, not by its code: names, places, sections, order of keys, the comment
with a hash of the configuration, health scripts under /openstack, the copy where it renders them first, a
restart only where something changed. It does not log in to a registry, and removes nothing.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping

import yaml

from tests.lab import images
from tests.lab.cloud import Lab

from . import host, tools

#: container -> its sections, in EDPM's order, and as image the image key of a release
SERVICES: dict[str, dict] = yaml.safe_load((tools.FILES / "edpm.yaml").read_text())
_UNITS = "/etc/containers/systemd"
#: where EDPM renders them first, and leaves them
_RENDERED = "/var/lib/edpm-config/quadlet-rendered"
_HEALTH = "/var/lib/openstack/healthchecks"
_CONFIGS = "/var/lib/kolla/config_files"
_CONFIG = '{"command": "serve", "config_files": []}\n'


def unit(container: str) -> str:
    """The unit that runs a container."""
    return f"edpm_{container}.service"


def deploy(lab: Lab, node: str, services: Mapping[str, dict], image_of: Callable[[str], str]) -> str:
    """Lay the quadlets of these services and start those that changed; what was done, a line each.

    Args:
        lab: A lab that is up.
        node: The machine.
        services: Some of `SERVICES`, or definitions like them.
        image_of: The reference for an image key.

    Raises:
        LabError: A unit did not start; the message has what systemd said.
    """
    said, changed = [], []
    for container, definition in services.items():
        volumes = definition["Container"]["Volume"]
        host.provide(lab, node, volumes)
        host.write(lab, node, f"{_CONFIGS}/{container}.json", _CONFIG)
        if any(volume.startswith(f"{_HEALTH}/{container}:") for volume in volumes):
            script = images.FILES / "healthcheck"
            host.write(lab, node, f"{_HEALTH}/{container}/healthcheck", script.read_text(), mode="0755")
        text = _rendered(container, definition, image_of(definition["image"]))
        host.write(lab, node, f"{_RENDERED}/edpm_{container}.container", text)
        if host.write(lab, node, f"{_UNITS}/edpm_{container}.container", text):
            changed.append(container)
    lab.exec(node, ["systemctl", "daemon-reload"])
    for container in services:
        verb = "restart" if container in changed else "start"
        lab.exec(node, ["systemctl", verb, unit(container)])
        said.append(f"{unit(container)}: {'restarted' if container in changed else 'as it was'}")
    return "\n".join(said)


def _rendered(container: str, definition: Mapping[str, dict], image: str) -> str:
    """The file's text, as EDPM's templates make it."""
    service = {"Restart": "always", "TimeoutStartSec": 900, "TimeoutStopSec": 84}
    if definition.get("oneshot"):
        service |= {"Type": "oneshot", "RemainAfterExit": "yes", "Restart": "no"}
    own = {"ContainerName": container, "Image": image}
    sections = {
        "Unit": {"Description": f"{container} container (EDPM)", **definition.get("Unit", {})},
        "Container": {**own, **definition["Container"], "Label": "managed_by=edpm_ansible"},
        "Service": {**service, **definition.get("Service", {})},
    }
    if not definition.get("oneshot"):
        sections["Install"] = {"WantedBy": "multi-user.target"}
    return "\n".join(
        [
            f"# Quadlet container file for {container}",
            "# Laid by the lab, in the place of edpm-ansible",
            "# DO NOT REMOVE - used by container_config_hash module",
            f"# config_hash={hashlib.sha256(_CONFIG.encode()).hexdigest()}",
            *(line for name, keys in sections.items() for line in ("", f"[{name}]", *_lines(keys))),
            "",
        ]
    )


def _lines(keys: Mapping[str, object]) -> Iterable[str]:
    for key, value in keys.items():
        for one in value if isinstance(value, list) else [value]:
            yield f"{key}={str(one).lower() if isinstance(one, bool) else one}"
