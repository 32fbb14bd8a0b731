"""Nodes whose whole system is an image (bootc): which one runs, which waits for the next boot, and staging
it.

What bootc documents is used and nothing more: `status --format=json` and `switch IMAGE`. A release names its
image by digest, so that nothing is left to `upgrade`.
"""

from __future__ import annotations

import json

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
        found = json.loads(_run(["bootc", "status", "--format=json"]))["status"]
        booted = found.get("booted")
        # A package of that name on an ordinary system: nothing is booted by it.
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
    _run(["bootc", "switch", image], "IMAGE_PULL_FAILED")
    after = status()
    if after is None or after["staged"] != image:
        raise NodeError("IMAGE_PULL_FAILED", f"bootc switch: {image} is not staged afterwards")
    return True


def _run(command: list[str], reason: str = "NODE_ERROR") -> str:
    result = __salt__["cmd.run_all"](command, python_shell=False, ignore_retcode=True)
    if result["retcode"]:
        last = " ".join((result["stderr"].strip() or result["stdout"].strip()).splitlines()[-3:])
        raise NodeError(reason, f"{' '.join(command[:2])}: {last}")
    return result["stdout"]
