"""Nodes whose whole system is an image (bootc): which one runs, which the next boot takes, and staging one.

Only what bootc documents is used: `bootc status --format=json` and `bootc switch IMAGE`
(https://bootc-dev.github.io/bootc/). A release names its image by digest, so `bootc upgrade` is never needed.
"""

from __future__ import annotations

import json

from openstack_rollout.node import commands
from openstack_rollout.node.errors import NodeError


def status() -> dict | None:
    """The images of this node.

    Returns {"booted": reference, "digest": its digest, "staged": reference of the image that the next boot
    takes, or None}; None on a node that is no bootc host.
    Raises NodeError NODE_ERROR when bootc fails.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' bootc.status
    """
    if not __salt__["cmd.which"]("bootc"):
        return None
    try:
        command = ["bootc", "status", "--format=json"]
        found = json.loads(commands.checked(__salt__, command, "NODE_ERROR", lines=3))["status"]
        booted = found.get("booted")
        # An ordinary system may have the package bootc, too: it has booted no image.
        if not booted or not booted.get("image"):
            return None
        staged = found.get("staged") or {}
        return {
            "booted": booted["image"]["image"]["image"],
            "digest": booted["image"].get("imageDigest"),
            "staged": (staged.get("image") or {}).get("image", {}).get("image"),
        }
    except (ValueError, KeyError, TypeError) as error:
        raise NodeError("NODE_ERROR", f"bootc status: {type(error).__name__}: {error}") from error


def stage(image: str) -> bool:
    """Have the next boot take an image; the running system does not change.

    image (str): a reference. Returns whether something was staged.
    Raises NodeError IMAGE_PULL_FAILED.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' bootc.stage registry.example/os@sha256:…
    """
    before = status()
    if before is None or image in (before["staged"], *([before["booted"]] if not before["staged"] else [])):
        return False
    commands.checked(__salt__, ["bootc", "switch", image], "IMAGE_PULL_FAILED", lines=3)
    after = status()
    if after is None or after["staged"] != image:
        raise NodeError("IMAGE_PULL_FAILED", f"bootc switch: {image} is not staged afterwards")
    return True
