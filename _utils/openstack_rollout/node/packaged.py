"""What has to happen to a packaged service: pure comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def to_restart(units: Mapping[str, str]) -> list[str]:
    """The units that a restart is for: those that run, or would after a boot.

    units (dict): name → state, as packaged_service.found has them.
    """
    return [name for name, state in units.items() if state in ("active", "inactive")]


def reasons(due: Mapping[str, str], now: Mapping[str, Any]) -> list[str]:
    """Why a service has to move or restart, a phrase each.

    due (dict): package → version that it is to be brought to. now (dict): of packaged_service.found.
    """
    found = [f"{name} {version}" for name, version in sorted(due.items())]
    if now["stale"]:
        found.append(f"runs what was there before {', '.join(now['stale'])}")
    return [*found, *(f"{name} does not run" for name, state in now["units"].items() if state == "inactive")]


def before(moved: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The versions to go back to: of what moved, not of what came new or is there more than once.

    moved (dict): name → {"old", "new"}.
    """
    return {name: one["old"] for name, one in moved.items() if one["old"] and "," not in one["old"]}
