"""Images fetched from a registry, whatever engine keeps them."""

from __future__ import annotations

import socket
import time
import zlib
from collections.abc import Mapping
from typing import Any

from openstack_rollout.node import share
from openstack_rollout.node.errors import NodeError

# Seconds until a registry is asked again that has had enough of pulls. Each node adds its own part of that,
# so that those which were refused together do not ask together again.
_BACK_OFF = (15, 45, 120)
_LONGEST = 300  # seconds that a registry may ask for here; whoever asked for the pull can wait longer


STALL_TIMEOUT = 120  # seconds without progress after which a pull is ended


def stall_timeout(pillar: Mapping[str, Any]) -> float:
    """Seconds without progress after which a pull is ended: `openstack:pulls:stall_timeout`, or 120.

    pillar (dict): the node's, `__pillar__` of a module.
    """
    pulls = (pillar.get(share.KEY) or {}).get("pulls") or {}
    return float(pulls.get("stall_timeout") or STALL_TIMEOUT)


def pull(salt: Mapping[str, Any], engine: str, image: str) -> None:
    """Pull an image; a registry that allows no more pulls at the moment is asked again, for some minutes.

    salt (dict): the caller's `__salt__`. engine (str): the execution module that keeps it. image (str):
    reference with a digest. Raises NodeError as the engine's `pull` does.
    """
    for wait in (*_BACK_OFF, None):
        try:
            salt[f"{engine}.pull"](image)
            return
        except NodeError as error:
            if error.reason != "REGISTRY_RATE_LIMIT" or wait is None or error.retry_after > _LONGEST:
                raise
            part = 1 + zlib.crc32(socket.gethostname().encode()) % 100 / 100
            time.sleep(max(wait, error.retry_after) * part)
