"""Write the lab's part of the pillar: the operator's page and one file a release."""

from pathlib import Path

import yaml

from . import settings
from .clusters import page as clusters
from .openstack import page as openstack
from .packaged import page as packaged

#: The lab's own images start by themselves, and nobody else deployed them.
_OWN_IMAGES = {"definition": "declared", "start": "image"}


class Pillar:
    """The pillar directory of a lab; it stands before the checkout's in pillar_roots."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._page = place / "openstack" / "init.sls"
        self._releases = place / "openstack" / "releases"

    def write_release(self, version: str, images: dict, packages: dict) -> None:
        """Write a release's file, e.g. openstack/releases/1_0_0.sls."""
        content = {"images": images, "packages": packages, "defaults": {}, "notes": []}
        path = self._releases / f"{version.replace('.', '_')}.sls"
        _write(path, {"openstack": {"releases": {version: content}}})

    def releases(self) -> dict[str, dict]:
        """The releases that are written: version -> images, packages, defaults, notes."""
        found: dict[str, dict] = {}
        for path in sorted(self._releases.glob("*.sls")):
            found |= yaml.safe_load(path.read_text())["openstack"]["releases"]
        return found

    def write_page(self, page: dict) -> None:
        """Write the operator's page."""
        _write(self._page, {"openstack": page})


def initial_page(profile: str) -> dict:
    """The operator's page of a new lab: its roles and zones, and release 1.0.0 as target."""
    nodes = settings.PROFILES[profile]
    roles = {node.role: f"{settings.ROLES[node.role]}*" for node in nodes}
    zones = sorted({node.zone for node in nodes if node.zone})
    return {
        "name": "lab",
        "target_version": settings.RELEASES[0],
        "roles": roles,
        "zones": {zone: " or ".join(n.name for n in nodes if n.zone == zone) for zone in zones},
        "custom_images": {},
        "policies": {},
        # Without a kernel module every switch of the lab is a userspace one.
        "ovs": {"userspace": "accept"},
        "services": initial_services(profile),
        # what an image says of itself is no default of a package
        **({} if profile in settings.PACKAGED else {"service_defaults": _OWN_IMAGES}),
    }


def initial_services(profile: str) -> dict:
    """What every page of the lab says of the catalogue: what its network stands on."""
    if profile == settings.OPENSTACK:
        return openstack.services()
    if profile in settings.PACKAGED:
        return packaged.services(both=profile == settings.BOTH)
    if profile == settings.CONTROLLERS:
        return clusters.services()
    if not any(node.role == "controller" for node in settings.PROFILES[profile]):
        return {}
    stand_ins = {
        name: {"guard": "none"} for name in ("rabbitmq", "mariadb")
    }  # of no cluster that could be asked
    return stand_ins | {name: {"enabled": True} for name in ("ovn-nb", "ovn-sb", "ovn-northd")}


def _write(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".tmp")
    scratch.write_text(yaml.safe_dump(content, sort_keys=False))
    scratch.rename(path)  # the master may be reading it
