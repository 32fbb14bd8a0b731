"""What a machine of the profile `ceph` has over the base image: Ceph's daemons and its tools."""

from pathlib import Path

from tests.lab import layer

_PACKAGES = ("ceph-mon", "ceph-mgr", "ceph-osd", "ceph-mds", "ceph-common", "python3-rados")
#: what the packages enable beside the targets of daemons that somebody made
_DISABLED = ("ceph-volume@.service",)


def ensure(root: Path) -> Path:
    """The layer's directory, for an overlay over the base image; made when the cache lacks it.

    Args:
        root: The base image.

    Raises:
        RuntimeError: A step failed; the message has the end of its output.
    """
    return layer.ensure("ceph-layer", root, _PACKAGES, _DISABLED)
