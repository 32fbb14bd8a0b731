"""How a role is updated: batch size, failure budget, canaries, soak; with safe defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Policy:
    """The policy of a role.

    batch (int or "N%"): nodes in flight together. max_failures (int): nodes that may fail before no more
    start. canary (int): nodes that go first, alone. soak (int): seconds to wait after the canaries. per_zone
    (int): nodes in flight in one zone, 0 = no limit. drain (str): how workloads leave a node. silence (int):
    seconds without a sign of life after which a node counts as lost. reboot_occupied (bool): whether
    a node may be rebooted that was neither drained nor is empty.
    """

    batch: int | str = 1
    max_failures: int = 0
    canary: int = 0
    soak: int = 0
    per_zone: int = 0
    drain: str = "none"
    silence: int = 60
    reboot_occupied: bool = False


BATCH_HELP = "give a number of nodes from 1, or a percentage from 1% to 100%"
KEYS = tuple(field.name for field in fields(Policy))


def of_role(openstack: Mapping[str, Any], role: str) -> Policy:
    """The policy of a role: what the pillar says over the defaults, which are the same for every role.

    How its workloads are moved is in the same place of the pillar, and read by workloads.settings.
    """
    said = (openstack.get("policies") or {}).get(role) or {}
    return Policy(**{key: value for key, value in said.items() if key in KEYS})


def batch_size(batch: int | str, count: int) -> int:
    """How many of count nodes may be in flight: a percentage is rounded down, and is never less than one.

    batch (int or str): 2 or "10%". Raises ValueError for anything that is neither.
    """
    if isinstance(batch, int) and not isinstance(batch, bool):
        size, valid = batch, batch >= 1
    else:
        digits = str(batch).strip()
        percentage = int(digits[:-1]) if digits.endswith("%") and digits[:-1].isdecimal() else 0
        size, valid = max(1, count * percentage // 100), 1 <= percentage <= 100
    if not valid:
        raise ValueError(f"{batch} is not allowed: {BATCH_HELP}")
    return size
