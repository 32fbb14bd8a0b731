"""What a machine of the profile `controllers` has over the base image: Pacemaker, pcs, haproxy."""

from pathlib import Path

from tests.lab import layer

_PACKAGES = (
    *("pacemaker", "pacemaker-cli-utils", "pacemaker-resource-agents", "resource-agents"),
    *("corosync", "pcs", "haproxy", "memcached"),
)
#: what the packages enable, and the cluster or nobody runs
_DISABLED = ("pcsd.service", "pcsd-ruby.service", "haproxy.service", "memcached.service")
_MEMCACHED = "/usr/bin/memcached"


def ensure(root: Path) -> Path:
    """The layer's directory, for an overlay over the base image; made when the cache lacks it.

    Args:
        root: The base image.

    Raises:
        RuntimeError: A step failed; the message has the end of its output.
    """
    return layer.ensure("clusters-layer", root, _PACKAGES, _DISABLED)


def memcached(layer: Path) -> bytes:
    """The program, whose libraries the OpenStack layer has."""
    return (layer / _MEMCACHED.lstrip("/")).read_bytes()
